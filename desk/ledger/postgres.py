"""A PostgreSQL server as the ledger's database.

Tests: tests/desk/ledger/test_postgres_faults.py
"""

import zlib
from typing import Final

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import ConnectionPoolEntry

LOCK_CLASS: Final = 0x6465736B  # "desk": separates the desk's advisory locks from other programs'
IDLE_TIMEOUT_S: Final = 10

# With these, a server whose machine is down is detected within seconds instead of a quarter of an hour (PostgreSQL,
# "libpq: Parameter Key Words"). Options in the URL take precedence.
CONNECT_OPTIONS: Final = {
    "application_name": "raydesk",
    "connect_timeout": 5,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}


def postgres_engine(url: URL, password: str | None, busy_timeout_ms: int, writes: str) -> Engine:
    """An engine with one connection. Transactions with the same execution option `writes` exclude each other.

    The password stays out of the URL.
    """
    options = {name: value for name, value in CONNECT_OPTIONS.items() if name not in url.query}
    secret = {} if password is None else {"password": password}
    # Under READ COMMITTED, a writer that waited for the lock sees the rows of the previous writer.
    engine = create_engine(
        url, pool_size=1, max_overflow=0, isolation_level="READ COMMITTED", connect_args=options | secret
    )

    def set_up(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
        connection.autocommit = True
        cursor = connection.cursor()
        cursor.execute(f"SET lock_timeout = {busy_timeout_ms}")
        # The server releases the lock of a writer that has died without closing its connection.
        cursor.execute(f"SET idle_in_transaction_session_timeout = '{IDLE_TIMEOUT_S}s'")
        cursor.close()
        connection.autocommit = False

    def begin(connection: Connection) -> None:
        name = connection.get_execution_options().get(writes)
        if name is not None:
            connection.exec_driver_sql("SELECT pg_advisory_xact_lock(%s, %s)", (LOCK_CLASS, _lock_number(name)))

    event.listen(engine, "connect", set_up)
    event.listen(engine, "begin", begin)
    return engine


def _lock_number(name: str) -> int:
    """A signed 32-bit number. Two names with the same number only exclude each other."""
    return zlib.crc32(name.encode()) - 2**31
