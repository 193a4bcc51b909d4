"""What every test may ask for."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from postgres_server import PostgresServer, postgres_server
from s3_server import KEY_ID, S3Server, s3_server

# How long an example takes says something of the machine, nothing of the code.
settings.register_profile("desk", deadline=None)
settings.load_profile("desk")

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of recorded market data beside the project; without it the test is skipped."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"recorded market data is not here: {SHARED_DATA.name} beside the project is absent")
    return SHARED_DATA


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
