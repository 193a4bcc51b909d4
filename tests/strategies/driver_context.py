"""A context to drive one strategy by hand: what it sees is set here, what it asks for is recorded here."""

from random import Random

import numpy as np
from numpy.typing import NDArray

from desk.bars.reference_price import Pricing
from desk.model.bars import Bar
from desk.model.orders import Side, TimeInForce
from desk.model.ticks import Quote, Trade
from desk.model.units import MINUTE_NS, SECOND_NS
from desk.strategy import Bars, Fill, Position
from desk.trading.positions import after_fill

START_NS = 1_381_152_600 * SECOND_NS
"""2013-10-07, 09:30 in New York."""


class DriverBars:
    """Closed minutes as numpy columns."""

    def __init__(self) -> None:
        self.rows: list[Bar] = []

    def _floats(self, name: str) -> NDArray[np.float64]:
        return np.array([getattr(row, name) for row in self.rows], dtype=np.float64)

    def _ints(self, name: str) -> NDArray[np.int64]:
        return np.array([getattr(row, name) for row in self.rows], dtype=np.int64)

    @property
    def minute_ns(self) -> NDArray[np.int64]:
        return self._ints("minute_ns")

    @property
    def open(self) -> NDArray[np.float64]:
        return self._floats("open")

    @property
    def high(self) -> NDArray[np.float64]:
        return self._floats("high")

    @property
    def low(self) -> NDArray[np.float64]:
        return self._floats("low")

    @property
    def close(self) -> NDArray[np.float64]:
        return self._floats("close")

    @property
    def volume(self) -> NDArray[np.float64]:
        return self._floats("volume")

    @property
    def vwap(self) -> NDArray[np.float64]:
        return self._floats("vwap")

    @property
    def trades(self) -> NDArray[np.int64]:
        return self._ints("trades")

    def __len__(self) -> int:
        return len(self.rows)


class Order:
    """What a strategy asked for, and how much of it is filled."""

    def __init__(
        self,
        client_order_id: str,
        side: Side,
        quantity: float,
        limit: float | None,
        stop: float | None,
        tif: TimeInForce,
        extended_hours: bool,
    ) -> None:
        self.client_order_id = client_order_id
        self.side = side
        self.quantity = quantity
        self.limit = limit
        self.stop = stop
        self.tif = tif
        self.extended_hours = extended_hours
        self.filled = 0.0


class DriverContext:
    """A whole `desk.strategy.Context`: the test plays the market and the venue, the strategy decides.

    `asked` lists (side, quantity) of every order, oldest first; `cancels` the ids it took back.
    """

    def __init__(self, symbol: str = "SPY") -> None:
        self.symbol = symbol
        self.session_start_ns = START_NS
        self.now_ns = START_NS
        self.age_ns = 0
        self.degraded = False
        self.warm = True
        self.closed = DriverBars()
        self.bars: Bars = self.closed
        self.trade: Trade | None = None
        self.quote: Quote | None = None
        self.price: float | None = None
        self.position = Position()
        self.orders: dict[str, Order] = {}
        self.sent: list[Order] = []
        self.cancels: list[str] = []
        self._closing: str | None = None
        self._rng = Random(symbol)
        self._ordinal = 0

    @property
    def asked(self) -> list[tuple[Side, float]]:
        return [(order.side, order.quantity) for order in self.sent]

    @property
    def rng(self) -> Random:
        return self._rng

    @property
    def open_orders(self) -> tuple[str, ...]:
        return tuple(self.orders)

    def buy(
        self,
        quantity: float,
        *,
        limit: float | None = None,
        stop: float | None = None,
        tif: TimeInForce = "day",
        extended_hours: bool = False,
    ) -> str:
        return self._order("buy", quantity, limit, stop, tif, extended_hours)

    def sell(
        self,
        quantity: float,
        *,
        limit: float | None = None,
        stop: float | None = None,
        tif: TimeInForce = "day",
        extended_hours: bool = False,
    ) -> str:
        return self._order("sell", quantity, limit, stop, tif, extended_hours)

    def close(self, *, limit: float | None = None, extended_hours: bool = False) -> str | None:
        held = self.position.quantity
        if held == 0:
            return None
        if self._closing not in self.orders:
            side: Side = "sell" if held > 0 else "buy"
            self._closing = self._order(side, abs(held), limit, None, "day", extended_hours)
        return self._closing

    def cancel(self, client_order_id: str) -> None:
        if client_order_id not in self.orders:
            raise ValueError(f"{client_order_id!r} is not open")
        self.cancels.append(client_order_id)

    def second(self, price: float | None = None, seconds: float = 1) -> None:
        """Let session time pass; then the last trade and the reference price are `price`, or what they were before."""
        self.now_ns += int(seconds * SECOND_NS)
        if price is not None:
            self._ordinal += 1
            self.price = price
            self.trade = Trade(self._ordinal, self.symbol, self.now_ns, self.now_ns, price, 100.0)

    def minute(self, high: float, low: float, close: float | None = None) -> Bar:
        """Let a minute pass and close; its bar."""
        minute_ns = self.now_ns - self.now_ns % MINUTE_NS
        bar = Bar(self.symbol, minute_ns, low, high, low, high if close is None else close, 1_000.0, 1_000.0 * low, 10)
        self.closed.rows.append(bar)
        self.second(bar.close, seconds=60)
        return bar

    def book(self, bid_size: float, ask_size: float, bid: float = 99.99, ask: float = 100.01) -> Quote:
        """A new quote."""
        self._ordinal += 1
        self.quote = Quote(self._ordinal, self.symbol, self.now_ns, self.now_ns, bid, bid_size, ask, ask_size)
        pricing = Pricing()
        pricing.on_quote(self.quote)
        if self.trade is None and pricing.price is not None:
            self.price = pricing.price
        return self.quote

    def fill(self, price: float, quantity: float | None = None) -> Fill:
        """The venue fills the oldest open order, in whole or in part."""
        order = next(iter(self.orders.values()))
        counted = order.quantity - order.filled if quantity is None else quantity
        order.filled += counted
        done = order.filled >= order.quantity
        if done:
            self.end(order.client_order_id)
        self.position = after_fill(self.position, order.side, counted, price)
        return Fill(order.client_order_id, order.side, counted, price, 0.0, self.now_ns, done)

    def end(self, client_order_id: str) -> None:
        """The order is over: filled, canceled or refused."""
        del self.orders[client_order_id]

    def _order(
        self,
        side: Side,
        quantity: float,
        limit: float | None,
        stop: float | None,
        tif: TimeInForce,
        extended_hours: bool,
    ) -> str:
        if not quantity > 0:
            raise ValueError(f"quantity must be positive, not {quantity!r}")
        order = Order(f"order-{len(self.sent) + 1}", side, float(quantity), limit, stop, tif, extended_hours)
        self.sent.append(order)
        self.orders[order.client_order_id] = order
        return order.client_order_id
