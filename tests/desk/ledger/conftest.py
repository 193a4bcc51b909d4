"""Ledgers in SQLite and in Postgres."""

from collections.abc import Callable, Iterator

import pytest
from postgres_server import PostgresServer

from desk.ledger import SqlLedger


@pytest.fixture(scope="session", params=["sqlite", "postgres"])
def fresh_url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Callable[[], str]:
    """Makes databases without tables, of each kind that a ledger may stand in."""
    if request.param == "sqlite":
        return lambda: f"sqlite:///{tmp_path_factory.mktemp('ledger')}/ledger.db"
    server: PostgresServer = request.getfixturevalue("postgres")
    return server.fresh_url


@pytest.fixture
def url(fresh_url: Callable[[], str]) -> str:
    return fresh_url()


@pytest.fixture
def opened() -> Iterator[Callable[..., SqlLedger]]:
    """Opens ledgers that are closed when the test ends."""
    ledgers: list[SqlLedger] = []

    def open_(url: str, **options: object) -> SqlLedger:
        ledgers.append(SqlLedger(url, **options))
        return ledgers[-1]

    yield open_
    for ledger in ledgers:
        ledger.close()
