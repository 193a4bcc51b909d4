"""Fixtures for trials: the session's Ray cluster, the helpers of tests/actors, and whole days."""

import sys
from pathlib import Path

import pytest
from made_up_tape import market, write_tape

sys.path.append(str(Path(__file__).resolve().parents[1] / "actors"))

from session_ray import ray_head

__all__ = ["ray_head"]

SESSION_S = 23_400
EVENTS_PER_S = 50.0


@pytest.fixture(scope="session")
def made_up_day(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tape of a whole regular session of the synthetic market: 1.2 million rows on 2013-10-07."""
    return write_tape(tmp_path_factory.mktemp("day") / "day.parquet", market(SESSION_S, EVENTS_PER_S))


@pytest.fixture(scope="session", params=["made up", "us-2013-10-07"])
def day_tape(request: pytest.FixtureRequest, made_up_day: Path) -> Path:
    """A tape of a whole regular session: a made-up one, and a recorded one where the recordings are present."""
    if request.param == "made up":
        return made_up_day
    recordings: Path = request.getfixturevalue("shared_data")
    return recordings / f"{request.param}.parquet"
