"""A strategy that is slow in the first minutes of a session and fast afterwards."""

import time

from desk import strategy
from desk.model.ticks import Trade
from desk.model.units import MINUTE_NS


class SlowStrategy(strategy.Strategy):
    """Waits on every trade instead of computing, so that many of its kind share few cores."""

    class Params(strategy.Params, frozen=True):
        wait_us: float = 1000.0
        until: int = 3

    params: Params

    def __init__(self, params: strategy.Params) -> None:
        super().__init__(params)
        self.began_ns = 0

    def on_trade(self, ctx: strategy.Context, trade: Trade) -> None:
        self.began_ns = self.began_ns or ctx.now_ns
        if ctx.now_ns - self.began_ns < self.params.until * MINUTE_NS:
            time.sleep(self.params.wait_us / 1e6)
