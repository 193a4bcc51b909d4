"""Pressure: follow the heavier side of the book for a few seconds."""

from typing import Annotated, Final

from msgspec import Meta

from desk import strategy
from desk.model.ticks import Quote
from desk.model.units import SECOND_NS

SMOOTHING: Final = 0.1
"""Weight of the newest quote in the averages: about the last twenty quotes count."""

FIRST_QUOTES: Final = 20
"""No entry before so many quotes."""


class Pressure(strategy.Strategy):
    """Buys when the average bid size is above `ratio` times the average ask size, and sells in the opposite case.

    It closes after `hold_s`, or as soon as the other side is larger. Entries are at least `hold_s` apart, filled or
    not.
    """

    class Params(strategy.Params, frozen=True):
        """`ratio` of the average sizes; `risk_usd` is the value of a position, the most that a long one can lose."""

        ratio: Annotated[float, Meta(gt=1)] = 3.0
        hold_s: Annotated[int, Meta(ge=1)] = 20
        risk_usd: Annotated[float, Meta(gt=0)] = 500.0

    params: Params

    def __init__(self, params: Params) -> None:
        super().__init__(params)
        self.bid_size = 0.0
        self.ask_size = 0.0
        self.quotes = 0
        self.asked_ns = 0

    def on_quote(self, ctx: strategy.Context, quote: Quote) -> None:  # noqa: ARG002 - the hook's signature
        if not (0 < quote.bid < quote.ask and quote.bid_size > 0 and quote.ask_size > 0):
            # An empty, crossed or locked quote is unusable; an empty side would make the ratio infinite.
            return
        weight = SMOOTHING if self.quotes else 1.0
        self.bid_size += weight * (quote.bid_size - self.bid_size)
        self.ask_size += weight * (quote.ask_size - self.ask_size)
        self.quotes += 1

    def on_second(self, ctx: strategy.Context) -> None:
        if ctx.open_orders:
            return
        held = ctx.position.quantity
        is_over = ctx.now_ns - self.asked_ns >= self.params.hold_s * SECOND_NS
        if held:
            lead = self.bid_size - self.ask_size
            if is_over or lead * held < 0:
                ctx.close()
        elif is_over and self.quotes >= FIRST_QUOTES and ctx.price is not None and not ctx.degraded:
            self._enter(ctx, self.params.risk_usd // ctx.price)

    def _enter(self, ctx: strategy.Context, quantity: float) -> None:
        ratio = self.params.ratio
        buys = self.bid_size > ratio * self.ask_size
        if quantity < 1 or not (buys or self.ask_size > ratio * self.bid_size):
            return
        self.asked_ns = ctx.now_ns
        if buys:
            ctx.buy(quantity, tif="ioc")
        else:
            ctx.sell(quantity, tif="ioc")
