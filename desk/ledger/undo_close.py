"""Undoes the interrupted close of a session: the session continues from the state before the close.

Tests: tests/desk/inprocess/test_cut_close.py
"""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Column, Connection, Table, select

from desk.ledger.idempotent_writes import CHUNK_KEYS, apply_events, replace_notes
from desk.ledger.ledger_tables import decisions, fills, notes, order_events, orders
from desk.orders.broker_notes import CLOSING, read_closing


def undo_close(connection: Connection, session: str) -> bool:
    """Remove decisions, events and notes since the session's close began. Returns whether it had begun.

    Orders and fills are recomputed from the events before the close.
    """
    found = select(notes.c.text).where(notes.c.session == session, notes.c.name == CLOSING)
    text = connection.execute(found).scalar_one_or_none()
    if text is None:
        return False
    closing = read_closing(text)
    statement = select(order_events).where(order_events.c.session == session).order_by(order_events.c.line)
    events = [dict(row) for row in connection.execute(statement).mappings()]
    kept = [event for event in events if event["number"] <= closing.events.get(event["symbol"], 0)]
    removed = [event for event in events if event["number"] > closing.events.get(event["symbol"], 0)]
    changed = {event["client_order_id"] for event in removed}
    before = [event for event in kept if event["client_order_id"] in changed]
    _delete(connection, order_events, order_events.c.line, [event["line"] for event in removed], session)
    for table in (fills, orders):
        _delete(connection, table, table.c.client_order_id, changed, session)
    orders_of_close = changed - {event["client_order_id"] for event in before}
    _delete(connection, decisions, decisions.c.client_order_id, orders_of_close, session)
    if before:
        apply_events(connection, before)
    connection.execute(notes.delete().where(notes.c.session == session))
    replace_notes(connection, session, closing.notes)
    return True


def _delete(connection: Connection, table: Table, column: Column[Any], keys: Iterable[Any], session: str) -> None:
    listed: Sequence[Any] = sorted(keys)
    for start in range(0, len(listed), CHUNK_KEYS):
        chosen = column.in_(listed[start : start + CHUNK_KEYS])
        connection.execute(table.delete().where(table.c.session == session, chosen))
