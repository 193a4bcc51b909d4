"""One order in the simulated venue, and the prices at which the market fills it.

Tests: tests/desk/consumer/matching/test_matcher.py
"""

import msgspec

from desk.consumer.matching.rules import MatchingRules
from desk.model.orders import OrderEvent, OrderKind, Side, TimeInForce
from desk.trading.order_life import DUST


class RestingOrder(msgspec.Struct, array_like=True, gc=False):
    """The open remainder of an order. Once triggered, a stop is a market order and a stop_limit a limit order.

    `opened_ns` is the moment from which ticks may fill or trigger it, `until_ns` (exclusive) the end of its hours.
    `reports` counts the order's reports. `quoted`: a standing quote was offered to it. `rested`: it is a limit order,
    and since it opened the market has been on the other side of its limit.
    """

    client_order_id: str
    symbol: str
    side: Side
    kind: OrderKind
    tif: TimeInForce
    quantity: float
    opened_ns: int
    until_ns: int
    limit_price: float | None = None
    stop_price: float | None = None
    filled: float = 0.0
    reports: int = 0
    quoted: bool = False
    rested: bool = False
    canceled: bool = False
    extended_hours: bool = False

    @property
    def remaining(self) -> float:
        """Shares not filled yet; never mere rounding."""
        left = self.quantity - self.filled
        return left if left > DUST else 0.0

    @property
    def is_done(self) -> bool:
        """Whether the order cannot fill any further."""
        return self.canceled or not self.remaining

    @property
    def is_stop(self) -> bool:
        """Whether the order still waits for its stop to be triggered."""
        return self.kind in {"stop", "stop_limit"}

    def is_live(self, at_ns: int) -> bool:
        """Whether an event at this time may fill or trigger the order."""
        return self.opened_ns <= at_ns < self.until_ns

    def offered(self, price: float, slippage: float) -> float | None:
        """The price at which the far side of a quote fills the order; None when it does not.

        A limit order that the quote does not reach rests from now on; a rested one fills at its limit, never better.
        """
        limit = self.limit_price
        if limit is None:
            return self._slipped(price, slippage)
        if self._is_worse(price, limit):
            self.rested = True
            return None
        return limit if self.rested else price

    def printed(self, price: float, slippage: float, *, quoted: bool) -> float | None:
        """The price at which an eligible print fills the order; None when it does not.

        A print at a rested limit proves nothing about our place in the queue; a print beyond it passed us. All other
        orders fill on quotes only, once they have a standing quote (`quoted`).
        """
        limit = self.limit_price
        if self.rested:
            return limit if limit is not None and self._is_better(price, limit) else None
        return None if quoted else self.offered(price, slippage)

    def rest_beyond(self, price: float | None) -> None:
        """Mark the limit as rested if the reference price at its opening is on the other side of it."""
        if self.limit_price is not None and price is not None and self._is_worse(price, self.limit_price):
            self.rested = True

    def is_triggered_by(self, price: float) -> bool:
        """Whether a price is at or through the order's stop."""
        stop = self.stop_price
        return stop is not None and (price >= stop if self.side == "buy" else price <= stop)

    def trigger(self, at_ns: int) -> None:
        """Turn the stop into a market or limit order that opens at `at_ns`."""
        self.kind = "market" if self.kind == "stop" else "limit"
        self.opened_ns = max(self.opened_ns, at_ns)

    def _is_worse(self, price: float, limit: float) -> bool:
        return price > limit if self.side == "buy" else price < limit

    def _is_better(self, price: float, limit: float) -> bool:
        return price < limit if self.side == "buy" else price > limit

    def _slipped(self, price: float, slippage: float) -> float:
        return price * (1.0 + slippage if self.side == "buy" else 1.0 - slippage)


def open_resting_order(event: OrderEvent, now_ns: int, rules: MatchingRules) -> RestingOrder:
    """The order of an accepted event, opened at session time `now_ns`."""
    opens_ns, until_ns = rules.span_ns(extended_hours=event.extended_hours)
    return RestingOrder(
        client_order_id=event.client_order_id,
        symbol=event.symbol,
        side=event.side,
        kind=event.kind,
        tif=event.tif,
        quantity=event.quantity,
        opened_ns=max(now_ns, opens_ns),
        until_ns=until_ns,
        limit_price=event.limit_price,
        stop_price=event.stop_price,
        filled=event.filled,
        extended_hours=event.extended_hours,
    )
