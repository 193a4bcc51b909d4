"""Template: copy this file, rename the class, change the rules."""

from typing import Annotated

from msgspec import Meta

from desk import strategy
from desk.model.bars import Bar


class Template(strategy.Strategy):
    """Buys when a minute closes above the mean of the last closes, and closes the position when one closes below it.

    PARAMS   `Params` lists what a plan may set, with types, bounds and defaults; read it as `self.params`.
    HOOKS    define those you need; one instance runs per symbol:
                 on_second(self, ctx)         every second          on_bar(self, ctx, bar)      every closed minute
                 on_trade(self, ctx, trade)   every trade           on_quote(self, ctx, quote)  every quote kept
                 on_fill(self, ctx, fill)     your order was filled, in whole or in part
                 on_gap(self, ctx, gap)       ticks from gap.from_ns to gap.to_ns are missing, and gap.why: what you
                                              count or average over them is short of that, and bars there are partial;
                                              with gap.is_open the feed is down: a second call follows at its return
    SEE      ctx.symbol, ctx.price (what the symbol is worth now by its newest valid print and quote, or None),
             ctx.trade, ctx.quote (the last to arrive, valid or not, or None), ctx.bars.close[-1] (numpy columns, oldest
             first), ctx.warm (bars reach back to the session's start), ctx.position.quantity (negative = short),
             ctx.now_ns and ctx.session_start_ns; ctx.degraded and ctx.age_ns: data too old to enter on, and how old.
    ACT      ctx.buy(10), ctx.sell(10, limit=9.5), ctx.buy(5, stop=12.0, tif="ioc") give an order's id;
             ctx.cancel(id), ctx.open_orders; ctx.close() flattens, and may be repeated. Orders sent before the open
             wait for it, later than the close they are refused; limit orders with extended_hours=True are not.
             An order may be refused, filled in parts, or late: judge by ctx.position and ctx.open_orders, not by
             what you asked for. Entries on old data or above a limit of [risk] are refused; of exits, only those
             above max_orders_per_minute: ask again.
    STATE    keep it in `self`, as plain data: it is pickled every second, and a restart resumes from it. No
             clock, no random, no file, no global: ctx.now_ns and ctx.rng make a replay repeat itself exactly.
    PLAN     [[strategies]]
             use = "strategies.template:Template"
             symbols = ["SPY"]                        # or scanner = "TopMovers"; left out: all
             params = { minutes = 5, shares = 10 }
    TEST     `desk check PLAN` finds what cannot run. Drive the class with a context, as tests/strategies does:
                 template.on_bar(ctx, bar); assert ctx.asked == [...]
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
