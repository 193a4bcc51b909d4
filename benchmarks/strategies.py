"""Strategies that do nothing, keep the processor busy, or sleep."""

from time import perf_counter_ns, sleep
from typing import Final

from desk import strategy
from desk.model.ticks import Trade
from desk.model.units import SECOND_NS
from desk.strategy import Context

LEAST_SLEEP_NS: Final = 500_000


class Idle(strategy.Strategy):
    """Returns at once from a call per symbol and second."""

    def on_second(self, ctx: Context) -> None:
        """Return."""


class Slow(strategy.Strategy):
    """Keeps the processor busy per symbol and second."""

    class Params(strategy.Params, frozen=True):
        """`busy_us` is the time of one call."""

        busy_us: float = 1000.0

    params: Params

    def on_second(self, ctx: Context) -> None:  # noqa: ARG002 - the hook's signature
        """Be busy."""
        be_busy(self.params.busy_us)


class SlowOnTrades(strategy.Strategy):
    """Keeps the processor busy on every trade."""

    class Params(strategy.Params, frozen=True):
        """`busy_us` is the time of one call."""

        busy_us: float = 100.0

    params: Params

    def on_trade(self, ctx: Context, trade: Trade) -> None:  # noqa: ARG002 - the hook's signature
        """Be busy."""
        be_busy(self.params.busy_us)


class WaitsOnTrades(strategy.Strategy):
    """Sleeps on every trade: its shard is busy, the processor is not.

    Sleeps last LEAST_SLEEP_NS or more; oversleeping shortens the next one, so that a trade takes `wait_us` on average.
    """

    class Params(strategy.Params, frozen=True):
        """`wait_us` is the average time of one call."""

        wait_us: float = 1000.0

    params: Params

    def __init__(self, params: Params) -> None:
        super().__init__(params)
        self._owed_ns = 0.0

    def on_trade(self, ctx: Context, trade: Trade) -> None:  # noqa: ARG002 - the hook's signature
        """Wait."""
        self._owed_ns += self.params.wait_us * 1000
        if self._owed_ns >= LEAST_SLEEP_NS:
            began_ns = perf_counter_ns()
            sleep(self._owed_ns / SECOND_NS)
            self._owed_ns -= perf_counter_ns() - began_ns


def be_busy(busy_us: float) -> None:
    """Keep the processor busy for `busy_us`."""
    until_ns = perf_counter_ns() + busy_us * 1000
    while perf_counter_ns() < until_ns:
        pass
