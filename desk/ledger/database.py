"""The way to the database: one connection, set up for a single writer.

Tests: tests/desk/ledger/test_ledger_faults.py
"""

from typing import Final

from sqlalchemy import Engine
from sqlalchemy.engine import URL

from desk.ledger import postgres, sqlite

WRITES: Final = "writes"


def connect(url: URL, password: str | None, busy_timeout_ms: int) -> Engine:
    """An engine for `url`; the connection itself is made at the first use.

    A transaction on a connection with the execution option WRITES waits until it is the only one that writes under the
    option's name, for `busy_timeout_ms` at most.
    """
    if url.get_backend_name() == "sqlite":
        return sqlite.sqlite_engine(url, busy_timeout_ms, WRITES)
    return postgres.postgres_engine(url, password, busy_timeout_ms, WRITES)
