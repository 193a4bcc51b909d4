"""Exposure: the desk's positions, and the positions after its open orders fill.

Tests: tests/desk/trading/test_risk_gate.py
"""

from collections.abc import Iterable
from math import inf
from typing import NamedTuple

from desk.model.orders import Side
from desk.trading.order_life import DUST, Order
from desk.trading.positions import Pair, PositionBook


class Stake(NamedTuple):
    """One strategy's part in one symbol: signed shares held, and shares still open to buy and to sell."""

    held: float = 0.0
    buys: float = 0.0
    sells: float = 0.0

    @property
    def worst(self) -> float:
        """The most shares, long or short, that it may hold, whichever of its orders fill."""
        return max(abs(self.held + self.buys), abs(self.held - self.sells))

    def plus(self, side: Side, quantity: float) -> "Stake":
        """The stake with one more open order."""
        if side == "buy":
            return self._replace(buys=self.buys + quantity)
        return self._replace(sells=self.sells + quantity)

    def is_reduced_by(self, side: Side, quantity: float) -> bool:
        """Whether such an order only reduces the position, even if the open exits fill first."""
        if side == "sell":
            return self.held > 0.0 and self.sells + quantity <= self.held + DUST
        return self.held < 0.0 and self.buys + quantity <= -self.held + DUST


class Exposure:
    """The positions, open orders and last known prices: the input of the risk gate.

    A symbol's shares are the sum of its strategies' worst cases, without netting between strategies: exits are always
    allowed, and one strategy's exit must not increase the exposure beyond the limit. `carried_loss` is the loss of
    earlier sessions of the same exchange day.
    """

    def __init__(self) -> None:
        self.carried_loss = 0.0
        self.book = PositionBook()
        self.prices: dict[str, float] = {}
        self._open: dict[str, dict[str, dict[str, Order]]] = {}

    def add(self, order: Order) -> None:
        """Count an open order."""
        intent = order.intent
        strategies = self._open.setdefault(intent.symbol, {})
        strategies.setdefault(intent.strategy, {})[intent.client_order_id] = order

    def discard(self, order: Order) -> None:
        """Remove a closed order; its fills are in the book."""
        intent = order.intent
        self._open[intent.symbol][intent.strategy].pop(intent.client_order_id, None)

    def open_orders(self) -> Iterable[Order]:
        """Every open order."""
        return [order for of in self._open.values() for orders in of.values() for order in orders.values()]

    def mark(self, symbol: str, price: float) -> bool:
        """Set the symbol's last price; returns whether it changed. A non-positive or infinite price is ignored."""
        news = 0.0 < price < inf and self.prices.get(symbol) != price
        if news:
            self.prices[symbol] = price
        return news

    def stake(self, pair: Pair) -> Stake:
        """The strategy's part in the symbol."""
        strategy, symbol = pair
        orders = self._open.get(symbol, {}).get(strategy, {}).values()
        sides: dict[Side, float] = {"buy": 0.0, "sell": 0.0}
        for order in orders:
            sides[order.intent.side] += order.remaining
        return Stake(self.book.position(pair).quantity, sides["buy"], sides["sell"])

    def shares(self, symbol: str) -> float:
        """The most shares that the strategies together may hold, longs and shorts added."""
        return sum(self.stake((strategy, symbol)).worst for strategy in self._open.get(symbol, ()))

    def gross_notional(self) -> float:
        """The sum of `shares` x last price over all symbols, in account currency."""
        return sum(self.shares(symbol) * self.prices.get(symbol, 0.0) for symbol in self._open)

    def loss(self) -> float:
        """The loss of the exchange day so far, fees included; negative for a profit."""
        return self.carried_loss + self.book.fees - self.book.realized - self.book.unrealized(self.prices)
