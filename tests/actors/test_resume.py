"""A run whose driver was killed resumes from its last saved state, with the results of an undisturbed run."""

import signal
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from desk_process import RunningDesk, assert_accounts_hold, assert_same_results
from session_ray import RayHead, clean_environment
from slice_plans import minute_ns


@pytest.mark.ray
@pytest.mark.parametrize(
    "where", ["in a cluster that stays", pytest.param("on a Ray of its own", marks=pytest.mark.trial)]
)
def test_a_run_whose_driver_was_killed_continues_to_the_same_end(
    where: str, ray_head: RayHead, slice_plan: Path, undisturbed: Path, tmp_path: Path
) -> None:
    stays = where == "in a cluster that stays"
    environment = ray_head.environment if stays else clean_environment()
    flags = ["--address", ray_head.address] if stays else []
    with closing(RunningDesk(slice_plan, tmp_path / "run", environment, *flags)) as desk:
        desk.wait_for_mark(minute_ns(5))
        desk.process.kill()
        assert desk.finish()[0] < 0

    with closing(RunningDesk.resumed(tmp_path / "run", environment, *flags)) as again:
        status, _, err = again.finish()

        assert status == 0, err
        summary = again.summary()
        assert_accounts_hold(summary)
        assert [consumer["restarts"] for consumer in summary["consumers"]] == [0, 0]
        assert_same_results(again.run_dir, undisturbed)


@pytest.mark.ray
@pytest.mark.trial
def test_a_resuming_desk_may_die_before_it_has_begun_and_lose_actors_after(
    ray_head: RayHead, slice_plan: Path, undisturbed: Path, tmp_path: Path
) -> None:
    flags = ["--address", ray_head.address]
    with closing(RunningDesk(slice_plan, tmp_path / "run", ray_head.environment, *flags)) as desk:
        desk.wait_for_mark(minute_ns(3))
        desk.process.kill()
        desk.finish()
    with closing(RunningDesk.resumed(tmp_path / "run", ray_head.environment, *flags)) as second:
        second.pids()
        second.process.kill()
        second.finish()

    with closing(RunningDesk.resumed(tmp_path / "run", ray_head.environment, *flags)) as third:
        third.wait_for_mark(minute_ns(7))
        third.kill("producer")
        third.kill("consumer-01")
        status, _, err = third.finish()

        assert status == 0, err
        assert_accounts_hold(third.summary())
        assert_same_results(third.run_dir, undisturbed)


def test_a_run_in_one_process_continues_to_the_same_end_however_often_it_is_killed(
    slice_plan: Path, undisturbed: Path, tmp_path: Path
) -> None:
    environment = clean_environment()
    with closing(RunningDesk(slice_plan, tmp_path / "run", environment, "--in-process")) as desk:
        desk.wait_for_mark(minute_ns(2))
        desk.process.kill()
        assert desk.finish()[0] < 0
    with closing(RunningDesk.resumed(tmp_path / "run", environment)) as second:
        second.wait_for_mark(minute_ns(6))
        second.process.kill()
        assert second.finish()[0] < 0

    with closing(RunningDesk.resumed(tmp_path / "run", environment)) as third:
        status, _, err = third.finish()

        assert status == 0, err
        summary = third.summary()
        assert summary["in_process"]
        assert_accounts_hold(summary)
        assert_same_results(third.run_dir, undisturbed)


def test_a_run_that_was_stopped_and_killed_while_it_closed_is_not_over(
    slice_plan: Path, undisturbed: Path, tmp_path: Path
) -> None:
    environment = clean_environment()
    with closing(RunningDesk(slice_plan, tmp_path / "run", environment, "--in-process")) as desk:
        desk.wait_for_mark(minute_ns(3))
        book = sqlite3.connect(f"file:{desk.run_dir / 'ledger.db'}?mode=ro", uri=True)
        with closing(book):
            desk.process.send_signal(signal.SIGTERM)
            while not desk.ended and not book.execute("SELECT 1 FROM notes WHERE name = 'closing'").fetchone():
                pass  # the close takes milliseconds
            desk.process.kill()
        status, _, err = desk.finish()
        assert status == -signal.SIGKILL, err

    with closing(RunningDesk.resumed(tmp_path / "run", environment)) as again:
        status, _, err = again.finish()

        assert status == 0, err
        summary = again.summary()
        assert_accounts_hold(summary)
        assert any("its close was undone" in warning for warning in summary["warnings"])
        assert_same_results(again.run_dir, undisturbed)


def test_a_finished_run_is_not_resumed(undisturbed: Path) -> None:
    before = {path.name: path.stat().st_mtime_ns for path in undisturbed.iterdir()}

    with closing(RunningDesk.resumed(undisturbed, clean_environment())) as desk:
        status, _, err = desk.finish()

    assert status == 2
    assert err.splitlines() == [
        f"error: {undisturbed}: no run to go on with",
        "  expected: the folder of a run that was broken off: a finished one has no resume.json",
        "  remedy:   Name that folder, or run the plan anew.",
    ]
    assert {path.name: path.stat().st_mtime_ns for path in undisturbed.iterdir()} == before


@pytest.mark.parametrize("there", [True, False], ids=["empty", "absent"])
def test_in_an_empty_folder_there_is_nothing_to_resume(there: bool, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    if there:
        folder.mkdir()

    with closing(RunningDesk.resumed(folder, clean_environment())) as desk:
        status, _, err = desk.finish()

    assert status == 2
    assert err.splitlines()[0] == f"error: {folder}: no run to go on with"
    assert folder.exists() == there
    assert not there or not list(folder.iterdir())
