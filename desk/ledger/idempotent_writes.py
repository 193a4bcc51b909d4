"""Idempotent writes: a repeated row changes nothing; a row with a known key and other content is an error.

Tests: tests/desk/ledger/test_postgres_lost.py
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import BindParameter, Connection, Table, and_, bindparam, func, select, tuple_

from desk.ledger.ledger_tables import decisions, fills, notes, order_events, orders
from desk.ledger.rows import Row, fill_rows, order_after
from desk.model.errors import LedgerError

CHUNK_KEYS: Final = 1_000  # SQLite accepts 32,766 parameters in one statement (sqlite.org, "Limits")

Key = tuple[Any, ...]

# Statements are built once: building one takes longer than SQLite needs to execute it.
_KEYS: Final[BindParameter[Any]] = bindparam("keys", expanding=True)
_IN_TABLE: Final = {
    table: select(table).where(tuple_(*table.primary_key.columns).in_(_KEYS)) for table in (decisions, order_events)
}
_INSERT: Final = {table: table.insert() for table in (decisions, order_events, orders, fills, notes)}
_ORDERS: Final = select(orders).where(orders.c.client_order_id.in_(_KEYS))
_UPDATE_ORDERS: Final = orders.update().where(orders.c.client_order_id == bindparam("key"))
_DELETE_NOTES: Final = notes.delete().where(
    and_(notes.c.session == bindparam("session"), notes.c.name == bindparam("name"))
)
_AVERAGE_PRICES: Final = (
    select(fills.c.client_order_id, func.sum(fills.c.price * fills.c.quantity) / func.sum(fills.c.quantity))
    .where(fills.c.client_order_id.in_(_KEYS))
    .group_by(fills.c.client_order_id)
)


def insert_new(
    connection: Connection, table: Table, rows: Iterable[Row], place: str, lines: Iterator[int] | None = None
) -> list[Row]:
    """Insert the rows whose primary key is new, and return them in the same order.

    `lines` gives their numbers, for a table with the column `line`. Raises LedgerError, with key and fields, for a row
    that the table has with other content.
    """
    columns = [column.name for column in table.primary_key.columns]
    new_rows: dict[Key, Row] = {}
    for row in rows:
        key = tuple(row[name] for name in columns)
        _require_equal(place, table, key, new_rows.setdefault(key, row), row)
    for keys in _chunks(list(new_rows)):
        for found in connection.execute(_IN_TABLE[table], {"keys": keys}).mappings():
            key = tuple(found[name] for name in columns)
            row = new_rows.pop(key)
            _require_equal(place, table, key, {name: found[name] for name in row}, row)
    inserted = list(new_rows.values()) if lines is None else [row | {"line": next(lines)} for row in new_rows.values()]
    _insert(connection, table, inserted)
    return inserted


def replace_notes(connection: Connection, session: str, texts: Mapping[str, str]) -> None:
    """Write these texts under their names, in place of the previous ones."""
    rows = [{"session": session, "name": name, "text": text} for name, text in texts.items()]
    if rows:
        connection.execute(_DELETE_NOTES, [{"session": session, "name": name} for name in texts])
        _insert(connection, notes, rows)


def apply_events(connection: Connection, events: Sequence[Row]) -> tuple[int, int]:
    """Write the fills of new events, and insert or update their orders. Returns the numbers of new orders and fills."""
    keys = list({event["client_order_id"] for event in events})
    known = {row["client_order_id"]: row for row in _orders(connection, keys)}
    after: dict[str, Row] = {}
    for event in sorted(events, key=lambda event: (event["symbol"], event["number"])):
        key = event["client_order_id"]
        after[key] = order_after(after.get(key) or known.get(key), event)
    if executions := fill_rows(events):
        _insert(connection, fills, executions)
        for key, price in _average_prices(connection, list({row["client_order_id"] for row in executions})):
            after[key] |= {"average_price": price}
    new_orders = [row for key, row in after.items() if key not in known]
    _insert(connection, orders, new_orders)
    if changed := [{"key": key} | row for key, row in after.items() if key in known]:
        connection.execute(_UPDATE_ORDERS, changed)
    return len(new_orders), len(executions)


def _insert(connection: Connection, table: Table, rows: list[Row]) -> None:
    if rows:
        connection.execute(_INSERT[table], rows)


def _orders(connection: Connection, keys: Sequence[str]) -> Iterator[Row]:
    for chunk in _chunks(keys):
        yield from (dict(row) for row in connection.execute(_ORDERS, {"keys": chunk}).mappings())


def _average_prices(connection: Connection, keys: Sequence[str]) -> Iterator[tuple[str, float]]:
    """The mean price of each order's executions, weighted by quantity."""
    for chunk in _chunks(keys):
        yield from ((key, price) for key, price in connection.execute(_AVERAGE_PRICES, {"keys": chunk}))


def _require_equal(place: str, table: Table, key: Key, kept: Row, row: Row) -> None:
    if kept == row:
        return
    differing = [name for name in row if kept[name] != row[name]]
    changes = ", ".join(f"{name} {kept[name]!r}, now {row[name]!r}" for name in differing)
    raise LedgerError(
        place,
        f"{table.name} {'/'.join(str(part) for part in key if part)} is already written with other content: {changes}",
        "the same content in each write of a key",
        "Two runs write this session, or a restarted run decided differently: use another ledger for each run.",
    )


def _chunks(keys: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for start in range(0, len(keys), CHUNK_KEYS):
        yield keys[start : start + CHUNK_KEYS]
