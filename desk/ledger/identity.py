"""The ledger's identity and a session's row counts, by which a resume recognizes its ledger.

Tests: tests/desk/ledger/test_known_ledger.py
"""

import secrets
from typing import Final

import msgspec
from sqlalchemy import Connection, func, select
from sqlalchemy.exc import DBAPIError

from desk.ledger.ledger_tables import decisions, fills, notes, order_events, orders

OF_THE_LEDGER: Final = "ledger"
"""A session's name that no session has, for notes on the ledger itself."""
IDENTITY: Final = "identity"
_TABLES: Final = (decisions, order_events, orders, fills, notes)
_FIND: Final = select(notes.c.text).where(notes.c.session == OF_THE_LEDGER, notes.c.name == IDENTITY)


class RowCounts(msgspec.Struct):
    """How many rows a session has in each table."""

    decisions: int = 0
    order_events: int = 0
    orders: int = 0
    fills: int = 0
    notes: int = 0

    def missing(self, found: "RowCounts") -> list[str]:
        """A phrase for each table of which `found` has fewer rows."""
        names = self.__struct_fields__
        counts = [(name, getattr(self, name), getattr(found, name)) for name in names]
        return [f"{was - now:,} of {was:,} rows of {name}" for name, was, now in counts if now < was]


def ledger_identity(connection: Connection) -> str:
    """The random name that this ledger got when it was begun; given now where it has none."""
    found: str | None = connection.execute(_FIND).scalar_one_or_none()
    if found is None:
        found = secrets.token_hex(8)
        connection.execute(notes.insert(), {"session": OF_THE_LEDGER, "name": IDENTITY, "text": found})
    return found


def known_identity(connection: Connection) -> str:
    """The ledger's name, "" where it has none, or no tables."""
    try:
        return connection.execute(_FIND).scalar_one_or_none() or ""
    except DBAPIError as error:
        if "no such table" in str(error.orig) or getattr(error.orig, "sqlstate", None) == "42P01":
            return ""
        raise


def count_rows(connection: Connection, session: str) -> RowCounts:
    """The session's rows."""
    counts = [select(func.count()).where(table.c.session == session).scalar_subquery() for table in _TABLES]
    return RowCounts(*connection.execute(select(*counts)).one())
