"""Bursts of the made-up market."""

import numpy as np
import pytest

from desk.feeds.synthetic.bursts import BURST_SHARE, Bursts
from desk.feeds.synthetic.universe import Universe
from desk.model.units import SECOND_NS


@pytest.mark.parametrize("symbols", [1, 50, 1_000])
def test_bursts_are_their_share_of_all_events(symbols: int) -> None:
    rng = np.random.default_rng(5)
    bursts = Bursts(Universe.draw(symbols, rng))
    usual_rate, span_ns, spans = 40.0, 100 * SECOND_NS, 400

    extra = sum(len(bursts.arrivals(number * span_ns, span_ns, usual_rate, rng)) for number in range(spans))

    usual = usual_rate * spans * span_ns / SECOND_NS
    assert extra / (usual + extra) == pytest.approx(BURST_SHARE, rel=0.1)


def test_events_come_in_the_span_in_which_they_happen() -> None:
    rng = np.random.default_rng(6)
    bursts = Bursts(Universe.draw(20, rng))
    span_ns = SECOND_NS // 2

    for number in range(400):
        at_ns = bursts.arrivals(number * span_ns, span_ns, 500.0, rng)["at_ns"]

        assert np.all((at_ns >= number * span_ns) & (at_ns < (number + 1) * span_ns))


def test_a_burst_pushes_its_symbol_and_lasts_longer_than_a_span() -> None:
    rng = np.random.default_rng(7)
    bursts = Bursts(Universe.draw(20, rng))
    span_ns = SECOND_NS // 5

    events = np.concatenate([bursts.arrivals(number * span_ns, span_ns, 500.0, rng) for number in range(1_500)])
    each, sizes = np.unique(events["push"], return_counts=True)
    longest = each[np.argmax(sizes)]
    seconds = events["at_ns"][events["push"] == longest] / SECOND_NS

    assert np.all(events["push"] != 0.0)
    assert np.unique(events["symbol"][events["push"] == longest]).size == 1
    assert 0.2 < np.ptp(seconds) <= 3.0
