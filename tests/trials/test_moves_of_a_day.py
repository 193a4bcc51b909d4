"""A whole day with three strategies, 200 slot moves, and process deaths."""

from contextlib import closing
from pathlib import Path

import pytest
from desk_process import RunningDesk, assert_same_results
from random_moves_desk import run_with_random_moves
from session_ray import RayHead, clean_environment
from test_whole_day import STRATEGIES, day_plan

pytestmark = [pytest.mark.trial, pytest.mark.ray]

MOVES = 200
DAY_DEADLINE_S = 1_800
LOST_NOTES = 10
"""So many moves may have gone untold with a producer that died."""


@pytest.fixture(scope="module")
def plan(day_tape: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("day")
    consumers = "[consumers]\ncount = 2\ncpus = 0.5\n"
    return day_plan(folder, day_tape, consumers + STRATEGIES)


@pytest.fixture(scope="module")
def undisturbed(plan: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    run_dir = tmp_path_factory.mktemp("undisturbed") / "run"
    with closing(RunningDesk(plan, run_dir, clean_environment(), "--in-process", deadline_s=DAY_DEADLINE_S)) as desk:
        status, _, err = desk.finish()
    assert status == 0, err
    return run_dir


@pytest.mark.parametrize(
    ("seed", "kills"), [(1, []), (2, ["consumer-00", "producer", "consumer-01", "producer", "consumer-00"])]
)
def test_two_hundred_moves_leave_no_trace(
    seed: int, kills: list[str], ray_head: RayHead, plan: Path, undisturbed: Path, tmp_path: Path
) -> None:
    done = run_with_random_moves(plan, tmp_path / "run", ray_head, MOVES, seed, *kills, deadline_s=DAY_DEADLINE_S)

    assert done.status == 0, done.err
    print(f"\n{len(done.moves)} moves, killed: {', '.join(kills) or 'nobody'}")
    assert len(done.moves) >= MOVES - LOST_NOTES * len(kills)
    assert_same_results(tmp_path / "run", undisturbed)
