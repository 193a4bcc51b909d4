"""Fixtures for all tests."""

import gc
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from examples import register_profiles
from made_up_tape import write_morning
from postgres_server import PostgresServer, postgres_server
from s3_server import KEY_ID, S3Server, s3_server

register_profiles()

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


def pytest_sessionstart() -> None:
    """Reset signals that `nohup` ignores: desks started by tests would inherit that."""
    for number in (signal.SIGHUP, signal.SIGQUIT):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)


def pytest_collection_finish() -> None:
    """Exclude the collected tests from garbage collections, which would scan all of them each time."""
    gc.collect()
    gc.freeze()


def pytest_sessionfinish() -> None:
    gc.unfreeze()


@pytest.fixture(scope="session", autouse=True)
def state_dir(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A state folder for the desks of this session, in place of the user's."""
    folder = tmp_path_factory.mktemp("state")
    before = os.environ.get("RAYDESK_STATE_DIR")
    os.environ["RAYDESK_STATE_DIR"] = str(folder)
    yield folder
    os.environ.pop("RAYDESK_STATE_DIR")
    if before is not None:
        os.environ["RAYDESK_STATE_DIR"] = before


@pytest.fixture(scope="session", autouse=True)
def cache_dir(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A cache folder for this session, in place of the user's."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAYDESK_CACHE_DIR", str(folder))
        yield folder


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of recorded market data beside the project; without it the test is skipped."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"recorded market data is not here: {SHARED_DATA.name} beside the project is absent")
    return SHARED_DATA


@pytest.fixture(scope="session")
def morning(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tape of the synthetic market around the open of 2013-10-07: six symbols, 09:28 to 09:46 in New York."""
    return write_morning(tmp_path_factory.mktemp("morning") / "morning.parquet")


@pytest.fixture(scope="session", params=["made up", "recorded"])
def any_day(request: pytest.FixtureRequest, morning: Path) -> Path:
    """A tape of 2013-10-07 around the open: a made-up one, and the recorded day where the recordings are present."""
    if request.param == "made up":
        return morning
    recordings: Path = request.getfixturevalue("shared_data")
    return recordings / "us-2013-10-07.parquet"


@pytest.fixture(scope="session", params=["made up", "recorded"])
def any_morning(request: pytest.FixtureRequest, morning: Path) -> Path:
    """A short tape: a made-up one, and a recorded one of one symbol where the recordings are present."""
    if request.param == "made up":
        return morning
    recordings: Path = request.getfixturevalue("shared_data")
    return recordings / "soun-2025-05-02-open.parquet"


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL server for the whole session; without its programs the test is skipped."""
    with postgres_server() as server:
        yield server


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Server]:
    """An object store with a bucket `desk`, and its key in the environment."""
    for name, value in (("AWS_ACCESS_KEY_ID", KEY_ID), ("AWS_SECRET_ACCESS_KEY", "x"), ("HOME", "/nonexistent")):
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with s3_server("desk") as server:
        yield server
