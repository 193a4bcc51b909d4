"""Sizes, exchanges and conditions of the made-up market."""

import numpy as np

from desk.feeds.synthetic.prints import (
    CONDITION_CODES,
    EXCHANGES,
    quote_exchanges,
    quote_sizes,
    trade_conditions,
    trade_exchanges,
    trade_sizes,
)

COUNT = 50_000


def test_condition_codes_are_all_different_and_begin_with_the_kind_of_order() -> None:
    assert len(set(CONDITION_CODES)) == 16
    assert {"@", "F", "@I", "FI", "@T", "@Z", "@TIZ"} <= set(CONDITION_CODES)


def test_trade_sizes_are_odd_lots_round_lots_and_a_heavy_tail() -> None:
    size = trade_sizes(COUNT, 0.4, np.random.default_rng(1))

    odd = size < 100
    assert abs(odd.mean() - 0.4) < 0.01
    assert set(np.unique(size[odd])) == set(range(1, 100))
    assert np.mean(size[~odd] % 100 == 0) > 0.85
    assert size.max() > 100 * np.median(size)
    assert size.max() <= 500_099


def test_all_or_no_trades_can_be_odd_lots() -> None:
    assert np.all(trade_sizes(COUNT, 1.0, np.random.default_rng(2)) < 100)
    assert np.all(trade_sizes(COUNT, 0.0, np.random.default_rng(2)) >= 100)


def test_quotes_are_made_on_exchanges_in_round_lots() -> None:
    rng = np.random.default_rng(3)

    assert np.all(quote_sizes(COUNT, rng) % 100 == 0)
    assert set(quote_exchanges(COUNT, rng)) == set(range(1, len(EXCHANGES)))


def test_late_trades_and_many_others_are_off_exchange_and_no_sweeps() -> None:
    rng = np.random.default_rng(4)
    late = rng.random(COUNT) < 0.1

    exchange = trade_exchanges(late, rng)
    code = trade_conditions(np.full(COUNT, 100.0), exchange, late, rng)

    letters = np.array(CONDITION_CODES)[code]
    assert np.all(exchange[late] == EXCHANGES.index("D"))
    assert 0.2 < np.mean(exchange[~late] == EXCHANGES.index("D")) < 0.5
    assert not any("F" in each for each in letters[exchange == EXCHANGES.index("D")])
    assert all("Z" in each for each in letters[late])
    assert 0 < np.mean([("T" in each) for each in letters]) < 0.01
