"""Minute bars of the played events, for clients that subscribe to them."""

from typing import Any, Final, NamedTuple

import numpy as np

from desk.bars.builder import BarBuilder
from desk.local_venue.byte_fields import Ints
from desk.model.bars import Bar, WorkingBar
from desk.model.block_rows import tick_of
from desk.model.blocks import CANCEL, CORRECTION, TRADE, Block
from desk.model.ticks import Revision, Trade
from desk.model.units import MINUTE_NS, SECOND_NS, ceil_to, floor_to

GRACE_NS: Final = SECOND_NS
UPDATE_NS: Final = 30 * SECOND_NS
TRADED: Final = (TRADE, CORRECTION, CANCEL)


class MinuteMessages(NamedTuple):
    """Bars to publish, sorted by minute and symbol (`new`) or by symbol and minute (`updated`)."""

    new: list[Bar]
    updated: list[Bar]


class MinuteBars:
    """Folds played trades into minutes by venue time.

    A minute is published one second after its end (channel `bars`), and again 30 s after it if late trades or
    corrections have changed it (`updatedBars`); later changes are not published. The first minute published is the one
    that begins after the first event, because an earlier one would be incomplete.
    """

    def __init__(self) -> None:
        self._builders: dict[str, BarBuilder] = {}
        self._trades = 0
        self._reached_ns = 0
        self._closed_to_ns = 0
        self._updated_to_ns = 0
        self._changed: dict[tuple[str, int], WorkingBar] = {}

    def take(self, events: Block, ts_ns: Ints, first: int, last: int) -> MinuteMessages:
        """Apply the events [first, last) with these times; returns the bars that are due now."""
        if not self._reached_ns:
            self._closed_to_ns = self._updated_to_ns = ceil_to(int(ts_ns[first]), MINUTE_NS)
        for row in (np.flatnonzero(np.isin(events.kind[first:last], TRADED)) + first).tolist():
            self._trades += 1
            tick = tick_of(events, row, self._trades, int(ts_ns[row]))
            builder = self._builders.get(tick.symbol)
            if builder is None:
                builder = self._builders[tick.symbol] = BarBuilder(tick.symbol, self._closed_to_ns)
                builder.changed = self._changed
            self._apply(builder, tick)
        self._reached_ns = max(self._reached_ns, int(ts_ns[last - 1]))
        to_ns = floor_to(self._reached_ns - GRACE_NS, MINUTE_NS)
        update_to_ns = floor_to(self._reached_ns - UPDATE_NS, MINUTE_NS)
        # In this order: after a pause, a minute may end and be due for its update at once, and updating forgets it.
        new = self._over(to_ns) if to_ns > self._closed_to_ns else []
        updated = self._updated(update_to_ns) if update_to_ns > self._updated_to_ns else []
        return MinuteMessages(new, updated)

    def _apply(self, builder: BarBuilder, tick: Trade | Revision) -> None:
        """Fold a new trade, or revise one that is still remembered."""
        if not isinstance(tick, Trade):
            builder.revise(tick, self._closed_to_ns, self._updated_to_ns)
            return
        if tick.ts_ns < self._updated_to_ns:
            return
        if builder.memory is not None:
            if not builder.memory.take(tick):
                return
        elif tick.trade_id:
            builder.remember(tick, None, saving=False)
        builder.add(tick, self._closed_to_ns)

    def _over(self, to_ns: int) -> list[Bar]:
        builders = sorted(self._builders.items())
        due = {minute_ns for _, builder in builders for minute_ns in builder.open_minutes(self._closed_to_ns)}
        bars = []
        for minute_ns in sorted(minute_ns for minute_ns in due if minute_ns < to_ns):
            found = (builder.close(minute_ns) for _, builder in builders)
            bars += [bar for bar in found if bar is not None]
            for symbol, _ in builders:
                self._changed.pop((symbol, minute_ns), None)
        self._closed_to_ns = to_ns
        return bars

    def _updated(self, to_ns: int) -> list[Bar]:
        """The closed minutes before `to_ns` that have changed since they were published."""
        due = sorted(key for key in self._changed if key[1] < to_ns)
        bars = [bar.frozen() for bar in map(self._changed.pop, due) if bar.priced]
        self._updated_to_ns = to_ns
        for builder in self._builders.values():
            builder.forget(to_ns, self._reached_ns)
        return bars


def bar_message(bar: Bar, kind: str = "b") -> dict[str, Any]:
    """The bar as a message ("b", or "u" if it is updated); `t` is in ns.

    Keys: docs.alpaca.markets, "Real-time Stock Data", section "Minute Bars".
    """
    return {
        "T": kind,
        "S": bar.symbol,
        "o": bar.open,
        "h": bar.high,
        "l": bar.low,
        "c": bar.close,
        "v": bar.volume,
        "t": bar.minute_ns,
        "n": bar.trades,
        "vw": bar.vwap,
    }
