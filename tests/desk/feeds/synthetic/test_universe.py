"""The symbols of the made-up market."""

import numpy as np
import pytest

from desk.feeds.synthetic.universe import Universe, symbol_names


@pytest.mark.parametrize(
    ("symbols", "last"), [(1, "SYN0000"), (10_000, "SYN9999"), (10_001, "SYN10000"), (12_000, "SYN11999")]
)
def test_names_have_four_digits_or_five_above_ten_thousand(symbols: int, last: str) -> None:
    names = symbol_names(symbols)

    assert names[-1] == last
    assert len(set(names)) == symbols
    assert len({len(name) for name in names}) == 1


def test_shares_follow_zipf_and_prices_spread_over_their_range() -> None:
    universe = Universe.draw(2_000, np.random.default_rng(1))

    assert universe.share.sum() == pytest.approx(1.0)
    assert universe.share[0] == pytest.approx(10 * universe.share[9])
    assert universe.price.min() >= 5.0
    assert universe.price.max() <= 400.0
    assert np.median(universe.price) == pytest.approx(np.sqrt(5.0 * 400.0), rel=0.1)
