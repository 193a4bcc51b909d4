"""One symbol's minutes from its trades: open ones, and closed ones that late trades may still revise."""

from collections.abc import Iterable
from operator import attrgetter
from typing import Final

from desk.bars.conditions import eligibility
from desk.bars.series import BarSeries, SeriesRows
from desk.model.bars import NO_TIME, Bar, BarFields, BarFlag, WorkingBar
from desk.model.ticks import Trade
from desk.model.units import MINUTE_NS

_content: Final = attrgetter(
    "high", "low", "volume", "notional", "trades", "open_ns", "open_ordinal", "close_ns", "close_ordinal"
)
"""What tells two bars of one minute apart; open and close belong to the trades that these name."""


class BarBuilder:
    """Folds trades into minutes by venue time.

    Minutes before `closed_to_ns`, which every call is given, are closed: what comes for them is a revision.
    A bar is complete if the symbol was subscribed for the whole minute and no trade of it was dropped,
    repaired if it began before that and the warm-up minutes reach to the subscription, else partial.
    `changed` holds the closed minutes that came or changed since it was last emptied: working ones, of which
    `take_changed` gives frozen copies.
    """

    __slots__ = ("_lost", "_minutes", "_newest", "_repaired_to_ns", "changed", "rows", "since_ns", "symbol")

    def __init__(self, symbol: str, since_ns: int) -> None:
        self.symbol = symbol
        self.since_ns = since_ns
        self.rows = SeriesRows()
        self.changed: dict[int, WorkingBar] = {}
        self._minutes: dict[int, WorkingBar] = {}
        self._newest: WorkingBar | None = None
        self._lost: set[int] = set()
        self._repaired_to_ns = 0

    @property
    def series(self) -> BarSeries:
        """The closed minutes as strategies see them."""
        return self.rows.series

    def add(self, trade: Trade, closed_to_ns: int) -> int | None:
        """Fold a trade in; the minute's start if this opened a minute that is still to be closed.

        A trade that does not count for volume counts for nothing.
        """
        volume, high_low, open_close = eligibility(trade.conditions)
        if not volume:
            return None
        ts_ns = trade.ts_ns
        bar = self._newest
        opened = None
        if bar is None or not 0 <= ts_ns - bar.minute_ns < MINUTE_NS:
            bar, opened = self._find(ts_ns - ts_ns % MINUTE_NS, closed_to_ns)
        price = trade.price
        size = trade.size
        bar.volume += size
        bar.notional += price * size
        bar.trades += 1
        if high_low:
            if price > bar.high:
                bar.high = price
            if price < bar.low:
                bar.low = price
        if open_close:
            key_ns = bar.close_ns
            if ts_ns > key_ns or (ts_ns == key_ns and trade.ordinal > bar.close_ordinal):
                bar.close = price
                bar.close_ns = ts_ns
                bar.close_ordinal = trade.ordinal
            key_ns = bar.open_ns
            if key_ns == NO_TIME or ts_ns < key_ns or (ts_ns == key_ns and trade.ordinal < bar.open_ordinal):
                bar.open = price
                bar.open_ns = ts_ns
                bar.open_ordinal = trade.ordinal
        if bar.minute_ns < closed_to_ns:
            self._publish(bar)
        return opened

    def close(self, minute_ns: int) -> Bar | None:
        """Close the minute; its bar as it is now, if a trade gave it a price."""
        bar = self._minutes.get(minute_ns)
        if bar is None:
            return None
        self._publish(bar)
        return bar.frozen() if bar.priced else None

    def spoil(self, minute_ns: int, closed_to_ns: int) -> None:
        """Mark a minute as partial: one of its trades was dropped, or its end was not seen."""
        self._lost.add(minute_ns)
        bar = self._minutes.get(minute_ns)
        if bar is not None and bar.flags != "partial":
            bar.flags = "partial"
            if minute_ns < closed_to_ns:
                self._publish(bar)

    def warm(self, bars: list[Bar], closed_to_ns: int) -> list[int]:
        """Take the session's earlier minutes in; gives the starts of those that are still to be closed.

        They hold every trade received before `since_ns`, so they stand for what is here. A minute that a
        subscription before this one saw whole, and that is no different now, is left as it is.
        """
        self._repaired_to_ns = self.since_ns
        self._newest = None
        self._lost.clear()
        opened = []
        for bar in bars:
            if self._stands(bar):
                continue
            taken = self._minutes[bar.minute_ns] = WorkingBar.of(bar)
            taken.flags = "repaired"
            if taken.minute_ns < closed_to_ns:
                self._publish(taken)
            else:
                opened.append(taken.minute_ns)
        return opened

    def forget(self, before_ns: int) -> None:
        """Let go of the closed minutes before `before_ns`: nothing may revise them any more."""
        for minute_ns in [minute for minute in self._minutes if minute < before_ns]:
            del self._minutes[minute_ns]
        self._lost = {minute for minute in self._lost if minute >= before_ns}

    def take_changed(self) -> list[Bar]:
        """The closed minutes that came or changed since the last call."""
        taken = [bar.frozen() for bar in self.changed.values()]
        self.changed = {}
        return taken

    def state(self) -> tuple[int, int, list[WorkingBar], list[int]]:
        """What a successor needs besides the closed minutes: since, repaired to, minutes at hand, lost minutes."""
        minutes = [self._minutes[minute_ns] for minute_ns in sorted(self._minutes)]
        return self.since_ns, self._repaired_to_ns, minutes, sorted(self._lost)

    def restore(
        self, repaired_to_ns: int, minutes: Iterable[WorkingBar], lost: Iterable[int], closed: Iterable[Bar]
    ) -> None:
        """Go on from a kept state; `closed` are the session's closed minutes, in any order."""
        self._repaired_to_ns = repaired_to_ns
        self._minutes = {bar.minute_ns: bar for bar in minutes}
        self._lost = set(lost)
        for bar in sorted(closed, key=attrgetter("minute_ns")):
            if bar.priced:
                self.rows.put(bar)

    def open_minutes(self, closed_to_ns: int) -> list[int]:
        """The starts of the minutes not closed yet, oldest first."""
        return sorted(minute for minute in self._minutes if minute >= closed_to_ns)

    def _find(self, minute_ns: int, closed_to_ns: int) -> tuple[WorkingBar, int | None]:
        bar = self._minutes.get(minute_ns)
        opened = None
        if bar is None:
            bar = self._minutes[minute_ns] = WorkingBar(self.symbol, minute_ns, flags=self._flag(minute_ns))
            if minute_ns >= closed_to_ns:
                opened = minute_ns
        if self._newest is None or minute_ns > self._newest.minute_ns:
            self._newest = bar
        return bar, opened

    def _flag(self, minute_ns: int) -> BarFlag:
        if minute_ns in self._lost:
            return "partial"
        if minute_ns >= self.since_ns:
            return "complete"
        return "repaired" if minute_ns < self._repaired_to_ns else "partial"

    def _stands(self, bar: BarFields) -> bool:
        known = self._minutes.get(bar.minute_ns)
        if known is None:
            return self.rows.holds(bar)
        return known.flags == "complete" and _content(known) == _content(bar)

    def _publish(self, bar: WorkingBar) -> None:
        """Make a closed minute, or its revision, visible to strategies and the keeper."""
        self.changed[bar.minute_ns] = bar
        if bar.priced:
            self.rows.put(bar)
