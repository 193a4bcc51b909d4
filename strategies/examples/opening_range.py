"""Opening range: trade the breakout from the range of the session's first minutes, once."""

from math import inf
from typing import Annotated, Final

import numpy as np
from msgspec import Meta

from desk import strategy
from desk.model.units import MINUTE_NS, floor_to

TARGET_R: Final = 2.0


class OpeningRange(strategy.Strategy):
    """Buys a breakout above the opening range. The stop is the range's low, the target twice its width.

    A breakout is a step from inside to outside, so an instance that starts late does not follow a price that left
    the range long ago. One entry per session. With `short`, it sells a breakout below the low in the same way.
    """

    class Params(strategy.Params, frozen=True):
        """`risk_usd` is about the loss at the stop; `max_usd` limits the position when the range is narrow."""

        minutes: Annotated[int, Meta(ge=1, le=390)] = 15
        risk_usd: Annotated[float, Meta(gt=0)] = 50.0
        max_usd: Annotated[float, Meta(gt=0)] = 9_000.0
        short: bool = False

    params: Params

    def __init__(self, params: Params) -> None:
        super().__init__(params)
        self.low = inf
        self.high = -inf
        self.was_inside = False
        self.done = False
        self.leaving = False

    def on_second(self, ctx: strategy.Context) -> None:
        price = ctx.price
        if self.leaving:
            ctx.close()
        elif price is None:
            return
        elif ctx.position.quantity:
            self._guard(ctx, price)
        elif not self.done and self._has_range(ctx):
            self._seek(ctx, price)

    def _has_range(self, ctx: strategy.Context) -> bool:
        """Whether the range is known; reads it from the bars once its last minute is closed."""
        if self.low < self.high:
            return True
        start_ns = floor_to(ctx.session_start_ns, MINUTE_NS)
        end_ns = start_ns + self.params.minutes * MINUTE_NS
        if ctx.now_ns < end_ns:
            return False
        minutes = ctx.bars.minute_ns
        first, last = np.searchsorted(minutes, (start_ns, end_ns))
        ends_whole = last > first and minutes[last - 1] == end_ns - MINUTE_NS
        if not ends_whole and ctx.now_ns < end_ns + MINUTE_NS:
            # The last minute is not closed yet, or had no trade: wait one more minute to know.
            return False
        if ctx.warm and last > first:
            self.low = float(ctx.bars.low[first:last].min())
            self.high = float(ctx.bars.high[first:last].max())
        self.done = self.low >= self.high
        return not self.done

    def _seek(self, ctx: strategy.Context, price: float) -> None:
        if self.low <= price <= self.high:
            self.was_inside = True
        elif self.was_inside:
            self.was_inside = False
            if not ctx.degraded:
                self._enter(ctx, price)

    def _enter(self, ctx: strategy.Context, price: float) -> None:
        params = self.params
        quantity = min(params.risk_usd / (self.high - self.low), params.max_usd / price) // 1
        if quantity < 1 or (price < self.low and not params.short):
            return
        self.done = True
        if price > self.high:
            ctx.buy(quantity)
        else:
            ctx.sell(quantity)

    def _guard(self, ctx: strategy.Context, price: float) -> None:
        """Close at the stop or the target; cancel the rest of the entry first."""
        reach = TARGET_R * (self.high - self.low)
        entry = ctx.position.average_price
        if ctx.position.quantity > 0:
            is_over = price <= self.low or price >= entry + reach
        else:
            is_over = price >= self.high or price <= entry - reach
        if is_over:
            self.leaving = True
            for order in ctx.open_orders:
                ctx.cancel(order)
            ctx.close()
