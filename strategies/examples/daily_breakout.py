"""Daily breakout: buy what trades above the highs of the last days."""

from typing import Annotated, ClassVar, Final

from msgspec import Meta

from desk import strategy
from desk.model.bars import Bar

MOST_DAYS: Final = 20


class DailyBreakout(strategy.Strategy):
    """Buys when five minutes close above the high of each of the last `days` days, once a day.

    It closes the position when five minutes close below the low of the hour before. Its entry in a plan needs
    `bars = ["5m"]`. Without the bars of the days before (`ctx.warm` is false) it does nothing.
    """

    class Params(strategy.Params, frozen=True):
        """`usd` is about the value of a position."""

        days: Annotated[int, Meta(ge=1, le=MOST_DAYS)] = MOST_DAYS
        usd: Annotated[float, Meta(gt=0)] = 5_000.0

    params: Params
    history: ClassVar = {"1d": MOST_DAYS}

    def __init__(self, params: Params) -> None:
        super().__init__(params)
        self.done = False

    def on_bar(self, ctx: strategy.Context, bar: Bar) -> None:
        if bar.timeframe != "5m" or ctx.open_orders:
            return
        if ctx.position.quantity:
            hour = ctx.bars_of("5m").low[-13:-1]
            if len(hour) and bar.close < hour.min():
                ctx.close()
        elif not self.done and ctx.warm and not ctx.degraded:
            days = ctx.bars_of("1d").high[-self.params.days :]
            quantity = self.params.usd // bar.close
            if len(days) == self.params.days and bar.close > days.max() and quantity >= 1:
                self.done = True
                ctx.buy(quantity)
