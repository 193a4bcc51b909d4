"""Builders of intents, reports, order events and ticks."""

from typing import Any

from desk.model.orders import Intent, OrderEvent, Report, client_order_id
from desk.model.ticks import Quote, Trade
from desk.model.units import SECOND_NS

SESSION = "day"


def an_id(number: int = 1, strategy: str = "s", symbol: str = "X") -> str:
    return client_order_id(SESSION, strategy, symbol, number)


def an_intent(number: int = 1, **changes: Any) -> Intent:
    fields: dict[str, Any] = {
        "strategy": "s",
        "symbol": "X",
        "number": number,
        "side": "buy",
        "quantity": 10.0,
        "decision_ns": number * SECOND_NS,
        "data_age_ns": 0,
        "degraded": False,
        "reference_price": 100.0,
    } | changes
    return Intent(client_order_id(SESSION, fields["strategy"], fields["symbol"], number), **fields)


def a_fill(quantity: float, number: int = 1, price: float = 100.0, of: int = 1, **changes: Any) -> Report:
    fields: dict[str, Any] = {
        "client_order_id": an_id(of),
        "symbol": "X",
        "number": number,
        "status": "partially_filled",
        "ts_ns": number,
        "quantity": quantity,
        "price": price,
    } | changes
    return Report(**fields)


def a_report(status: Any, number: int = 1, of: int = 1, **changes: Any) -> Report:
    fields: dict[str, Any] = {
        "client_order_id": an_id(of),
        "symbol": "X",
        "number": number,
        "status": status,
        "ts_ns": number,
    } | changes
    return Report(**fields)


def accepted(number: int = 1, **changes: Any) -> OrderEvent:
    fields: dict[str, Any] = {
        "number": number,
        "symbol": "X",
        "strategy": "s",
        "client_order_id": an_id(number),
        "status": "accepted",
        "side": "buy",
        "kind": "market",
        "tif": "day",
        "quantity": 100.0,
        "ts_ns": 0,
        "simulated": True,
    } | changes
    return OrderEvent(**fields)


def a_quote(
    ordinal: int, bid: float = 99.0, ask: float = 101.0, bid_size: float = 500.0, ask_size: float = 500.0
) -> Quote:
    return Quote(ordinal, "X", ordinal, ordinal, bid, bid_size, ask, ask_size)


def a_trade(ordinal: int, price: float = 100.0, size: float = 500.0, conditions: str = "@") -> Trade:
    return Trade(ordinal, "X", ordinal, ordinal, price, size, conditions)
