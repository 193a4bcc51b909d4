"""One symbol's minutes from its trades: open ones, and closed ones that late trades may still revise."""

from collections.abc import Iterable, Sequence
from operator import attrgetter
from typing import Final

from desk.bars.folding import fold, take_content
from desk.bars.minute_repair import CompleteMinute, RepairLimits, RepairOutcome, complete_minute
from desk.bars.minute_set import MinuteSet
from desk.bars.remembered_trades import LATE, UNMATCHED, RememberedTrades, RevisionOutcome
from desk.bars.sale_conditions import eligibility
from desk.bars.series import BarSeries, SeriesRows
from desk.model.bars import Bar, BarFields, BarFlag, WorkingBar
from desk.model.items import Backfill
from desk.model.ticks import Revision, Trade
from desk.model.units import MINUTE_NS, floor_to

_content: Final = attrgetter(
    "high", "low", "volume", "notional", "trades", "open_ns", "open_ordinal", "close_ns", "close_ordinal"
)
"""Fields that decide whether two bars of one minute are equal; `open_*` and `close_*` determine open and close."""


class BarBuilder:
    """Folds trades into minutes by venue time.

    Minutes before `closed_to_ns`, an argument of every call, are closed: a later trade of such a minute revises it. A
    bar is complete if the symbol was subscribed for the whole minute and no trade of it was dropped, repaired if the
    symbol was subscribed within or after the minute and warm-up minutes cover the time before, else partial. `memory`
    holds the trades that may be revised, from the first with an identity on; None before that. `changed` receives the
    new and changed closed minutes, by symbol and minute, as mutable bars. The owner of the dict empties it; several
    builders may share one. `lost` are the minutes of the exchange day that lost a trade, with or without a bar.
    `ignored` counts by minute the trades that did not count for volume.
    """

    __slots__ = (
        "_minutes",
        "_newest",
        "_repaired_to_ns",
        "changed",
        "ignored",
        "lost",
        "memory",
        "rows",
        "since_ns",
        "symbol",
    )

    def __init__(self, symbol: str, since_ns: int) -> None:
        self.symbol = symbol
        self.since_ns = since_ns
        self.memory: RememberedTrades | None = None
        self.rows = SeriesRows()
        self.changed: dict[tuple[str, int], WorkingBar] = {}
        self._minutes: dict[int, WorkingBar] = {}
        self._newest: WorkingBar | None = None
        self.lost = MinuteSet()
        self._repaired_to_ns = 0
        self.ignored: dict[int, int] = {}

    @property
    def series(self) -> BarSeries:
        """The closed minutes as strategies see them."""
        return self.rows.series

    def remember(
        self, trade: Trade, last: Trade | None, last_print: Trade | None = None, *, saving: bool = True
    ) -> None:
        """Start the memory with `trade`, the first with an identity. The caller still calls `add` for it.

        `last` is the trade before, `last_print` the newest one that may set a price. From then on the caller calls
        `memory.take` before `add`, and skips a trade that `take` refuses.
        """
        self.begin_memory(trade.ordinal, last, last_print, saving=saving).take(trade)

    def begin_memory(
        self, from_ordinal: int, last: Trade | None, last_print: Trade | None, *, saving: bool = True
    ) -> RememberedTrades:
        """Start an empty memory, of trades from this ordinal on; other arguments as for `remember`."""
        self.memory = RememberedTrades(from_ordinal, self._minutes.values(), last, last_print, saving=saving)
        return self.memory

    def revise(
        self, revision: Revision, closed_to_ns: int, revisable_from_ns: int
    ) -> tuple[RevisionOutcome, int | None]:
        """Correct or cancel a trade: recompute its minute as if the trade had arrived corrected, or not at all.

        Returns the outcome, and the minute's start if this opened a minute that is not closed yet.
        """
        if self.memory is None:
            return (LATE if revision.ts_ns < revisable_from_ns else UNMATCHED), None
        revised = self.memory.revise(revision, revisable_from_ns)
        if revised.old is None:
            return revised, None
        minute_ns = floor_to(revised.old.ts_ns, MINUTE_NS)
        fresh = self.memory.fold(minute_ns)
        if minute_ns not in self._minutes and not fresh.trades:
            return revised, None
        bar, opened = self._find(minute_ns, closed_to_ns)
        take_content(bar, fresh)
        if minute_ns < closed_to_ns:
            self._publish(bar)
        return revised, opened

    def add(self, trade: Trade, closed_to_ns: int) -> int | None:
        """Fold a trade in; returns the minute's start if this opened a minute that is not closed yet.

        A trade that does not count for volume changes no bar.
        """
        sets = eligibility(trade.conditions)
        if not sets.volume:
            minute_ns = floor_to(trade.ts_ns, MINUTE_NS)
            self.ignored[minute_ns] = self.ignored.get(minute_ns, 0) + 1
            return None
        ts_ns = trade.ts_ns
        bar = self._newest
        opened = None
        if bar is None or not 0 <= ts_ns - bar.minute_ns < MINUTE_NS:
            bar, opened = self._find(ts_ns - ts_ns % MINUTE_NS, closed_to_ns)
        fold(bar, trade, sets)
        if bar.minute_ns < closed_to_ns:
            self._publish(bar)
        return opened

    def close(self, minute_ns: int) -> Bar | None:
        """Close the minute; returns its bar, or None if no trade set a price."""
        bar = self._minutes.get(minute_ns)
        if bar is None:
            return None
        self._publish(bar)
        return bar.frozen() if bar.priced else None

    def spoil(self, minute_ns: int, closed_to_ns: int) -> None:
        """Mark a minute as partial: a trade was dropped, or the subscription ended before the minute did."""
        self.lost.add(minute_ns)
        bar = self._minutes.get(minute_ns)
        if bar is not None and bar.flags != "partial":
            bar.flags = "partial"
            if minute_ns < closed_to_ns:
                self._publish(bar)

    def warm(self, bars: list[Bar], closed_to_ns: int, memory: RememberedTrades | None = None) -> list[int]:
        """Apply the session's earlier minutes; returns the starts of those that are not closed yet.

        They contain every trade received before `since_ns`, so they replace the known minutes, and `memory` replaces
        the remembered trades. A minute that an earlier subscription covered completely, and that is equal, is kept.
        """
        self.memory = memory
        self._repaired_to_ns = self.since_ns
        self._newest = None
        self.lost.clear()
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

    def put_earlier(self, bars: Iterable[Bar], closed_to_ns: int, *, whole: bool) -> None:
        """Add minutes of before the subscription that come from another source than the ticks: they are repaired.

        Skipped are minutes from `closed_to_ns` on, those that the subscription saw in part or in whole, and those that
        have a bar already. `whole`: a minute before the subscription without a bar had no trade.
        """
        seen_from_ns = floor_to(self.since_ns, MINUTE_NS)
        for bar in bars:
            if bar.minute_ns >= min(seen_from_ns, closed_to_ns) or bar.minute_ns in self._minutes:
                continue
            if not self.rows.has(bar.minute_ns):
                self._put_earlier(bar)
        if whole:
            self._repaired_to_ns = max(self._repaired_to_ns, seen_from_ns)

    @property
    def unseen_ns(self) -> tuple[int, int]:
        """The time before the subscription of which only those minutes are known that have a bar: [from, to)."""
        return self._repaired_to_ns, max(self._repaired_to_ns, self.since_ns)

    def repair(
        self, history: Backfill, trades: Sequence[Trade], limits: RepairLimits, *, until_ns: int
    ) -> RepairOutcome:
        """Replace whole minutes by those of the venue's history, which has every trade of them.

        A minute stays as it is if the history proves to be incomplete: if it lacks a trade, or has fewer. `until_ns` is
        as for `RememberedTrades.complete`.
        """
        outcome, memory = RepairOutcome(), self.memory
        known = {} if memory is None else memory.by_minute(history.from_ns, history.to_ns)
        aliases = {} if memory is None else memory.aliases
        by_minute: dict[int, list[Trade]] = {}
        for trade in trades:
            by_minute.setdefault(floor_to(trade.ts_ns, MINUTE_NS), []).append(trade)
        for minute_ns in range(history.from_ns, history.to_ns, MINUTE_NS):
            if minute_ns not in self._minutes and limits.is_final(minute_ns):
                continue
            found = by_minute.get(minute_ns, ())
            minute = complete_minute(minute_ns, found, known.get(minute_ns, {}), aliases, history.asked_ns)
            if minute is None or minute.trades < self._received(minute_ns):
                outcome.refused += 1
                continue
            self._complete(minute, limits.closed_to_ns, outcome)
            if memory is not None:
                memory.complete(minute, until_ns)
        return outcome

    def _received(self, minute_ns: int) -> int:
        """The number of trades in the minute so far."""
        bar = self._minutes.get(minute_ns)
        return self.ignored.get(minute_ns, 0) + (0 if bar is None else bar.trades)

    def _complete(self, minute: CompleteMinute, closed_to_ns: int, outcome: RepairOutcome) -> None:
        minute_ns = minute.bar.minute_ns
        added = minute.trades - self._received(minute_ns)
        outcome.added += added
        self.lost.discard(minute_ns)
        if ignored := minute.trades - minute.bar.trades:
            self.ignored[minute_ns] = ignored
        if minute_ns not in self._minutes and not minute.bar.trades:
            return
        bar, opened = self._find(minute_ns, closed_to_ns)
        if opened is not None:
            outcome.opened.append(opened)
        if not added and bar.flags == "complete":
            return
        take_content(bar, minute.bar)
        bar.flags = "repaired"
        if minute_ns < closed_to_ns:
            self._publish(bar)

    def forget(self, before_ns: int, now_ns: int, repairable_from_ns: int | None = None) -> None:
        """Delete the minutes before `before_ns`, which can no longer be revised at session time `now_ns`.

        Partial ones from `repairable_from_ns` on are kept: the venue's history may still complete them.
        """
        if self.memory is not None:
            self.memory.forget(before_ns, now_ns)
        keep_ns = before_ns if repairable_from_ns is None else repairable_from_ns
        for minute_ns, bar in [item for item in self._minutes.items() if item[0] < before_ns]:
            if minute_ns < keep_ns or bar.flags != "partial":
                del self._minutes[minute_ns]
        if self.ignored:
            self.ignored = {minute: count for minute, count in self.ignored.items() if minute >= keep_ns}

    def state(self) -> tuple[int, int, list[WorkingBar], list[int]]:
        """The state for a checkpoint, without the closed minutes: (since_ns, repaired_to_ns, minutes, lost minutes).

        The lost minutes are the bounds of a `MinuteSet`.
        """
        minutes = [self._minutes[minute_ns] for minute_ns in sorted(self._minutes)]
        return self.since_ns, self._repaired_to_ns, minutes, list(self.lost.bounds)

    def restore(
        self, repaired_to_ns: int, minutes: Iterable[WorkingBar], lost: Iterable[int], closed: Iterable[Bar]
    ) -> None:
        """Restore a kept state; `closed` are the session's closed minutes, in any order."""
        self._repaired_to_ns = repaired_to_ns
        self._minutes = {bar.minute_ns: bar for bar in minutes}
        self.lost = MinuteSet(lost)
        for bar in sorted(closed, key=attrgetter("minute_ns")):
            if bar.priced:
                self.rows.put(bar)

    def open_minutes(self, closed_to_ns: int) -> list[int]:
        """The starts of the minutes not closed yet, oldest first."""
        return sorted(minute for minute in self._minutes if minute >= closed_to_ns)

    def bar_of(self, minute_ns: int) -> WorkingBar | None:
        """The minute, while it may be revised; None without a trade that counts."""
        return self._minutes.get(minute_ns)

    def flag_of(self, minute_ns: int) -> BarFlag:
        """The flag of a minute, while it may be revised; that of one without a trade is what a trade would give it."""
        bar = self._minutes.get(minute_ns)
        return self._flag(minute_ns) if bar is None else bar.flags

    def _put_earlier(self, bar: Bar) -> None:
        taken = self._minutes[bar.minute_ns] = WorkingBar.of(bar)
        taken.symbol, taken.flags = self.symbol, "repaired"
        if not taken.priced:
            taken.open_ns, taken.close_ns = bar.minute_ns, bar.minute_ns + MINUTE_NS - 1
        if self.memory is not None:
            self.memory.put_base(taken)
        self._publish(taken)

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
        if minute_ns in self.lost:
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
        self.changed[self.symbol, bar.minute_ns] = bar
        if bar.priced:
            self.rows.put(bar)
        else:
            self.rows.remove(bar.minute_ns)
