"""Fixtures for tests on Ray: the session's Ray cluster, and 15 minutes of the made-up market."""

from pathlib import Path

import pytest
from desk_process import RunningDesk
from session_ray import clean_environment, ray_head
from slice_plans import ENDLESS, write_slice
from two_jobs import two_jobs

__all__ = ["ray_head", "two_jobs"]


@pytest.fixture(scope="session")
def slice_plan(morning: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lockstep replay with three strategies and a scanner."""
    return write_slice(tmp_path_factory.mktemp("slice") / "slice.toml", morning)


@pytest.fixture(scope="session")
def undisturbed(slice_plan: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run folder of that plan in one process, without deaths."""
    desk = RunningDesk(slice_plan, tmp_path_factory.mktemp("undisturbed") / "run", clean_environment(), "--in-process")
    status, _, err = desk.finish()
    assert status == 0, err
    return desk.run_dir


@pytest.fixture
def endless(tmp_path: Path) -> Path:
    """A session in real time that lasts longer than any test."""
    plan = tmp_path / "endless.toml"
    plan.write_text(ENDLESS)
    return plan
