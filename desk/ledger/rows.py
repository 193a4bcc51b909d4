"""Converts between messages and rows, whose columns are the message's fields.

Tests: tests/desk/ledger/test_ledger_sql.py
"""

import math
from collections.abc import Iterable
from typing import Any

import msgspec
from sqlalchemy import RowMapping

from desk.model.orders import Intent, OrderEvent
from desk.model.records import Decision

Row = dict[str, Any]

ACCEPTED = "accepted"

INTENT_FIELDS = Intent.__struct_fields__
EVENT_FIELDS = tuple(name for name in OrderEvent.__struct_fields__ if name != "last_order")
"""Those that are recorded: `last_order` belongs to a delivery."""


def decision_row(session: str, decision: Decision) -> Row:
    """The row of a decision with its verdict."""
    row = msgspec.structs.asdict(decision.intent)
    if math.isnan(row["reference_price"]):
        row["reference_price"] = None
    return row | {"session": session, "verdict": decision.outcome}


def event_row(session: str, event: OrderEvent) -> Row:
    """The row of an order event."""
    return {name: getattr(event, name) for name in EVENT_FIELDS} | {"session": session}


def decision_of(row: RowMapping) -> Decision:
    """The decision of a row; its outcome is the status of its order, or the verdict if risk refused it."""
    accepted = row["verdict"] == ACCEPTED
    return Decision(_intent_of(row), (accepted and row["status"]) or row["verdict"])


def verdict_of(row: RowMapping) -> Decision:
    """The decision of a row; its outcome is the verdict."""
    return Decision(_intent_of(row), row["verdict"])


def _intent_of(row: RowMapping) -> Intent:
    fields = {name: row[name] for name in INTENT_FIELDS}
    if fields["reference_price"] is None:
        fields["reference_price"] = math.nan
    return Intent(**fields)


def event_of(row: RowMapping) -> OrderEvent:
    """The order event of a row."""
    return OrderEvent(**{name: row[name] for name in EVENT_FIELDS})


def fill_rows(events: Iterable[Row]) -> list[Row]:
    """One row for each event with an execution."""
    return [
        {
            "client_order_id": event["client_order_id"],
            "number": event["number"],
            "session": event["session"],
            "symbol": event["symbol"],
            "quantity": event["fill_quantity"],
            "price": event["fill_price"],
            "fee": event["fee"],
        }
        for event in events
        if event["fill_quantity"]
    ]


def order_after(order: Row | None, event: Row) -> Row:
    """The order's row after one more event; `order` is None before its first event. The average price is not updated.

    An event with a lower number than the last one does not change the row.
    """
    if order is not None and event["number"] < order["last_number"]:
        return order
    return {name: event[name] for name in _ORDER_FIELDS} | {
        "average_price": order["average_price"] if order else None,
        "last_number": event["number"],
        "updated_ns": event["ts_ns"],
    }


_ORDER_FIELDS = (
    "client_order_id",
    "session",
    "strategy",
    "symbol",
    "side",
    "kind",
    "tif",
    "quantity",
    "limit_price",
    "stop_price",
    "status",
    "filled",
)
