"""One worker, the same in every baseline: measures ages, builds bars, calls a strategy per symbol and second."""

import gc
from collections.abc import Callable
from typing import Final

import numpy as np

from benchmarks.reading import Reading
from benchmarks.strategies import be_busy
from desk.bars.builder import BarBuilder
from desk.model.bars import Bar
from desk.model.ticks import Trade
from desk.model.units import MINUTE_NS, MS_NS, SECOND_NS, floor_to
from desk.telemetry.histogram import Histogram

REPORT_NS: Final = 250 * MS_NS
GRACE_NS: Final = SECOND_NS


class Worker:
    """Builds the bars of every symbol it receives. Its strategy takes `slow_us` per symbol and second."""

    def __init__(self, started_ns: int, slow_us: float = 0.0) -> None:
        self.applied = 0
        self.closed: list[Bar] = []
        self._builders: dict[str, BarBuilder] = {}
        self._since_ns = started_ns
        self._closed_to_ns = floor_to(started_ns, MINUTE_NS)
        self._slow_us = slow_us
        self._on_second: Callable[[str], None] = self._be_slow if slow_us else _return_at_once
        self._ages: list[int] = []
        self._waits: list[int] = []
        self._age = Histogram()
        self._wait = Histogram()
        self._reported_ns = 0

    def take(self, trade: Trade, now_ns: int) -> None:
        """Record the trade's age and time in queue, and add it to its bar."""
        self.applied += 1
        self._ages.append(now_ns - trade.ts_ns)
        self._waits.append(now_ns - trade.received_ns)
        builder = self._builders.get(trade.symbol)
        if builder is None:
            builder = self._builders[trade.symbol] = BarBuilder(trade.symbol, self._since_ns)
        builder.add(trade, self._closed_to_ns)

    def second(self, now_ns: int) -> None:
        """Close the minutes that ended, and call the strategy for every symbol."""
        closed_to_ns = floor_to(now_ns - GRACE_NS, MINUTE_NS)
        if closed_to_ns > self._closed_to_ns:
            for builder in self._builders.values():
                bar = builder.close(self._closed_to_ns)
                if bar is not None:
                    self.closed.append(bar)
            self._closed_to_ns = closed_to_ns
        on_second = self._on_second
        for symbol in self._builders:
            on_second(symbol)

    def report_due(self, now_ns: int) -> bool:
        """Whether the last report is REPORT_NS old."""
        return now_ns - self._reported_ns >= REPORT_NS

    def report(self, now_ns: int, received: int = 0) -> Reading:
        """Return the running totals."""
        self._reported_ns = now_ns
        self._age.add(np.array(self._ages, np.int64))
        self._wait.add(np.array(self._waits, np.int64))
        self._ages.clear()
        self._waits.clear()
        return Reading(now_ns, received, self.applied, 0, self._age.snapshot(), self._wait.snapshot())

    def _be_slow(self, _: str) -> None:
        be_busy(self._slow_us)


def disable_gc() -> None:
    """Turn the cyclic garbage collector off, as the desk does in its processes."""
    gc.collect()
    gc.freeze()
    gc.disable()


def _return_at_once(symbol: str) -> None:
    """A strategy that does nothing."""
