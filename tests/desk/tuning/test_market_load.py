from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from desk.model.units import MINUTE_NS, SECOND_NS
from desk.tuning.market_load import BIN_NS, TickRates, burst_factor, minutes_load

START_NS = 1_000 * SECOND_NS


def rates_of(bins: Sequence[int]) -> TickRates:
    rates = TickRates(START_NS)
    rates.add(np.array([START_NS + number * BIN_NS for number in bins], np.int64))
    return rates


def test_the_busiest_window_is_found_wherever_it_begins() -> None:
    rates = rates_of([0, 37, 38, 38, 41, 90])

    peak = rates.busiest(0.5)

    assert peak.per_s == 4 / 0.5
    assert peak.start_ns == START_NS + 37 * BIN_NS


def test_a_window_longer_than_the_market_spreads_the_market_over_it() -> None:
    rates = rates_of([0, 1, 2])

    peak = rates.busiest(10.0)

    assert peak.start_ns == START_NS
    assert peak.per_s == pytest.approx(0.3)


def test_times_beyond_what_was_seen_before_are_taken() -> None:
    rates = TickRates(START_NS)

    for hour in range(5):
        rates.add(np.array([START_NS + hour * 60 * MINUTE_NS], np.int64))

    assert rates.ticks == 5
    assert rates.span_s == pytest.approx(4 * 3600 + 0.1)


@given(bins=st.lists(st.integers(0, 2_000), min_size=1, max_size=60), width=st.integers(1, 50))
def test_no_window_is_busier_than_the_busiest(bins: list[int], width: int) -> None:
    per_s = rates_of(bins).busiest(width / 10).per_s

    most = max(sum(first <= number < first + width for number in bins) for first in bins)
    assert per_s == pytest.approx(most * 10 / width)


@given(bins=st.lists(st.integers(0, 300), min_size=1, max_size=60), ticks=st.integers(1, 80))
def test_a_count_is_reached_at_the_end_of_the_bin_in_which_it_is_full(bins: list[int], ticks: int) -> None:
    reached_ns = rates_of(bins).reached_ns(START_NS, ticks)

    ordered = sorted(bins)
    last = ordered[ticks - 1] if ticks <= len(ordered) else ordered[-1]
    assert reached_ns == START_NS + (last + 1) * BIN_NS


def test_minutes_become_a_burst_by_a_factor_that_is_reported() -> None:
    minutes = {0: {"A": 600, "B": 0}, MINUTE_NS: {"A": 900, "B": 300}}

    load = minutes_load("run", minutes, ["A", "B", "C"], 2.0, 10.0)

    assert load.burst.per_s == pytest.approx(40 * burst_factor(10.0))
    assert load.burst.start_ns == MINUTE_NS
    assert load.second.per_s == pytest.approx(40 * burst_factor(1.0))
    assert load.ticks == 3_600
    assert load.mean_per_s == pytest.approx(30)
    assert load.by_symbol == {"A": 600, "B": 200, "C": 0}
    assert "2.00 times" in load.assumed


def test_a_longer_window_is_never_taken_to_be_busier() -> None:
    factors = [burst_factor(seconds) for seconds in (1, 5, 10, 60, 600)]

    assert factors == sorted(factors, reverse=True)
    assert factors[-1] == pytest.approx(1.0, abs=0.02)
