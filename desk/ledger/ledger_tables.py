"""The ledger's tables, which are the same in SQLite and PostgreSQL.

A column that a later release added has a server default: `desk/ledger/upgrades.py` adds it to older ledgers, whose rows
get the default. Times are BIGINT nanoseconds since the epoch, UTC; prices, quantities and fees are NUMERIC. Columns
have the names of the messages' fields, so `rows` converts without a mapping.
"""

import math
from decimal import Decimal

from sqlalchemy import BigInteger, Boolean, Column, Dialect, MetaData, Numeric, String, Table, false
from sqlalchemy.types import TypeDecorator


class Money(TypeDecorator[float]):
    """A NUMERIC column for floats, which are read back unchanged.

    A float is bound as a Decimal of its shortest exact text: PostgreSQL rounds a double to 15 digits when it converts
    it to NUMERIC. SQLite has no decimals and stores the double itself. NaN is stored as NULL.
    """

    impl = Numeric(asdecimal=False)
    cache_ok = True

    def process_bind_param(self, value: float | None, dialect: Dialect) -> float | Decimal | None:
        """Convert a value for the driver."""
        if value is None or math.isnan(value):
            return None
        return float(value) if dialect.name == "sqlite" else Decimal(repr(float(value)))

    def process_result_value(self, value: float | None, dialect: Dialect) -> float | None:  # noqa: ARG002  # the hook's signature
        """Convert a value to a float: SQLite stores a whole NUMERIC as an integer."""
        return None if value is None else float(value)


def _key(name: str) -> Column[str]:
    return Column(name, String, primary_key=True)


def _text(name: str) -> Column[str]:
    return Column(name, String, nullable=False)


def _time(name: str, *, nullable: bool = False) -> Column[int]:
    return Column(name, BigInteger, nullable=nullable)


def _money(name: str, *, nullable: bool = False) -> Column[float]:
    return Column(name, Money, nullable=nullable)


def _flag_added_later(name: str) -> Column[bool]:
    return Column(name, Boolean, nullable=False, server_default=false())


metadata = MetaData()

sessions = Table(
    "sessions",
    metadata,
    _key("session"),
    _text("plan"),
    _text("mode"),
    _text("day"),
    _time("started_ns"),
    _time("closed_ns", nullable=True),
)

decisions = Table(
    "decisions",
    metadata,
    _key("client_order_id"),
    _text("session"),
    _text("strategy"),
    _text("symbol"),
    Column("number", BigInteger, nullable=False),
    _text("side"),
    _money("quantity"),
    _time("decision_ns"),
    _time("data_age_ns"),
    Column("degraded", Boolean, nullable=False),
    _money("reference_price", nullable=True),
    _text("kind"),
    _money("limit_price", nullable=True),
    _money("stop_price", nullable=True),
    _text("tif"),
    _flag_added_later("extended_hours"),
    _flag_added_later("halted"),
    _text("verdict"),
)

orders = Table(
    "orders",
    metadata,
    _key("client_order_id"),
    _text("session"),
    _text("strategy"),
    _text("symbol"),
    _text("side"),
    _text("kind"),
    _text("tif"),
    _money("quantity"),
    _money("limit_price", nullable=True),
    _money("stop_price", nullable=True),
    _text("status"),
    _money("filled"),
    _money("average_price", nullable=True),
    Column("last_number", BigInteger, nullable=False),
    _time("updated_ns"),
)

order_events = Table(
    "order_events",
    metadata,
    _key("session"),
    _key("symbol"),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    _text("strategy"),
    _text("client_order_id"),
    _text("status"),
    _text("side"),
    _text("kind"),
    _text("tif"),
    _money("quantity"),
    _time("ts_ns"),
    _money("filled"),
    _money("fill_quantity"),
    _money("fill_price"),
    _money("fee"),
    _money("limit_price", nullable=True),
    _money("stop_price", nullable=True),
    _text("reason"),
    Column("simulated", Boolean, nullable=False),
    Column("report", BigInteger, nullable=False),
    _time("given_ns"),
    _flag_added_later("extended_hours"),
    # Numbers the session's events in the order of recording, over all symbols. Gaps have no meaning.
    Column("line", BigInteger, nullable=False),
)

notes = Table(
    "notes",
    metadata,
    _key("session"),
    _key("name"),
    _text("text"),
)

fills = Table(
    "fills",
    metadata,
    _key("client_order_id"),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    _text("session"),
    _text("symbol"),
    _money("quantity"),
    _money("price"),
    _money("fee"),
)
