import os
import resource
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from desk.process import breadcrumbs
from desk.process.breadcrumbs import Crumb, Trail, look, remove, remove_all
from desk.telemetry.crumbs import AT, CALL, CODES

DESK = f"raydesk-test-{os.getpid()}"


@pytest.fixture(params=["shared memory", "no shared memory"])
def trail(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Trail]:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    if request.param == "no shared memory":
        monkeypatch.setattr(breadcrumbs, "SHARED_MEMORY", tmp_path / "absent")
    yield Trail.lay(DESK, "consumer-03", 7)
    remove_all(DESK)


def test_the_call_under_way_is_seen_from_outside_with_its_names(trail: Trail) -> None:
    trail.meet("first", "A")
    second = trail.meet("second", "B,\n1")
    trail.batch()

    trail.cells[AT] = 42
    trail.cells[CALL] = second + CODES["on_trade"]

    crumb = look(DESK, "consumer-03", 7)
    assert crumb == Crumb("second", "B,\n1", "on_trade", 42, 1)
    assert str(crumb) == "on_trade of second on B,\n1"


def test_outside_of_strategies_only_batches_are_told(trail: Trail) -> None:
    first = trail.meet("first", "A")
    trail.cells[CALL] = first
    trail.cells[CALL] = 0
    trail.batch()
    trail.batch()

    assert look(DESK, "consumer-03", 7) == Crumb(batches=2)


def test_what_a_killed_process_left_is_there_until_it_is_removed(trail: Trail) -> None:
    child = os.fork()
    if not child:
        other = Trail.lay(DESK, "consumer-03", 8)
        other.cells[CALL] = other.meet("s", "A") + CODES["on_bar"]
        os._exit(1)
    os.waitpid(child, 0)

    left = look(DESK, "consumer-03", 8)
    remove(DESK, "consumer-03", 8)

    assert left == Crumb("s", "A", "on_bar")
    assert look(DESK, "consumer-03", 8) is None
    assert look(DESK, "consumer-03", 7) == Crumb()


def test_a_trail_that_nobody_laid_or_that_is_removed_is_none(trail: Trail) -> None:
    remove_all(DESK)
    trail.batch()

    assert look(DESK, "consumer-03", 7) is None
    assert look(DESK, "consumer-04", 7) is None
    remove(DESK, "consumer-04", 7)
    remove_all(DESK)


def test_where_shared_memory_is_full_the_trail_is_laid_elsewhere(
    trail: Trail, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = tmp_path / "full"
    full.mkdir()
    (full / DESK).touch()  # where a folder should be: as little can be written there as in a full file system
    monkeypatch.setattr(breadcrumbs, "SHARED_MEMORY", full)

    Trail.lay(DESK, "consumer-05", 1).batch()

    assert look(DESK, "consumer-05", 1) == Crumb(batches=1)
    assert (tmp_path / DESK / "consumer-05-1.crumbs").exists()


def test_without_room_for_names_nobody_is_told_apart(trail: Trail) -> None:
    first = trail.meet("s", "A")
    child = os.fork()
    if not child:
        resource.setrlimit(resource.RLIMIT_FSIZE, (5, 5))
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        os._exit(trail.meet("s", "B") == trail.meet("s", "C") == 0)
    _, status = os.waitpid(child, 0)
    trail.cells[CALL] = first

    assert os.waitstatus_to_exitcode(status) == 1
    assert look(DESK, "consumer-03", 7) == Crumb("s", "A", "on_second")


def test_who_is_to_make_room_is_called_when_a_strategy_had_no_more_memory(trail: Trail) -> None:
    calls: list[int] = []

    trail.exhausted()
    trail.when_exhausted(lambda: calls.append(1))
    trail.exhausted()

    assert calls == [1]
