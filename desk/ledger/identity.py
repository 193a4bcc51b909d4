"""A ledger's identity and a session's row counts: with them, a resumed run recognizes its ledger.

Tests: tests/desk/ledger/test_known_ledger.py
"""

import secrets
from typing import Final

import msgspec
from sqlalchemy import Connection, func, select
from sqlalchemy.exc import DBAPIError

from desk.ledger.ledger_tables import decisions, fills, notes, order_events, orders

LEDGER_NOTES: Final = "ledger"
"""Notes on the ledger itself have this name in place of a session's."""
IDENTITY: Final = "identity"
_TABLES: Final = (decisions, order_events, orders, fills, notes)
_SELECT_IDENTITY: Final = select(notes.c.text).where(notes.c.session == LEDGER_NOTES, notes.c.name == IDENTITY)


class RowCounts(msgspec.Struct):
    """The number of a session's rows in each table."""

    decisions: int = 0
    order_events: int = 0
    orders: int = 0
    fills: int = 0
    notes: int = 0

    def missing(self, found: "RowCounts") -> list[str]:
        """A phrase for each table that has fewer rows in `found`."""
        names = self.__struct_fields__
        counts = [(name, getattr(self, name), getattr(found, name)) for name in names]
        return [f"{own - other:,} of {own:,} rows of {name}" for name, own, other in counts if other < own]


def ledger_identity(connection: Connection) -> str:
    """The ledger's random name; a new ledger gets one."""
    found: str | None = connection.execute(_SELECT_IDENTITY).scalar_one_or_none()
    if found is None:
        found = secrets.token_hex(8)
        connection.execute(notes.insert(), {"session": LEDGER_NOTES, "name": IDENTITY, "text": found})
    return found


def known_identity(connection: Connection) -> str:
    """The ledger's random name; "" if it has no name or no tables."""
    try:
        return connection.execute(_SELECT_IDENTITY).scalar_one_or_none() or ""
    except DBAPIError as error:
        if "no such table" in str(error.orig) or getattr(error.orig, "sqlstate", None) == "42P01":
            return ""
        raise


def count_rows(connection: Connection, session: str) -> RowCounts:
    """Count the session's rows."""
    counts = [select(func.count()).where(table.c.session == session).scalar_subquery() for table in _TABLES]
    return RowCounts(*connection.execute(select(*counts)).one())
