"""A consumer that hangs: when it is killed, and which strategy is stopped. Without Ray, on prepared breadcrumbs."""

import logging
import os
from collections.abc import Iterator
from typing import Any

import pytest

from actors.driver.watchdog import MOST_STEP_S, OUTSIDE, START_S, Watchdog
from desk.model.items import Stop
from desk.process import breadcrumbs
from desk.process.breadcrumbs import BreadcrumbTrail
from desk.telemetry.breadcrumb_port import AT, CALL, CODES

DESK = f"raydesk-watchdog-{os.getpid()}"
HANG_S = 2.0
SHARD = "consumer-00"


class Elsewhere:
    """Other nodes, where everything is as here."""

    def __init__(self) -> None:
        self.far: list[Any] = []

    def __call__(self, function: Any, *args: Any) -> list[Any]:
        return self.far


@pytest.fixture
def elsewhere() -> Elsewhere:
    return Elsewhere()


@pytest.fixture
def dog(elsewhere: Elsewhere) -> Iterator[Watchdog]:
    dog = Watchdog(DESK, HANG_S, logging.getLogger("watchdog"), elsewhere)
    yield dog
    dog.close()


def begun(dog: Watchdog, epoch: int = 1) -> tuple[BreadcrumbTrail, int]:
    dog.begins(SHARD, epoch)
    trail = BreadcrumbTrail.create(DESK, SHARD, epoch)
    return trail, trail.register("s", "A")


def looks(dog: Watchdog, first_s: float, last_s: float) -> list[str]:
    """Look every half second; what was found."""
    steps = range(int(first_s * 2), int(last_s * 2) + 1)
    return [fault.found for step in steps for _, fault in dog.hanging([SHARD], step / 2)]


def test_one_call_that_does_not_end_hangs_and_its_strategy_is_stopped(dog: Watchdog) -> None:
    trail, crumb = begun(dog)
    trail.cells[CALL] = crumb

    found = looks(dog, 0, 2)
    stopped = dog.died(SHARD)

    assert found == ["it has made no progress for 2.0 s, in on_second of s on A"]
    assert stopped
    assert dog.begins(SHARD, 2) == (Stop("s", "A", "no progress for 2 s in on_second"),)
    assert breadcrumbs.read_breadcrumb(DESK, SHARD, 1) is None


def test_many_calls_in_one_batch_do_not_hang(dog: Watchdog) -> None:
    trail, crumb = begun(dog)
    trail.cells[CALL] = crumb

    for second in range(20):
        trail.cells[AT] = second
        assert looks(dog, second, second + 0.5) == []


def test_who_answers_meanwhile_does_not_hang(dog: Watchdog) -> None:
    trail, crumb = begun(dog)
    trail.cells[CALL] = crumb

    assert looks(dog, 0, 1.5) == []
    assert dog.hanging([], 2.0) == []
    assert looks(dog, 2.5, 4) == []


def test_a_watchdog_that_did_not_look_accuses_no_strategy(dog: Watchdog) -> None:
    trail, crumb = begun(dog)
    trail.cells[CALL] = crumb

    assert dog.hanging([SHARD], 0.0) == []
    assert dog.hanging([SHARD], 1000.0) == []
    assert len(dog.hanging([SHARD], 1000.0 + MOST_STEP_S)) == 1


def test_outside_of_strategies_there_is_more_time_and_no_strategy_is_stopped(dog: Watchdog) -> None:
    begun(dog)

    assert looks(dog, 0, HANG_S * OUTSIDE - 0.5) == []
    assert looks(dog, HANG_S * OUTSIDE, HANG_S * OUTSIDE) == [
        "it has made no progress for 12.0 s, outside of strategies"
    ]
    assert not dog.died(SHARD)
    assert dog.begins(SHARD, 2) == ()


def test_one_that_has_laid_no_trail_is_still_starting(dog: Watchdog) -> None:
    dog.begins(SHARD, 1)

    assert looks(dog, 0, START_S - 0.5) == []
    assert looks(dog, START_S, START_S) == ["it has made no progress for 120.0 s, outside of strategies"]
    assert not dog.died(SHARD)


def test_dying_in_the_same_call_life_after_life_stops_the_strategy(dog: Watchdog) -> None:
    stopped = []
    for epoch in (1, 2, 3):
        trail, crumb = begun(dog, epoch)
        trail.cells[AT] = 17
        trail.cells[CALL] = crumb + CODES["on_trade"]
        stopped.append(dog.died(SHARD))

    assert stopped == [False, False, True]
    assert dog.begins(SHARD, 4) == (Stop("s", "A", "its process died 3 times in a row in on_trade (at 17)"),)


@pytest.mark.parametrize("between", ["another call", "no call"])
def test_dying_in_different_calls_is_chance(between: str, dog: Watchdog) -> None:
    for epoch, at in ((1, 17), (2, 17), (3, 18), (4, 17), (5, 17)):
        trail, crumb = begun(dog, epoch)
        trail.cells[AT] = at
        trail.cells[CALL] = 0 if at == 18 and between == "no call" else crumb + CODES["on_trade"]

        assert not dog.died(SHARD)

    assert dog.begins(SHARD, 6) == ()


def test_a_trail_on_another_node_is_read_there(dog: Watchdog, elsewhere: Elsewhere) -> None:
    dog.begins(SHARD, 1)
    elsewhere.far = [None, breadcrumbs.Breadcrumb("s", "A", "on_bar", 1)]

    found = looks(dog, 0, 2)

    assert found == ["it has made no progress for 2.0 s, in on_bar of s on A"]
    assert dog.died(SHARD)


def test_leftovers_of_a_desk_that_was_killed_are_removed(dog: Watchdog, elsewhere: Elsewhere) -> None:
    begun(dog)

    Watchdog(DESK, HANG_S, logging.getLogger("watchdog"), elsewhere)

    assert breadcrumbs.read_breadcrumb(DESK, SHARD, 1) is None
