"""A PostgreSQL server as the ledger's database.

Tests: tests/desk/ledger/test_postgres_faults.py
"""

import zlib
from typing import Final

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import ConnectionPoolEntry

LOCKS: Final = 0x6465736B  # "desk": sets our advisory locks apart from those of others in the same database
IDLE_S: Final = 10

# A server whose machine is gone is noticed within some seconds instead of a quarter of an hour (PostgreSQL,
# "libpq: Parameter Key Words"). What the URL says goes before.
CONNECT: Final = {
    "application_name": "raydesk",
    "connect_timeout": 5,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}


def postgres_engine(url: URL, password: str | None, busy_timeout_ms: int, writes: str) -> Engine:
    """One connection; a transaction with the execution option `writes` is the only one under the option's name.

    The password, where there is one, stays out of the URL.
    """
    said = {name: value for name, value in CONNECT.items() if name not in url.query}
    secret = {} if password is None else {"password": password}
    # Under READ COMMITTED, a writer that had to wait sees what the one before it wrote.
    made = create_engine(url, pool_size=1, max_overflow=0, isolation_level="READ COMMITTED", connect_args=said | secret)

    def set_up(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
        connection.autocommit = True
        cursor = connection.cursor()
        cursor.execute(f"SET lock_timeout = {busy_timeout_ms}")
        # The lock of a writer that the server cannot tell from a silent one is let go.
        cursor.execute(f"SET idle_in_transaction_session_timeout = '{IDLE_S}s'")
        cursor.close()
        connection.autocommit = False

    def begin(connection: Connection) -> None:
        name = connection.get_execution_options().get(writes)
        if name is not None:
            connection.exec_driver_sql("SELECT pg_advisory_xact_lock(%s, %s)", (LOCKS, _number(name)))

    event.listen(made, "connect", set_up)
    event.listen(made, "begin", begin)
    return made


def _number(name: str) -> int:
    """A signed number of 32 bits. Two names with the same one wait for each other, and no more."""
    return zlib.crc32(name.encode()) - 2**31
