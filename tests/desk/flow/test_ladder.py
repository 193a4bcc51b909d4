"""The overload ladder climbs step by step while data grow old, and descends only after they stayed fresh."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from desk.flow.ladder import CALM, CONFLATE, HOLD, SHED, THIN, LadderConfig, OverloadLadder
from desk.model.units import MS_NS, SECOND_NS

CONFIG = LadderConfig.of(SECOND_NS, 10 * SECOND_NS)
STEP_NS = 100 * MS_NS


def rungs(ladder: OverloadLadder, ages_ms: list[int]) -> list[int]:
    """The rung after each age, observed every 100 ms."""
    found = []
    for i, age_ms in enumerate(ages_ms):
        ladder.observe(age_ms * MS_NS, (i + 1) * STEP_NS + SECOND_NS)
        found.append(ladder.rung)
    return found


def test_each_rung_has_time_to_help_before_the_next_is_climbed() -> None:
    ladder = OverloadLadder(CONFIG)

    climbed = rungs(ladder, [20_000] * 8)

    assert climbed == [1, 1, 2, 2, 3, 3, 4, 4]


def test_an_age_between_two_rungs_keeps_the_ladder_where_it_is() -> None:
    ladder = OverloadLadder(CONFIG)

    held = rungs(ladder, [300, *[200] * 50])

    assert set(held) == {1}


def test_it_descends_one_rung_per_calm_second() -> None:
    ladder = OverloadLadder(CONFIG)
    rungs(ladder, [20_000] * 8)

    left = [rung for rung in rungs(ladder, [5] * 45) if rung]

    assert left == sorted(left, reverse=True)
    assert ladder.rung == CALM
    assert [left.count(rung) for rung in (3, 2, 1)] == [10, 10, 10]


def test_a_single_old_tick_starts_the_calm_second_anew() -> None:
    ladder = OverloadLadder(CONFIG)
    rungs(ladder, [300])

    held = rungs(ladder, [5, 5, 5, 5, 5, 5, 5, 5, 200, 5, 5, 5, 5, 5, 5, 5, 5])

    assert set(held) == {1}


def test_a_step_tells_its_rungs_and_its_age() -> None:
    step = OverloadLadder(CONFIG).observe(251 * MS_NS, SECOND_NS)

    assert step is not None
    assert str(step) == ("overload ladder climbed to 1 (conflate quotes) from 0 at a data age of 251 ms")


@given(st.lists(st.integers(0, 20_000), max_size=200))
def test_whatever_the_ages_it_moves_one_rung_at_a_time_within_its_bounds(ages_ms: list[int]) -> None:
    found = [CALM, *rungs(OverloadLadder(CONFIG), ages_ms)]

    assert all(CALM <= rung <= HOLD for rung in found)
    assert all(abs(after - before) <= 1 for before, after in pairwise(found))


@given(st.integers(0, 124), st.integers(0, 60))
def test_no_constant_age_makes_it_go_up_and_down(age_ms: int, more: int) -> None:
    ladder = OverloadLadder(CONFIG)
    rungs(ladder, [20_000] * 5)

    found = rungs(ladder, [age_ms] * (60 + more))

    assert found == sorted(found, reverse=True)


def test_a_venue_that_finds_the_desk_too_slow_pushes_it_up_and_holds_it_there() -> None:
    ladder = OverloadLadder(CONFIG)
    now_ns = 100 * SECOND_NS

    steps = [ladder.push(0, now_ns + number * SECOND_NS) for number in range(5)]
    held = [ladder.observe(0, now_ns + seconds * SECOND_NS) for seconds in range(5, 34)]
    later = [ladder.observe(0, now_ns + seconds * SECOND_NS) for seconds in range(34, 60)]

    assert [step.after for step in steps if step is not None] == [CONFLATE, THIN, SHED]
    assert str(steps[0]).endswith("because the venue found the desk too slow, at a data age of 0 ms")
    assert held == [None] * 29
    assert ladder.rung == CALM
    assert [step.after for step in later if step is not None] == [THIN, CONFLATE, CALM]
