"""Mean reversion: trade against a price far from its recent mean, until it returns."""

from collections import deque
from math import sqrt
from typing import Annotated, Final

from msgspec import Meta

from desk import strategy

UNITS_PER_DOLLAR: Final = 10_000
"""Prices are kept as whole ten-thousandths, the finest US price step: integer sums never drift."""


class MeanReversion(strategy.Strategy):
    """Each second it computes the z-score of the price over the last `window` seconds.

    Beyond `entry_z` it trades against the move, both ways; within `exit_z`, or past the mean, it closes the position.
    After an entry the price must return once before the next, so that a refused order is not repeated each second.
    """

    class Params(strategy.Params, frozen=True):
        """`window` in seconds; `risk_usd` is the value of a position, the most that a long can lose."""

        window: Annotated[int, Meta(ge=2)] = 20
        entry_z: Annotated[float, Meta(gt=0)] = 2.0
        exit_z: Annotated[float, Meta(ge=0)] = 0.5
        risk_usd: Annotated[float, Meta(gt=0)] = 500.0

        def __post_init__(self) -> None:
            reachable = (self.window - 1) / sqrt(self.window)
            if not self.exit_z < self.entry_z < reachable:
                raise ValueError(f"entry_z must lie between exit_z and (window - 1) / sqrt(window) = {reachable:.2f}")

    params: Params

    def __init__(self, params: Params) -> None:
        super().__init__(params)
        self.prices: deque[int] = deque()
        self.total = 0
        self.squares = 0
        self.came_back = True

    def on_second(self, ctx: strategy.Context) -> None:
        price = ctx.price
        if price is None:
            return
        z = self._score(price)
        if z is None or ctx.open_orders:
            return
        params = self.params
        held = ctx.position.quantity
        if held:
            if (z if held > 0 else -z) >= -params.exit_z:
                ctx.close()
        elif abs(z) <= params.exit_z:
            self.came_back = True
        elif abs(z) > params.entry_z and self.came_back and not ctx.degraded:
            self._enter(ctx, z, params.risk_usd // price)

    def _score(self, price: float) -> float | None:
        """The z-score of this second's price, itself included; None until the window is full."""
        units = round(price * UNITS_PER_DOLLAR)
        self.prices.append(units)
        self.total += units
        self.squares += units * units
        count = len(self.prices)
        if count > self.params.window:
            oldest = self.prices.popleft()
            self.total -= oldest
            self.squares -= oldest * oldest
            count -= 1
        if count < self.params.window:
            return None
        spread = count * self.squares - self.total * self.total
        return (count * units - self.total) / sqrt(spread) if spread else 0.0

    def _enter(self, ctx: strategy.Context, z: float, quantity: float) -> None:
        if quantity < 1:
            return
        self.came_back = False
        if z < 0:
            ctx.buy(quantity, tif="ioc")
        else:
            ctx.sell(quantity, tif="ioc")
