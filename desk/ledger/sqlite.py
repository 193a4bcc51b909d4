"""A SQLite file as the ledger's database.

Tests: tests/desk/ledger/test_ledger_faults.py
"""

from contextlib import suppress
from io import FileIO
from pathlib import Path
from urllib.parse import unquote

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import ConnectionPoolEntry, StaticPool

from desk.files.private import private_opener


def sqlite_engine(url: URL, busy_timeout_ms: int, writes: str) -> Engine:
    """An engine with one connection; a transaction with the execution option `writes` is the file's only writer."""
    _make_private(url)
    engine = create_engine(url, poolclass=StaticPool, connect_args={"check_same_thread": False})

    def set_up(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
        # The driver must not begin or commit transactions: `begin` below does.
        connection.isolation_level = None
        for pragma in _pragmas(busy_timeout_ms):
            connection.execute(pragma)

    def begin(connection: Connection) -> None:
        # A writer takes the lock at BEGIN, where it can wait for it; upgrading a read lock later could only fail.
        writing = writes in connection.get_execution_options()
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")

    event.listen(engine, "connect", set_up)
    event.listen(engine, "begin", begin)
    return engine


def database_file(url: URL) -> Path | None:
    """The database's file; None for a database in memory or on a server."""
    if url.get_backend_name() != "sqlite":
        return None
    database = url.database or ""
    if database.startswith("file:"):
        database = unquote(database.removeprefix("file:"))
    return None if database in {"", ":memory:"} or url.query.get("mode") == "memory" else Path(database)


def _make_private(url: URL) -> None:
    """Create a new database's file with mode 0600; SQLite creates the files beside it with the same mode."""
    path = database_file(url)
    if path is not None and url.query.get("mode", "rwc") == "rwc":
        with suppress(OSError):  # SQLite raises a better error
            FileIO(path, "x", opener=private_opener).close()


def _pragmas(busy_timeout_ms: int) -> tuple[str, ...]:
    """WAL with synchronous=NORMAL: a commit is written to the log file without waiting for the disk.

    A killed process loses no commit: its writes are in the operating system's cache. A power failure can lose the last
    commits, but the file stays consistent (sqlite.org, "Write-Ahead Logging", section "Performance Considerations";
    "PRAGMA synchronous").
    """
    return (f"PRAGMA busy_timeout = {busy_timeout_ms}", "PRAGMA journal_mode = WAL", "PRAGMA synchronous = NORMAL")
