"""Strategies that do nothing, or nothing but take time."""

from time import perf_counter_ns, sleep
from typing import Final

from desk import strategy
from desk.model.ticks import Trade
from desk.model.units import SECOND_NS
from desk.strategy import Context

LEAST_NAP_NS: Final = 500_000


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


class WaitsOnTrades(strategy.Strategy):
    """Waits for a while on every trade: its shard is busy, and no processor is.

    It waits in naps of LEAST_NAP_NS or more, and what it overslept it waits less the next time: on average a trade
    takes `wait_us`.
    """

    class Params(strategy.Params, frozen=True):
        """`wait_us` is the time one call takes."""

        wait_us: float = 1000.0

    params: Params

    def __init__(self, params: Params) -> None:
        super().__init__(params)
        self._owed_ns = 0.0

    def on_trade(self, ctx: Context, trade: Trade) -> None:  # noqa: ARG002 - the hook's signature
        """Wait."""
        self._owed_ns += self.params.wait_us * 1000
        if self._owed_ns >= LEAST_NAP_NS:
            began_ns = perf_counter_ns()
            sleep(self._owed_ns / SECOND_NS)
            self._owed_ns -= perf_counter_ns() - began_ns


def be_busy(busy_us: float) -> None:
    """Keep the processor for so long."""
    until_ns = perf_counter_ns() + busy_us * 1000
    while perf_counter_ns() < until_ns:
        pass
