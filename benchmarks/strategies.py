"""Strategies that do nothing, or nothing but take time."""

from time import perf_counter_ns

from desk import strategy
from desk.model.ticks import Trade
from desk.strategy import Context


class Idle(strategy.Strategy):
    """Is called on every symbol and second, and returns at once."""

    def on_second(self, ctx: Context) -> None:
        """Return."""


class Slow(strategy.Strategy):
    """Is busy for a while on every symbol and second."""

    class Params(strategy.Params, frozen=True):
        """`busy_us` is the time one call takes."""

        busy_us: float = 1000.0

    params: Params

    def on_second(self, ctx: Context) -> None:  # noqa: ARG002 - the hook's signature
        """Be busy."""
        be_busy(self.params.busy_us)


class SlowOnTrades(strategy.Strategy):
    """Is busy for a while on every trade."""

    class Params(strategy.Params, frozen=True):
        """`busy_us` is the time one call takes."""

        busy_us: float = 100.0

    params: Params

    def on_trade(self, ctx: Context, trade: Trade) -> None:  # noqa: ARG002 - the hook's signature
        """Be busy."""
        be_busy(self.params.busy_us)


def be_busy(busy_us: float) -> None:
    """Keep the processor for so long."""
    until_ns = perf_counter_ns() + busy_us * 1000
    while perf_counter_ns() < until_ns:
        pass
