"""The true demand on a saturated shard follows from the growth of its wait."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from desk.model.units import SECOND_NS
from desk.scaling.demand import demand, demand_ratio, recovers_in_time, wait_growth


def wait_s(load: float, at_s: float, backlog_s: float = 0.0) -> float:
    """How long who is taken up at this time has waited: work is done in order, and `load` comes each second."""
    came_s = (at_s - backlog_s) / load
    return at_s - came_s


@given(st.floats(1.05, 3.9), st.floats(1, 60), st.floats(0.5, 5))
def test_a_growing_wait_tells_how_much_more_is_asked_than_done(load: float, at_s: float, passed_s: float) -> None:
    before_ns, after_ns = (round(wait_s(load, at) * SECOND_NS) for at in (at_s, at_s + passed_s))

    rising = wait_growth(before_ns, after_ns, 0, round(passed_s * SECOND_NS))

    assert demand_ratio(rising) == pytest.approx(load, rel=1e-3)


@given(st.floats(0.3, 0.95), st.floats(10, 60))
def test_a_draining_queue_tells_how_little_is_asked(load: float, backlog_s: float) -> None:
    before_ns, after_ns = (round(wait_s(load, at, backlog_s) * SECOND_NS) for at in (backlog_s, backlog_s + 0.01))

    rising = wait_growth(before_ns, after_ns, 0, SECOND_NS // 100)

    assert demand_ratio(rising) == pytest.approx(load, rel=1e-3)


def test_the_steepest_rise_is_taken_for_four_times_what_is_done() -> None:
    assert demand_ratio(5.0) == 4.0


def test_a_wait_that_changes_within_noise_or_is_unknown_does_not_rise() -> None:
    assert wait_growth(100, 150, 50, SECOND_NS) == 0
    assert wait_growth(150, 100, 50, SECOND_NS) == 0
    assert wait_growth(None, 10**9, 50, SECOND_NS) == 0
    assert wait_growth(10**9, None, 50, SECOND_NS) == 0
    assert wait_growth(0, 10**9, 50, 0) == 0


def test_only_saturated_shards_hide_anything() -> None:
    assert demand([1.0, 0.5, 0.84], 2.0) == pytest.approx(3.34)


def test_a_wait_heals_that_falls_below_its_objective_in_time() -> None:
    assert recovers_in_time(SECOND_NS, -0.5, SECOND_NS // 20, within_s=2.0)
    assert not recovers_in_time(SECOND_NS, -0.4, SECOND_NS // 20, within_s=2.0)
    assert not recovers_in_time(SECOND_NS // 100, 0.0, SECOND_NS // 20, within_s=2.0)
