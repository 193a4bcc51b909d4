"""A strategy to start from: copy this file, rename the class, change the rules."""

from typing import Annotated

from msgspec import Meta

from desk import strategy
from desk.model.bars import Bar


class Template(strategy.Strategy):
    """Buys when a minute closes above the mean of the last closes, and closes the position when one closes below it.

    PARAMS   `Params` lists what a plan may set, with types, bounds and defaults; read it as `self.params`.
    HOOKS    define those that you need; one instance runs per symbol:
                 on_second(self, ctx)         every second          on_bar(self, ctx, bar)      every closed minute
                 on_trade(self, ctx, trade)   every trade           on_quote(self, ctx, quote)  every quote applied
                 on_fill(self, ctx, fill)     your order was filled, in whole or in part
                 on_gap(self, ctx, gap)       ticks from gap.from_ns to gap.to_ns are missing (gap.why): your counts and
                                              averages lack them, and bars there are partial. With gap.is_open the
                                              feed is down; a second call follows when it is up again
                 on_status(self, ctx, status) the venue halted or resumed the symbol, or said something else of it
    READ     ctx.symbol; ctx.price (reference price by the newest valid trade and quote, or None); ctx.trade and
             ctx.quote (the last that arrived, or None); ctx.bars.close[-1] (closed minutes as numpy columns, oldest
             first); ctx.bars_of("5m") (the same of "5m", "15m", "1h", "1d"); ctx.warm (bars reach back to the session's
             start, and the declared history is there); ctx.position.quantity (negative = short); ctx.now_ns and
             ctx.session_start_ns; ctx.degraded (the data are too old for an entry) and ctx.age_ns (how old);
             ctx.halted (no entries) and ctx.bands (limit up, limit down: ctx.bands.down, ctx.bands.up, or None).
    ORDER    ctx.buy(10), ctx.sell(10, limit=9.5), ctx.buy(5, stop=12.0, tif="ioc") return the order's id;
             ctx.cancel(id); ctx.open_orders; ctx.close() flattens, and may be repeated. An order sent before the open
             waits for it; one sent after the close is refused, unless it is a limit order with extended_hours=True.
             An order may be refused, filled in parts, or filled late: decide by ctx.position and ctx.open_orders, not
             by what you sent. Entries on old data or above a limit of [risk] are refused; exits are refused only
             above max_orders_per_minute: send them again.
    STATE    keep it in `self`, as plain data: it is pickled every second, and a restart continues from there. Use no
             clock, random source, file or global: ctx.now_ns and ctx.rng make a replay repeat exactly.
    HISTORY  history = {"1d": 20} as a class attribute: bars of the days before, in ctx.bars_of("1d").
    PLAN     [[strategies]]
             use = "strategies.template:Template"
             symbols = ["SPY"]                        # or scanner = "TopMovers"; left out: all
             params = { minutes = 5, shares = 10 }
             bars = ["1m"]                            # or more timeframes, which come to on_bar (bar.timeframe)
    TEST     desk.testing runs the class without a feed (docs/how-to/test-a-strategy.md):
                 run = StrategyHarness(Template, Template.Params(minutes=3))
                 for close in (10.0, 10.0, 11.0):
                     run.minute(close)
                 assert run.decisions == [("buy", 10.0)]
    """

    class Params(strategy.Params, frozen=True):
        """`minutes` closes make the mean; `shares` is the size of a position."""

        minutes: Annotated[int, Meta(ge=2)] = 5
        shares: Annotated[int, Meta(ge=1)] = 10

    params: Params

    def __init__(self, params: Params) -> None:
        super().__init__(params)
        self.entries = 0

    def on_bar(self, ctx: strategy.Context, bar: Bar) -> None:
        closes = ctx.bars.close[-self.params.minutes :]
        if len(closes) < self.params.minutes or ctx.open_orders:
            return
        is_above = bar.close > closes.mean()
        if ctx.position.quantity and not is_above:
            ctx.close()
        elif not ctx.position.quantity and is_above and not ctx.degraded:
            ctx.buy(self.params.shares)

    def on_fill(self, ctx: strategy.Context, fill: strategy.Fill) -> None:
        if fill.done and ctx.position.quantity:
            self.entries += 1
