"""Arrivals of the made-up market."""

import numpy as np
import pytest

from desk.feeds.synthetic.activity import Activity
from desk.feeds.synthetic.universe import Universe
from desk.model.units import SECOND_NS


@pytest.mark.parametrize("bursts", [True, False])
def test_events_are_in_their_span_by_symbol_and_strictly_rising_time(bursts: bool) -> None:
    rng = np.random.default_rng(1)
    activity = Activity(Universe.draw(30, rng), 2_000.0, 40, bursts, rng)
    last = np.full(30, -1)

    for second in range(40):
        arrivals = activity.arrivals(second * SECOND_NS, SECOND_NS, rng)
        at_ns = arrivals.at_ns + second * SECOND_NS

        assert np.all(np.diff(arrivals.symbol) >= 0)
        assert np.all(np.diff(arrivals.at_ns)[np.diff(arrivals.symbol) == 0] > 0)
        assert np.all((arrivals.at_ns >= 0) & (arrivals.at_ns < SECOND_NS))
        assert np.all(at_ns[arrivals.runs.heads] > last[arrivals.runs.symbols])
        last[arrivals.runs.symbols] = at_ns[arrivals.runs.tails]


def test_events_that_would_share_a_time_are_set_apart_across_spans_too() -> None:
    rng = np.random.default_rng(2)
    activity = Activity(Universe.draw(1, rng), 2e9, 1, False, rng)

    first = activity.arrivals(0, 1_000, rng)
    second = activity.arrivals(1_000, 1_000, rng)

    assert np.all(np.diff(first.at_ns) > 0)
    assert np.all(np.diff(second.at_ns) > 0)
    assert first.at_ns[-1] > 1_000
    assert second.at_ns[0] + 1_000 > first.at_ns[-1]


def test_regimes_share_activity_out_but_do_not_add_to_it() -> None:
    rng = np.random.default_rng(3)
    activity = Activity(Universe.draw(100, rng), 1_000.0, 100, False, rng)

    counts = [len(activity.arrivals(second * SECOND_NS, SECOND_NS, rng).symbol) for second in range(100)]

    assert np.mean(counts) == pytest.approx(1_000.0, rel=0.01)
