"""A load that is constant, or varies around a threshold, does not change the number of consumers.

Why changes are few. Let L be the load over `target_busy`, with noise within 0.9 and 1.1. More than n are asked for
only where 1.1 L > n. Fewer, m, are enough only if all readings of the delay are below 0.8 m, which takes 0.9 L < 0.8 m;
then 1.1 L < m, and the load never asks for more again. So all steps up come before all steps down, and there are no
more of them than numbers between the first and 1.1 L / 0.8. Steps for the sake of time in queue are never taken
back under the load with which they were made, and come at ever longer intervals where they do not help.
"""

from itertools import pairwise

import pytest
from curves import constant, noisy, sine
from examples import examples
from hypothesis import given
from hypothesis import strategies as st
from steady_desk import answers

from desk.model.units import MS_NS
from desk.scaling import ScalingPolicy

POLICY = ScalingPolicy(1, 8, 50 * MS_NS)
HOUR_S = 3600
TEN_MINUTES_S = 600

anywhere = st.floats(0.05, 5.5)
at_a_threshold = st.builds(
    lambda number, busy, noise: number * busy / noise,
    st.integers(1, 8),
    st.sampled_from([0.6, 0.48]),
    st.sampled_from([0.9, 1.0, 1.1]),
)
loads = anywhere | at_a_threshold


def changes(asked: list[int], working: int) -> list[int]:
    """At which seconds the number changed."""
    return [second for second, (before, after) in enumerate(pairwise([working, *asked])) if before != after]


@given(
    load=loads,
    working=st.integers(1, 8),
    overhead=st.just(0.0) | st.floats(0, 0.3),
    limit=st.floats(0.15, 1.2),
    power=st.sampled_from([0, 1, 3]),
    seed=st.integers(0, 2**32),
)
@examples(20)
def test_a_load_that_hovers_changes_the_number_a_few_times_and_then_hardly_ever(
    load: float, working: int, overhead: float, limit: float, power: int, seed: int
) -> None:
    def waits(busy: float) -> float:
        """At its objective when the shard is busy at `limit`, or always."""
        return 0.05 * (busy / limit) ** power

    asked = answers(
        POLICY, constant(load), HOUR_S, waits=waits, working=working, overhead=overhead, noise=0.1, seed=seed
    )

    when = changes(asked, working)
    assert len(when) <= 8
    assert sum(second > TEN_MINUTES_S for second in when) <= 2


@given(load=loads, working=st.integers(1, 8), seed=st.integers(0, 2**32))
@examples(40)
def test_by_load_alone_all_steps_up_come_before_all_steps_down(load: float, working: int, seed: int) -> None:
    asked = answers(POLICY, constant(load), TEN_MINUTES_S, working=working, noise=0.1, seed=seed)

    ups = [after > before for before, after in pairwise([working, *asked]) if before != after]
    assert ups == sorted(ups, reverse=True)


@given(load=st.floats(0.05, 4.3), working=st.integers(1, 8), seed=st.integers(0, 2**32))
@examples(40)
def test_whatever_it_began_with_the_number_ends_where_the_load_needs_it(load: float, working: int, seed: int) -> None:
    last = answers(POLICY, constant(load), TEN_MINUTES_S, working=working, noise=0.1, seed=seed)[-1]

    assert load / last <= 0.6 / 0.9
    assert last == 1 or load / (last - 1) >= 0.48 / 1.1


@pytest.mark.parametrize("noise", [0.0, 0.1])
def test_a_day_that_swells_and_ebbs_is_followed_one_by_one(noise: float) -> None:
    day_s = 23_400
    load = sine(0.3, 4.6, day_s)

    asked = answers(POLICY, noisy(load, seed=5, noise=noise), day_s)

    steps = [after - before for before, after in pairwise(asked) if before != after]
    assert steps == [1] * 7 + [-1] * 7
    assert all(load(second) <= 0.63 * number for second, number in enumerate(asked))
