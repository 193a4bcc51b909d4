"""Slots move while the desk runs, and processes die during moves: the results are those of an undisturbed run."""

import signal
from contextlib import closing
from pathlib import Path

import pytest
from desk_process import RunningDesk, assert_accounts_hold, assert_same_results
from random_moves_desk import run_with_random_moves
from session_ray import RayHead

pytestmark = pytest.mark.ray

MOVES = 30


@pytest.mark.trial
def test_moves_leave_no_trace_in_the_results(
    ray_head: RayHead, slice_plan: Path, undisturbed: Path, tmp_path: Path
) -> None:
    run_dir = tmp_path / "run"

    done = run_with_random_moves(slice_plan, run_dir, ray_head, MOVES, 1)

    assert done.status == 0, done.err
    assert len(done.moves) >= MOVES // 2
    assert_same_results(run_dir, undisturbed)


@pytest.mark.trial
@pytest.mark.parametrize(
    ("seed", "kills"),
    [
        (2, ["consumer-00", "consumer-01"]),
        (3, ["producer"]),
        (4, ["producer", "consumer-01", "producer"]),
    ],
)
def test_moves_that_are_cut_short_by_deaths_leave_no_trace_either(
    seed: int, kills: list[str], ray_head: RayHead, slice_plan: Path, undisturbed: Path, tmp_path: Path
) -> None:
    run_dir = tmp_path / "run"

    done = run_with_random_moves(slice_plan, run_dir, ray_head, MOVES, seed, *kills)

    assert done.status == 0, done.err
    assert done.moves
    assert_same_results(run_dir, undisturbed)


@pytest.mark.trial
def test_a_desk_that_dies_amid_moves_continues_with_them(
    ray_head: RayHead, slice_plan: Path, undisturbed: Path, tmp_path: Path
) -> None:
    run_dir = tmp_path / "run"
    killed = run_with_random_moves(slice_plan, run_dir, ray_head, MOVES, 5, "supervisor")

    desk = RunningDesk.resumed(run_dir, ray_head.environment, "--address", ray_head.address)
    with closing(desk):
        status, _, err = desk.finish()

    assert killed.status == -signal.SIGKILL
    assert status == 0, err
    assert_accounts_hold(desk.summary())
    assert_same_results(run_dir, undisturbed)
