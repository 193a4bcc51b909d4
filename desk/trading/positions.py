"""Positions: the shares of each strategy in each symbol, their cost, and the realized profit."""

from collections.abc import Mapping

from desk.model.orders import Side
from desk.strategy import Position
from desk.trading.order_life import DUST

Pair = tuple[str, str]
"""(strategy, symbol)."""

FLAT = Position()


def after_fill(position: Position, side: Side, quantity: float, price: float, fee: float = 0.0) -> Position:
    """The position after one execution, by average cost.

    Shares that reduce the position realize `price` less average cost each; shares beyond zero open the other side at
    `price`. `realized` is before fees.
    """
    held = position.quantity
    change = quantity if side == "buy" else -quantity
    total = held + change
    if abs(total) <= DUST:
        total = 0.0
    if held * change >= 0.0:
        average = (held * position.average_price + change * price) / total if total else 0.0
        realized = 0.0
    else:
        closed = min(abs(held), abs(change))
        realized = closed * (price - position.average_price) * (1.0 if held > 0.0 else -1.0)
        average = 0.0 if not total else position.average_price if total * held > 0.0 else price
    return Position(total, average, position.realized + realized, position.fees + fee)


class PositionBook:
    """The positions of every (strategy, symbol) with a fill. Money in account currency."""

    def __init__(self) -> None:
        self.realized = 0.0
        self.fees = 0.0
        self._positions: dict[Pair, Position] = {}

    def fill(self, pair: Pair, side: Side, quantity: float, price: float, fee: float = 0.0) -> Position:
        """Apply one execution; returns the position after it."""
        before = self.position(pair)
        after = after_fill(before, side, quantity, price, fee)
        self.realized += after.realized - before.realized
        self.fees += fee
        self._positions[pair] = after
        return after

    def position(self, pair: Pair) -> Position:
        """The strategy's position in the symbol; flat if it never traded."""
        return self._positions.get(pair, FLAT)

    def positions(self) -> dict[Pair, Position]:
        """All positions, including flat ones, which have realized profit and fees."""
        return dict(self._positions)

    def unrealized(self, prices: Mapping[str, float]) -> float:
        """Unrealized profit at these prices; a symbol without a price is valued at cost."""
        return sum(
            position.quantity * (prices[symbol] - position.average_price)
            for (_, symbol), position in self._positions.items()
            if position.quantity and symbol in prices
        )

    def gross(self, prices: Mapping[str, float]) -> float:
        """Sum of |quantity| x price; a symbol without a price is valued at average cost."""
        return sum(abs(value) for value in self._values(prices))

    def net(self, prices: Mapping[str, float]) -> float:
        """Sum of quantity x price, shorts negative; a symbol without a price is valued at average cost."""
        return sum(self._values(prices))

    def _values(self, prices: Mapping[str, float]) -> list[float]:
        return [
            position.quantity * prices.get(symbol, position.average_price)
            for (_, symbol), position in self._positions.items()
            if position.quantity
        ]
