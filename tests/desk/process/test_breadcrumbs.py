import os
import resource
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from desk.process import breadcrumbs
from desk.process.breadcrumbs import Breadcrumb, BreadcrumbTrail, read_breadcrumb, remove_trail, remove_trails
from desk.telemetry.breadcrumb_port import AT, CALL, CODES

DESK = f"raydesk-test-{os.getpid()}"


@pytest.fixture(params=["shared memory", "no shared memory"])
def trail(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[BreadcrumbTrail]:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    if request.param == "no shared memory":
        monkeypatch.setattr(breadcrumbs, "SHARED_MEMORY", tmp_path / "absent")
    yield BreadcrumbTrail.create(DESK, "consumer-03", 7)
    remove_trails(DESK)


def test_the_call_under_way_is_seen_from_outside_with_its_names(trail: BreadcrumbTrail) -> None:
    trail.register("first", "A")
    second = trail.register("second", "B,\n1")
    trail.batch()

    trail.cells[AT] = 42
    trail.cells[CALL] = second + CODES["on_trade"]

    crumb = read_breadcrumb(DESK, "consumer-03", 7)
    assert crumb == Breadcrumb("second", "B,\n1", "on_trade", 42, 1)
    assert str(crumb) == "on_trade of second on B,\n1"


def test_outside_of_strategies_only_batches_are_reported(trail: BreadcrumbTrail) -> None:
    first = trail.register("first", "A")
    trail.cells[CALL] = first
    trail.cells[CALL] = 0
    trail.batch()
    trail.batch()

    assert read_breadcrumb(DESK, "consumer-03", 7) == Breadcrumb(batches=2)


def test_what_a_killed_process_left_is_there_until_it_is_removed(trail: BreadcrumbTrail) -> None:
    child = os.fork()
    if not child:
        other = BreadcrumbTrail.create(DESK, "consumer-03", 8)
        other.cells[CALL] = other.register("s", "A") + CODES["on_bar"]
        os._exit(1)
    os.waitpid(child, 0)

    left = read_breadcrumb(DESK, "consumer-03", 8)
    remove_trail(DESK, "consumer-03", 8)

    assert left == Breadcrumb("s", "A", "on_bar")
    assert read_breadcrumb(DESK, "consumer-03", 8) is None
    assert read_breadcrumb(DESK, "consumer-03", 7) == Breadcrumb()


def test_a_trail_that_nobody_laid_or_that_is_removed_is_none(trail: BreadcrumbTrail) -> None:
    remove_trails(DESK)
    trail.batch()

    assert read_breadcrumb(DESK, "consumer-03", 7) is None
    assert read_breadcrumb(DESK, "consumer-04", 7) is None
    remove_trail(DESK, "consumer-04", 7)
    remove_trails(DESK)


def test_where_shared_memory_is_full_the_trail_is_laid_elsewhere(
    trail: BreadcrumbTrail, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = tmp_path / "full"
    full.mkdir()
    (full / DESK).touch()  # where a folder should be: as little can be written there as in a full file system
    monkeypatch.setattr(breadcrumbs, "SHARED_MEMORY", full)

    BreadcrumbTrail.create(DESK, "consumer-05", 1).batch()

    assert read_breadcrumb(DESK, "consumer-05", 1) == Breadcrumb(batches=1)
    assert (tmp_path / DESK / "consumer-05-1.crumbs").exists()


def test_without_room_for_names_no_strategy_is_distinguished(trail: BreadcrumbTrail) -> None:
    first = trail.register("s", "A")
    child = os.fork()
    if not child:
        resource.setrlimit(resource.RLIMIT_FSIZE, (5, 5))
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        os._exit(trail.register("s", "B") == trail.register("s", "C") == 0)
    _, status = os.waitpid(child, 0)
    trail.cells[CALL] = first

    assert os.waitstatus_to_exitcode(status) == 1
    assert read_breadcrumb(DESK, "consumer-03", 7) == Breadcrumb("s", "A", "on_second")


def test_who_is_to_make_room_is_called_when_a_strategy_had_no_more_memory(trail: BreadcrumbTrail) -> None:
    calls: list[int] = []

    trail.on_memory_exhausted()
    trail.when_exhausted(lambda: calls.append(1))
    trail.on_memory_exhausted()

    assert calls == [1]
