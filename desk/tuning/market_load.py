"""The load of a market: the rates of its busiest moments, and the shares of symbols."""

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from desk.model.block_checks import row_classes
from desk.model.blocks import Block
from desk.model.ticks import CLASSES
from desk.model.units import MINUTE_NS, MS_NS, SECOND_NS

BIN_NS: Final = 100 * MS_NS
BINS_PER_S: Final = SECOND_NS // BIN_NS
MINUTE_S: Final = 60


class LoadPeak(msgspec.Struct, frozen=True):
    """The busiest window of one length: its start, and its ticks per second."""

    start_ns: int
    per_s: float


class MarketLoad(msgspec.Struct, frozen=True, kw_only=True):
    """The load of a market under a plan.

    `burst` is the busiest window of `window_s`, `second` the busiest second, `mean_per_s` is over all `span_s`.
    `by_symbol` holds the ticks in the burst of every symbol subscribed, 0 for symbols without any. `assumed` explains
    the figures that were not measured.
    """

    place: str
    ticks: int
    span_s: float
    window_s: float
    burst: LoadPeak
    second: LoadPeak
    mean_per_s: float
    by_symbol: dict[str, int]
    assumed: str = ""


class RowFilter(msgspec.Struct, frozen=True):
    """The rows of the market that a plan uses: by symbol, class ("trades", "quotes") and time received."""

    symbols: frozenset[str]
    channels: frozenset[str]
    start_ns: int
    stop_ns: int | None = None

    def rows(self, block: Block) -> NDArray[np.intp]:
        """Their indices within the block, rising."""
        mask = np.array([name in self.symbols for name in block.symbols] + [False])[block.symbol]
        mask &= block.recv_ns >= self.start_ns
        if self.stop_ns is not None:
            mask &= block.recv_ns < self.stop_ns
        classes = row_classes(block)
        for number, kind in enumerate(CLASSES):
            if kind not in self.channels:
                mask &= classes != number
        return np.flatnonzero(mask)


class TickRates:
    """Ticks by tenth of a second from `start_ns` on: four bytes for each tenth, 3.5 MB for 24 hours."""

    def __init__(self, start_ns: int) -> None:
        self._start_ns = start_ns
        self._bins = np.zeros(MINUTE_S * BINS_PER_S, np.uint32)
        self._used = 0

    @property
    def ticks(self) -> int:
        """All ticks counted."""
        return int(self._bins.sum(dtype=np.int64))

    @property
    def span_s(self) -> float:
        """From the start to the last tick, at least one bin."""
        return max(self._used, 1) / BINS_PER_S

    def add(self, recv_ns: NDArray[np.int64]) -> None:
        """Count ticks received at these times, none before the start."""
        if not len(recv_ns):
            return
        numbers = (recv_ns - self._start_ns) // BIN_NS
        self._used = max(self._used, int(numbers.max()) + 1)
        if self._used > len(self._bins):
            self._bins.resize(2 * self._used, refcheck=False)
        first = int(numbers.min())
        counts = np.bincount(numbers - first)
        self._bins[first : first + len(counts)] += counts.astype(np.uint32)

    def busiest(self, window_s: float) -> LoadPeak:
        """The busiest window, to a tenth of a second; a window longer than the market contains all of it."""
        width = window_bins(window_s)
        running = np.concatenate(([0], np.cumsum(self._bins[: max(self._used, width)], dtype=np.int64)))
        counts = running[width:] - running[:-width] if width < len(running) else running[-1:]
        first = int(counts.argmax())
        return LoadPeak(self._start_ns + first * BIN_NS, float(counts[first]) * BINS_PER_S / width)

    def reached_ns(self, from_ns: int, ticks: int) -> int:
        """The time at which so many ticks have arrived since `from_ns`, to a tenth of a second; else the end."""
        first = (from_ns - self._start_ns) // BIN_NS
        running = np.cumsum(self._bins[first : self._used], dtype=np.int64)
        bins = min(int(np.searchsorted(running, ticks)) + 1, len(running))
        return from_ns + bins * BIN_NS


def window_bins(window_s: float) -> int:
    """The number of bins of a window."""
    return max(1, round(window_s * BINS_PER_S))


def minutes_load(
    place: str,
    minutes: Mapping[int, Mapping[str, int]],
    symbols: Iterable[str],
    ticks_per_trade: float,
    window_s: float,
) -> MarketLoad:
    """The load of a run of which only the trades of each minute (by minute_ns, then symbol) are known.

    Within the busiest minute a window of S seconds is taken to be `burst_factor(S)` times as busy as the minute, and
    each symbol to have its share of the minute. `minutes` must not be empty.
    """
    trades = {minute_ns: sum(by_symbol.values()) for minute_ns, by_symbol in minutes.items()}
    busiest_ns = max(trades, key=lambda minute_ns: (trades[minute_ns], -minute_ns))
    minute_per_s = trades[busiest_ns] * ticks_per_trade / MINUTE_S
    burst_per_s = minute_per_s * burst_factor(window_s)
    scale = burst_per_s * window_s / max(trades[busiest_ns], 1)
    span_s = (max(minutes) + MINUTE_NS - min(minutes)) / SECOND_NS
    ticks = sum(trades.values()) * ticks_per_trade
    by_symbol = dict.fromkeys(symbols, 0)
    by_symbol |= {symbol: round(count * scale) for symbol, count in minutes[busiest_ns].items()}
    return MarketLoad(
        place=place,
        ticks=round(ticks),
        span_s=span_s,
        window_s=window_s,
        burst=LoadPeak(busiest_ns, burst_per_s),
        second=LoadPeak(busiest_ns, minute_per_s * burst_factor(1.0)),
        mean_per_s=ticks / span_s,
        by_symbol=by_symbol,
        assumed=f"a run keeps its minutes: the busiest had {minute_per_s:,.0f} ticks/s on average, and {window_s:g} s "
        f"in it are taken to be (1 + 10 s / {window_s:g} s) = {burst_factor(window_s):.2f} times as busy",
    )


def burst_factor(window_s: float) -> float:
    """The assumed rate of the busiest window in a minute over the minute's mean: 1 + 10 s / window.

    An envelope of recorded days of single large stocks, whose busiest second, 5, 10 and 30 seconds had 6 to 11,
    2 to 3.4, 1.4 to 2.2 and 1.1 to 1.3 times the rate of their busiest minute.
    """
    return 1.0 + 10.0 / window_s
