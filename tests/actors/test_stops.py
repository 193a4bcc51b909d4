"""A desk stops in any phase, by any signal, and after deaths: the session is closed, and no process remains."""

import os
import signal
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from desk_process import RunningDesk
from random_stops import LOCKSTEP, PACED, stop_many
from session_ray import RayHead, clean_environment, wait_until

from desk.model.errors import BY_SIGNAL
from desk.process.signals import SIGNALS

pytestmark = pytest.mark.ray

END_S = 60.0
MARK = "RAYDESK_TEST_DESK"


def each(quick: int) -> list[Any]:
    """Every signal; others than `quick` in trials alone, since one mechanism serves all."""
    return [pytest.param(number, marks=() if number == quick else pytest.mark.trial) for number in SIGNALS]


@pytest.fixture
def paced(tmp_path: Path) -> Path:
    plan = tmp_path / "paced.toml"
    plan.write_text(PACED)
    return plan


@pytest.fixture
def marked() -> Iterator[dict[str, str]]:
    """An environment in which every process that a desk starts can be found, and every folder."""
    with tempfile.TemporaryDirectory(prefix="t-", dir="/tmp") as folder:  # sockets below it: its name has to be short
        yield clean_environment() | {MARK: uuid4().hex, "TMPDIR": folder}


def test_ten_stops_at_random_moments_are_balanced(ray_head: RayHead, paced: Path, tmp_path: Path) -> None:
    lockstep = tmp_path / "lockstep.toml"
    lockstep.write_text(LOCKSTEP)

    stops = stop_many(list(range(10)), {"paced": paced, "lockstep": lockstep}, tmp_path, ray_head, mixed=True)

    assert [str(stop) for stop in stops if stop.fault] == []


def test_an_actor_that_dies_right_after_its_first_answer_is_replaced(
    ray_head: RayHead, paced: Path, tmp_path: Path
) -> None:
    victims = ("keeper", "ledger", "consumer-00", "scanner", "broker")
    with closing(RunningDesk(paced, tmp_path / "run", ray_head.environment, "--address", ray_head.address)) as desk:
        for victim in victims:
            wait_until(lambda name=victim: name in desk.started() or desk.ended, END_S, f"{victim}'s first answer")
            os.kill(desk.started()[victim][0], signal.SIGKILL)
        desk.wait_for_ticks()

        desk.process.send_signal(signal.SIGTERM)
        status, _, err = desk.finish()

    assert status == 0, err
    assert desk.summary()["balanced"]
    assert {name: len(pids) for name, pids in desk.started().items() if name in victims} == dict.fromkeys(victims, 2)


@pytest.mark.parametrize("number", each(signal.SIGHUP))
def test_a_signal_while_ray_starts_leaves_nothing(
    number: int, paced: Path, marked: dict[str, str], tmp_path: Path
) -> None:
    with closing(RunningDesk(paced, tmp_path / "run", marked)) as desk:
        wait_until(lambda: len(list(processes(marked[MARK]))) > 1 and in_folder(desk), END_S, "the start of Ray")

        desk.process.send_signal(number)
        status, out, err = desk.finish()

        assert status == BY_SIGNAL + number, err
        assert out.strip().splitlines()[-1].startswith("stopped")
        assert not (desk.run_dir / "resume.json").exists()
        assert_nothing_left(marked)


@pytest.mark.parametrize("number", each(signal.SIGQUIT))
def test_a_signal_while_actors_are_made_closes_the_session(
    number: int, ray_head: RayHead, paced: Path, tmp_path: Path
) -> None:
    with closing(RunningDesk(paced, tmp_path / "run", ray_head.environment, "--address", ray_head.address)) as desk:
        wait_until(lambda: bool(desk.started()) or desk.ended, END_S, "the first actor's answer")

        desk.process.send_signal(number)
        status, out, err = desk.finish()

    if "producer" in desk.started():
        assert status in {0, BY_SIGNAL + number}, err
    else:
        assert status == BY_SIGNAL + number, err
        assert out.strip().splitlines()[-1].startswith("stopped")
    assert desk.summary()["balanced"]
    assert not (desk.run_dir / "resume.json").exists()


@pytest.mark.parametrize("number", each(signal.SIGQUIT))
def test_a_signal_of_the_terminal_reaches_no_process_of_ray(
    number: int, paced: Path, marked: dict[str, str], tmp_path: Path
) -> None:
    with closing(RunningDesk(paced, tmp_path / "run", marked)) as desk:
        desk.wait_for_ticks()

        os.killpg(desk.process.pid, number)
        status, out, err = desk.finish()

        assert status == 0, err
        assert out.strip().splitlines()[-1].startswith("ok · balanced")
        assert [len(pids) for pids in desk.started().values()] == [1] * len(desk.started())
        assert_nothing_left(marked)


def test_a_second_signal_ends_every_process(paced: Path, marked: dict[str, str], tmp_path: Path) -> None:
    with closing(RunningDesk(paced, tmp_path / "run", marked)) as desk:
        actors = desk.pids()
        os.kill(actors["consumer-00"], signal.SIGSTOP)  # the drain does not end

        desk.process.send_signal(signal.SIGTERM)
        wait_until(lambda: "stop" in desk.log(), END_S, "the stop")
        desk.process.send_signal(signal.SIGHUP)
        status, _, err = desk.finish()

        assert status == BY_SIGNAL + signal.SIGHUP, err
        assert_nothing_left(marked)


@pytest.mark.trial
def test_a_drain_that_does_not_end_is_given_up_after_a_minute(
    paced: Path, marked: dict[str, str], tmp_path: Path
) -> None:
    with closing(RunningDesk(paced, tmp_path / "run", marked)) as desk:
        desk.wait_for_ticks()
        os.kill(desk.pids()["producer"], signal.SIGSTOP)

        desk.process.send_signal(signal.SIGTERM)
        status, out, err = desk.finish()

        assert status == 1, err
        assert "its books were not closed within 60 s" in err
        assert out.strip().splitlines()[-1].startswith("failed")
        assert any("its books were not closed" in problem for problem in desk.summary()["problems"])
        assert (desk.run_dir / "resume.json").exists()
        assert_nothing_left(marked)


@pytest.mark.parametrize("number", each(signal.SIGTERM))
def test_a_signal_after_the_results_are_written_changes_nothing(
    number: int, ray_head: RayHead, paced: Path, tmp_path: Path
) -> None:
    paced.write_text(PACED.replace("minutes = 390", "minutes = 1").replace("speed = 5.0", "speed = 60.0"))
    with closing(RunningDesk(paced, tmp_path / "run", ray_head.environment, "--address", ray_head.address)) as desk:
        wait_until(lambda: (desk.run_dir / "summary.json").exists() or desk.ended, END_S, "the end")

        desk.process.send_signal(number)
        status, out, err = desk.finish()

    assert status == 0, err
    assert "balanced" in out.strip().splitlines()[-1]


def in_folder(desk: RunningDesk) -> bool:
    return desk.run_dir.exists()


def processes(mark: str) -> Iterator[int]:
    """The processes with this mark in their environment."""
    for folder in Path("/proc").iterdir():
        try:
            if folder.name.isdigit() and f"{MARK}={mark}".encode() in (folder / "environ").read_bytes():
                yield int(folder.name)
        except OSError:
            continue


def assert_nothing_left(marked: dict[str, str]) -> None:
    wait_until(lambda: not list(processes(marked[MARK])), END_S, "the end of every process")
    assert not list(Path(marked["TMPDIR"]).glob("raydesk-*"))
