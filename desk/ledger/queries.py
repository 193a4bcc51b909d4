"""Queries for the rows of one session.

Tests: tests/desk/ledger/test_ledger_sql.py
"""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Column, Connection, Select, and_, func, select

from desk.ledger.ledger_tables import decisions, fills, notes, order_events, orders
from desk.ledger.rows import ACCEPTED, decision_of, event_of, verdict_of
from desk.model.orders import OrderEvent
from desk.model.records import Decision


def read_outcomes(connection: Connection, session: str) -> list[Decision]:
    """All decisions with their outcomes, sorted by (decision_ns, strategy, symbol, number)."""
    joined = decisions.outerjoin(orders, decisions.c.client_order_id == orders.c.client_order_id)
    statement = select(decisions, orders.c.status).select_from(joined).where(decisions.c.session == session)
    return _sorted(decision_of(row) for row in connection.execute(statement).mappings())


def read_verdicts(connection: Connection, session: str) -> list[Decision]:
    """All decisions with their verdicts, sorted likewise."""
    statement = select(decisions).where(decisions.c.session == session)
    return _sorted(verdict_of(row) for row in connection.execute(statement).mappings())


def read_events(connection: Connection, session: str) -> list[OrderEvent]:
    """The order events, in the order of recording."""
    return _events(connection, select(order_events).where(order_events.c.session == session))


def read_fills(connection: Connection, session: str) -> list[OrderEvent]:
    """The events with an execution, sorted by (ts_ns, symbol, number)."""
    same = and_(fills.c.client_order_id == order_events.c.client_order_id, fills.c.number == order_events.c.number)
    found = _events(connection, select(order_events).join(fills, same).where(order_events.c.session == session))
    return sorted(found, key=lambda event: (event.ts_ns, event.symbol, event.number))


def read_session_notes(connection: Connection, session: str) -> dict[str, str]:
    """The notes by name."""
    return dict(connection.execute(select(notes.c.name, notes.c.text).where(notes.c.session == session)).all())


def count_outcomes(connection: Connection, session: str) -> dict[str, int]:
    """The numbers of submitted orders and of their outcomes, under their names in summary.json."""
    by_verdict = _count_by(connection, decisions.c.verdict, session)
    by_status = _count_by(connection, orders.c.status, session)
    submitted = by_verdict.get(ACCEPTED, 0)
    ended = {status: by_status.get(status, 0) for status in ("filled", "canceled", "expired", "rejected")}
    return {"submitted": submitted, **ended, "refused_by_risk": sum(by_verdict.values()) - submitted}


def last_line(connection: Connection, session: str) -> int:
    """The number of the last recorded event; 0 for none."""
    statement = select(func.max(order_events.c.line)).where(order_events.c.session == session)
    return connection.execute(statement).scalar_one() or 0


def _events(connection: Connection, statement: Select[Any]) -> list[OrderEvent]:
    return [event_of(row) for row in connection.execute(statement.order_by(order_events.c.line)).mappings()]


def _count_by(connection: Connection, column: Column[str], session: str) -> dict[str, int]:
    statement = select(column, func.count()).where(column.table.c.session == session).group_by(column)
    return dict(connection.execute(statement).all())


def _sorted(found: Iterable[Decision]) -> list[Decision]:
    """Sort here, not in the database, whose collation may differ."""

    def key(decision: Decision) -> tuple[int, str, str, int]:
        intent = decision.intent
        return intent.decision_ns, intent.strategy, intent.symbol, intent.number

    return sorted(found, key=key)
