"""Longer bars of one symbol, computed from its minutes when they are read.

Theory. A longer bar is a function of the closed minutes in its span, so nothing of it is stored: a late trade, a
correction, a restart and a move change the minutes alone. A symbol whose longer bars are not read costs nothing.

A minute without an eligible trade has no row in `bars.parquet`, and counts for nothing here, its volume included.
"""

from collections.abc import Iterable, Mapping
from operator import attrgetter
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from desk.bars.builder import BarBuilder
from desk.bars.series import FLAGS, PARTIAL, ROW, BarSeries, ColumnCopy, rows_of
from desk.bars.session_grid import NO_SPAN, BarSpan, Ints, SessionGrid
from desk.model.bars import BarFields, LongerBar
from desk.model.timeframes import Timeframe

Rows = NDArray[Any]
NO_ROWS: Final = np.empty(0, ROW)


def fold_minutes(minutes: Rows, starts: Ints) -> Rows:
    """Rows of longer bars from rows of minutes, oldest first; `starts` are the starts of their spans, ascending.

    Open and close are those of the first and last minute, high and low the extremes, volume, notional and trades sums,
    and flags those of the worst minute.
    """
    if not len(minutes):
        return NO_ROWS
    first = np.flatnonzero(np.concatenate(([True], starts[1:] != starts[:-1])))
    last = np.append(first[1:], len(minutes)) - 1
    rows = np.empty(len(first), ROW)
    rows["minute_ns"] = starts[first]
    rows["open"] = minutes["open"][first]
    rows["close"] = minutes["close"][last]
    for name in ("high", "flags"):
        rows[name] = np.maximum.reduceat(minutes[name], first)
    rows["low"] = np.minimum.reduceat(minutes["low"], first)
    for name in ("volume", "notional", "trades"):
        rows[name] = np.add.reduceat(minutes[name], first)
    return rows


def longer_bars(bars: Iterable[BarFields], timeframe: Timeframe, grid: SessionGrid) -> list[LongerBar]:
    """Bars of a timeframe from shorter ones of one symbol and one exchange day, as a source of history gives them.

    The shorter ones may not span the open or the close: minutes, or 5 or 15 minutes where both are multiples of these.
    """
    given = sorted(bars, key=attrgetter("minute_ns"))
    rows = rows_of(given)
    starts, _ = grid.spans(timeframe, rows["minute_ns"])
    inside = starts != NO_SPAN
    return [_as_bar(given[0].symbol, row, timeframe) for row in fold_minutes(rows[inside], starts[inside])]


def _as_bar(symbol: str, row: Any, timeframe: Timeframe) -> LongerBar:
    start_ns, opened, high, low, close, volume, notional, trades, flags = row.item()
    content = (opened, high, low, close, volume, notional, trades)
    return LongerBar(symbol, start_ns, *content, start_ns, 0, start_ns, 0, FLAGS[flags], timeframe)


class LongerBars:
    """The bars of one symbol by timeframe: those of before the exchange day, then those of the day.

    `past` are the packed rows of before the exchange day. A bar is partial if a minute of its span is, or lost a trade,
    or was not subscribed and is not known from history; complete if all its minutes are; else repaired.
    """

    __slots__ = ("_builder", "_copies", "_grid", "_keys", "_past", "_rows")

    def __init__(self, builder: BarBuilder, grid: SessionGrid, past: Mapping[Timeframe, bytes]) -> None:
        self._builder = builder
        self._grid = grid
        self._past = {timeframe: np.frombuffer(rows, ROW) for timeframe, rows in past.items()}
        self._rows: dict[Timeframe, Rows] = {}
        self._copies: dict[Timeframe, dict[str, ColumnCopy]] = {}
        self._keys: dict[Timeframe, tuple[object, ...]] = {}

    def series(self, timeframe: Timeframe, closed_to_ns: int, past: int) -> BarSeries:
        """The bars whose span ends at `closed_to_ns` or before, after the last `past` of before the exchange day."""
        return BarSeries(_ClosedBars(self, timeframe, closed_to_ns, past))

    def bar(self, timeframe: Timeframe, span: BarSpan) -> LongerBar | None:
        """The bar of a closed span; None if no minute of it has a price."""
        minutes = self._builder.rows.between(*span)
        if not len(minutes):
            return None
        rows = fold_minutes(minutes, np.full(len(minutes), span.start_ns))
        self._mark_unseen(timeframe, rows, np.array([span.end_ns]))
        return _as_bar(self._builder.symbol, rows[0], timeframe)

    def rows(self, timeframe: Timeframe, closed_to_ns: int) -> Rows:
        """All rows of a timeframe, oldest first."""
        builder = self._builder
        key = (builder.rows.version, closed_to_ns, builder.unseen_ns, tuple(builder.lost.bounds))
        if self._keys.get(timeframe) != key:
            self._keys[timeframe] = key
            self._copies[timeframe] = {}
            self._rows[timeframe] = np.concatenate((self.past(timeframe), self._of_the_day(timeframe, closed_to_ns)))
        return self._rows[timeframe]

    def past(self, timeframe: Timeframe) -> Rows:
        """The rows of before the exchange day."""
        return self._past.get(timeframe, NO_ROWS)

    def column(self, timeframe: Timeframe, closed_to_ns: int, name: str) -> NDArray[Any]:
        """A column of `rows`, or "vwap", as a read-only array of its own."""
        rows = self.rows(timeframe, closed_to_ns)
        copies = self._copies[timeframe]
        copied = copies.get(name)
        if copied is None:
            copied = copies[name] = ColumnCopy.of(rows, name)
        return copied.array()

    def _of_the_day(self, timeframe: Timeframe, closed_to_ns: int) -> Rows:
        minutes = self._builder.rows.rows()
        if timeframe == "1m":
            return minutes
        starts, ends = self._grid.spans(timeframe, minutes["minute_ns"])
        closed = (starts != NO_SPAN) & (ends <= closed_to_ns)
        rows = fold_minutes(minutes[closed], starts[closed])
        self._mark_unseen(timeframe, rows, np.unique(ends[closed]))
        return rows

    def _mark_unseen(self, timeframe: Timeframe, rows: Rows, ends: Ints) -> None:
        """Mark the bars as partial that lack trades of which no minute's row says so."""
        starts = rows["minute_ns"]
        from_ns, to_ns = self._builder.unseen_ns
        unseen = (starts < to_ns) & (ends > from_ns) if from_ns < to_ns else np.zeros(len(rows), np.bool_)
        if self._builder.lost:
            lost, _ = self._grid.spans(timeframe, self._builder.lost.minutes())
            unseen |= np.isin(starts, lost)
        rows["flags"][unseen] = PARTIAL


class _ClosedBars:
    """The columns of a `BarSeries` of one timeframe."""

    __slots__ = ("_closed_to_ns", "_of", "_past", "_timeframe")

    def __init__(self, of: LongerBars, timeframe: Timeframe, closed_to_ns: int, past: int) -> None:
        self._of = of
        self._timeframe = timeframe
        self._closed_to_ns = closed_to_ns
        self._past = past

    def __len__(self) -> int:
        return len(self._of.rows(self._timeframe, self._closed_to_ns)) - self._skipped()

    def column(self, name: str) -> NDArray[Any]:
        return self._of.column(self._timeframe, self._closed_to_ns, name)[self._skipped() :]

    def _skipped(self) -> int:
        return max(0, len(self._of.past(self._timeframe)) - self._past)
