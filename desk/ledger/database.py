"""Connects to the database: one connection, set up for a single writer.

Tests: tests/desk/ledger/test_ledger_faults.py
"""

from typing import Final

from sqlalchemy import Engine
from sqlalchemy.engine import URL

from desk.ledger import postgres, sqlite

WRITES: Final = "writes"


def connect(url: URL, password: str | None, busy_timeout_ms: int) -> Engine:
    """An engine for `url`; it connects at its first use.

    A transaction on a connection with the execution option WRITES excludes other transactions with the same value of
    the option. It waits for them up to `busy_timeout_ms`.
    """
    if url.get_backend_name() == "sqlite":
        return sqlite.sqlite_engine(url, busy_timeout_ms, WRITES)
    return postgres.postgres_engine(url, password, busy_timeout_ms, WRITES)
