"""Orders: intents, requests, reports and events."""

from typing import Literal

import msgspec

Side = Literal["buy", "sell"]
OrderKind = Literal["market", "limit", "stop", "stop_limit"]
TimeInForce = Literal["day", "gtc", "ioc"]
OrderStatus = Literal[
    "refused", "accepted", "pending_cancel", "partially_filled", "filled", "canceled", "expired", "rejected"
]
TERMINAL: frozenset[OrderStatus] = frozenset({"refused", "filled", "canceled", "expired", "rejected"})


class Intent(msgspec.Struct, frozen=True, array_like=True, tag="intent", gc=False):
    """A strategy's decision to trade, before the risk gate's approval.

    `number` counts the decisions of (strategy, symbol) from 1; `client_order_id` is built from session, strategy,
    symbol and number, so that the same decision has the same id after a restart. `decision_ns` is session time.
    `reference_price` is the symbol's (`desk.bars.reference_price`), for notionals before a fill; 0 or NaN if it has
    none. `extended_hours`: the order may fill outside of the regular hours, too. `halted`: the venue had halted the
    symbol.
    """

    client_order_id: str
    strategy: str
    symbol: str
    number: int
    side: Side
    quantity: float
    decision_ns: int
    data_age_ns: int
    degraded: bool
    reference_price: float
    kind: OrderKind = "market"
    limit_price: float | None = None
    stop_price: float | None = None
    tif: TimeInForce = "day"
    extended_hours: bool = False
    halted: bool = False


class CancelIntent(msgspec.Struct, frozen=True, array_like=True, tag="cancel", gc=False):
    """A strategy's decision to cancel the remainder of one of its orders."""

    client_order_id: str
    strategy: str
    symbol: str
    decision_ns: int


class Report(msgspec.Struct, frozen=True, array_like=True, tag="report", gc=False):
    """One action of the simulated venue on an order, matched on the symbol's ticks.

    `number` counts the reports of that order from 1: (client_order_id, number) is the execution id.
    For a fill, `quantity` and `price` are this execution's; `fee` in account currency.
    """

    client_order_id: str
    symbol: str
    number: int
    status: OrderStatus
    ts_ns: int
    quantity: float = 0.0
    price: float = 0.0
    fee: float = 0.0
    reason: str = ""


class Request(msgspec.Struct, array_like=True):
    """A shard's request to the broker.

    `prices` are the reference prices of symbols with a position, for profit and loss. `mark_ns` is the mark of the
    request; the events in answer carry it. `traceparent` is the span of the call that made the first traced intent.
    """

    intents: list[Intent | CancelIntent] = []
    reports: list[Report] = []
    prices: dict[str, float] = {}
    mark_ns: int = 0
    traceparent: str | None = None

    def __bool__(self) -> bool:
        return bool(self.intents or self.reports)


class OrderEvent(msgspec.Struct, frozen=True, array_like=True, tag="o", gc=False):
    """One step of one order, sent to shards after the ledger's commit.

    `number` counts the events of the symbol from 1. `filled` is the order's running total, `fill_quantity` and
    `fill_price` belong to this event alone. `simulated` orders are matched by the shard that owns the symbol. `report`
    is the number of the venue's report that caused it, 0 if the desk caused it; `given_ns` is the mark at which it was
    sent. `last_order` is 0, or the number of the strategy's last order on the symbol: in events delivered again to a
    live shard, which does not repeat its decisions.
    """

    number: int
    symbol: str
    strategy: str
    client_order_id: str
    status: OrderStatus
    side: Side
    kind: OrderKind
    tif: TimeInForce
    quantity: float
    ts_ns: int
    filled: float = 0.0
    fill_quantity: float = 0.0
    fill_price: float = 0.0
    fee: float = 0.0
    limit_price: float | None = None
    stop_price: float | None = None
    reason: str = ""
    simulated: bool = False
    report: int = 0
    given_ns: int = 0
    extended_hours: bool = False
    last_order: int = 0


def client_order_id(session: str, strategy: str, symbol: str, number: int) -> str:
    """The idempotency key of a decision; venues allow 128 characters (Alpaca trading API)."""
    return f"{session}-{strategy}-{symbol}-{number}"


def order_number(client_order_id: str) -> int:
    """The number of the order among those of its strategy on its symbol."""
    return int(client_order_id.rpartition("-")[2])
