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
    """One connection; a transaction with the execution option `writes` is the file's only writer."""
    _make_private(url)
    made = create_engine(url, poolclass=StaticPool, connect_args={"check_same_thread": False})

    def set_up(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
        # The driver shall not begin or commit anything by itself: `begin` below does.
        connection.isolation_level = None
        for pragma in _pragmas(busy_timeout_ms):
            connection.execute(pragma)

    def begin(connection: Connection) -> None:
        # A writer asks for the lock at once, where waiting helps; a later upgrade could only fail.
        writing = writes in connection.get_execution_options()
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")

    event.listen(made, "connect", set_up)
    event.listen(made, "begin", begin)
    return made


def file_of(url: URL) -> Path | None:
    """The database's file; None for one in memory, and for a server."""
    if url.get_backend_name() != "sqlite":
        return None
    database = url.database or ""
    if database.startswith("file:"):
        database = unquote(database.removeprefix("file:"))
    return None if database in {"", ":memory:"} or url.query.get("mode") == "memory" else Path(database)


def _make_private(url: URL) -> None:
    """Make a new database's file with mode 0600, which SQLite gives to the files beside it, too."""
    path = file_of(url)
    if path is not None and url.query.get("mode", "rwc") == "rwc":
        with suppress(OSError):  # SQLite has the words for it
            FileIO(path, "x", opener=private_opener).close()


def _pragmas(busy_timeout_ms: int) -> tuple[str, ...]:
    """WAL with synchronous=NORMAL: a commit is written to the log file, without waiting for the disk.

    A killed process loses nothing by that: what it wrote is in the operating system's cache, which outlives
    it. Only a machine that loses power can lose the last commits, and never the file's consistency
    (sqlite.org, "Write-Ahead Logging", section "Performance Considerations"; "PRAGMA synchronous").
    """
    return (f"PRAGMA busy_timeout = {busy_timeout_ms}", "PRAGMA journal_mode = WAL", "PRAGMA synchronous = NORMAL")
