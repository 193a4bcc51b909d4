"""Load curves in a closed loop: the time until the objective is met again, and the consumers used."""

from itertools import pairwise

import pytest
from curves import constant, noisy, ramp, steps
from simulated_desk import SimulatedDesk, oracle_s

from desk.model.units import MS_NS
from desk.scaling import ScalingPolicy

POLICY = ScalingPolicy(1, 8, 50 * MS_NS)

seeds = pytest.mark.parametrize("seed", range(3))
starts = pytest.mark.parametrize("start_s", [1.0, 60.0])


@seeds
@starts
def test_four_times_the_load_is_answered_within_seconds_and_let_go_within_minutes(seed: int, start_s: float) -> None:
    load = steps((0, 0.55), (60, 2.2), (300, 0.55))

    desk = SimulatedDesk(POLICY, load, start_s=start_s, seed=seed).run(600)

    up, down, last = desk.changes[0], desk.changes[1], desk.changes[-1]
    assert up[0] <= 64
    assert 4 <= up[1] <= 5
    assert max(desk.missed()) <= 60 + start_s + 12
    assert down[0] <= 300 + 65
    assert last[0] <= 300 + 125
    assert last[1] == 2
    assert len(desk.changes) <= 3
    assert desk.consumer_s <= 1.7 * oracle_s(POLICY, load, 600)


@seeds
@starts
@pytest.mark.parametrize("working", [1, 2])
def test_a_load_for_all_of_them_is_met_in_two_answers(seed: int, start_s: float, working: int) -> None:
    load = steps((0, 0.5 * working), (60, 4.4))

    desk = SimulatedDesk(POLICY, load, working=working, start_s=start_s, seed=seed).run(360)

    assert desk.changes[-1][1] == 8
    assert len(desk.changes) <= 2
    assert max(desk.missed()) <= 60 + start_s + 18


def test_a_ramp_is_climbed_step_by_step_without_ever_missing_the_objective() -> None:
    load = ramp(0.3, 4.5, 60, 360)

    desk = SimulatedDesk(POLICY, load).run(600)

    assert [number for _, number in desk.changes] == [2, 3, 4, 5, 6, 7, 8]
    assert desk.missed() == []
    assert desk.consumer_s <= 1.1 * oracle_s(POLICY, load, 600)


@seeds
def test_a_spike_of_three_seconds_costs_one_step_up_and_few_down(seed: int) -> None:
    desk = SimulatedDesk(POLICY, steps((0, 0.5), (60, 2.0), (63, 0.5)), seed=seed).run(300)

    numbers = [1, *(number for _, number in desk.changes)]
    assert sum(after > before for before, after in pairwise(numbers)) <= 1
    assert sum(after < before for before, after in pairwise(numbers)) <= 2
    assert numbers[-1] <= 2
    assert all(second < 70 for second in desk.missed())


@seeds
@pytest.mark.parametrize("number", [1, 2, 4])
def test_a_load_that_hovers_at_a_threshold_is_left_alone(seed: int, number: int) -> None:
    desk = SimulatedDesk(POLICY, noisy(constant(0.6 * number), seed), working=number, seed=seed).run(900)

    assert len(desk.changes) <= 2
    assert desk.asked[-1] in {number, number + 1}
    assert desk.missed() == []


def test_a_load_beyond_the_most_gets_the_most_and_keeps_it_to_its_end() -> None:
    desk = SimulatedDesk(POLICY, steps((0, 0.5), (60, 12.0), (360, 0.5))).run(480)

    assert max(desk.asked) == 8
    assert desk.asked.count(8) >= 0.9 * sum(60 < reading.now_ns / 1e9 < 360 for reading in desk.readings)
    assert all(before <= after or second > 360 for (_, before), (second, after) in pairwise(desk.changes))
    assert desk.asked[-1] <= 2


def test_one_symbol_that_is_hotter_than_a_shard_does_not_hire_them_all() -> None:
    desk = SimulatedDesk(POLICY, constant(1.4), skew=0.9).run(1200)

    # Two are what the load as a whole asks for, a third as a shard is saturated; then one attempt, and one more.
    assert len(desk.missed()) == len(desk.readings)
    assert max(desk.asked) <= 5
