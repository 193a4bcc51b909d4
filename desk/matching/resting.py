"""One order in the simulated venue, and the price a tick offers it."""

import msgspec

from desk.lifecycle import DUST
from desk.model.orders import OrderEvent, OrderKind, Side, TimeInForce
from desk.model.ticks import Quote, Trade


class Resting(msgspec.Struct, array_like=True, gc=False):
    """What is left of an order. A triggered stop is a market order from then on, a stop_limit a limit order.

    `reports` numbers the order's reports; `quoted` says that a usable quote came since the order could
    fill, so that a market order waits for quotes and no longer takes a trade's price.
    """

    client_order_id: str
    symbol: str
    side: Side
    kind: OrderKind
    tif: TimeInForce
    quantity: float
    opened_ns: int
    limit_price: float | None = None
    stop_price: float | None = None
    filled: float = 0.0
    reports: int = 0
    quoted: bool = False
    canceled: bool = False

    @property
    def remaining(self) -> float:
        """Shares not filled yet; never mere rounding."""
        left = self.quantity - self.filled
        return left if left > DUST else 0.0

    @property
    def waiting(self) -> bool:
        """Whether the order still waits for its stop to be triggered."""
        return self.kind in {"stop", "stop_limit"}

    def offered_by_quote(self, quote: Quote, slippage: float) -> float | None:
        """The price at which this quote's opposite side fills the order; None when it does not."""
        price = quote.ask if self.side == "buy" else quote.bid
        if self.limit_price is None:
            return self._slipped(price, slippage)
        through = price <= self.limit_price if self.side == "buy" else price >= self.limit_price
        return price if through else None

    def offered_by_trade(self, trade: Trade, slippage: float) -> float | None:
        """The price at which this trade fills the order; None when it does not.

        A trade at the limit proves nothing about our place in that queue; one beyond it passed us.
        """
        if self.limit_price is None:
            return None if self.quoted else self._slipped(trade.price, slippage)
        through = trade.price < self.limit_price if self.side == "buy" else trade.price > self.limit_price
        return self.limit_price if through else None

    def watch(self, price: float) -> None:
        """Trigger the stop when a trade prints at or beyond it."""
        stop = self.stop_price
        if stop is not None and (price >= stop if self.side == "buy" else price <= stop):
            self.kind = "market" if self.kind == "stop" else "limit"

    def _slipped(self, price: float, slippage: float) -> float:
        return price * (1.0 + slippage if self.side == "buy" else 1.0 - slippage)


def rest(event: OrderEvent, now_ns: int) -> Resting:
    """The order that an accepted event opens."""
    return Resting(
        client_order_id=event.client_order_id,
        symbol=event.symbol,
        side=event.side,
        kind=event.kind,
        tif=event.tif,
        quantity=event.quantity,
        opened_ns=now_ns,
        limit_price=event.limit_price,
        stop_price=event.stop_price,
        filled=event.filled,
    )
