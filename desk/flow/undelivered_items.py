"""What a shard misses that died unprotected: ticks by their number, everything else by itself.

Tests: tests/desk/flow/test_lane_revisions.py
"""

from collections import deque
from typing import Final

import msgspec

from desk.flow.retained_batches import BatchHeader, RetainedBatch
from desk.model.batch import LaneTotals, ShardPosition
from desk.model.items import Adopt, GapItem, Item, LostTrades, QuotesLost, decode_items
from desk.model.ticks import Quote, Trade
from desk.model.units import SECOND_NS

WHY: Final = "the shard died unprotected: more batches were in flight than the lane retains"


class TickCounts(msgspec.Struct, frozen=True):
    """How many ticks, by class."""

    trades: int
    quotes: int

    def __sub__(self, other: "TickCounts") -> "TickCounts":
        return TickCounts(self.trades - other.trades, self.quotes - other.quotes)


class UndeliveredItems:
    """Of the batches that were let go and are not durable: what must arrive even so.

    Watches, order events, moves and the like are few, and no later item makes up for one of them. Minutes that lost
    trades are named once each, and so are symbols that lost quotes. Marks are not missed: the next one says more.
    """

    def __init__(self) -> None:
        self._vital: deque[tuple[int, Item]] = deque()
        self._minutes: dict[tuple[str, int], int] = {}
        self._unquoted: dict[str, tuple[int, QuotesLost]] = {}

    def remember(self, batch: RetainedBatch) -> None:
        """Take what is vital out of a batch that is let go; batches come in the order of their numbers."""
        for item in batch.vital:
            if isinstance(item, LostTrades):
                for minute in item.minutes:
                    self._minutes.pop(minute, None)
                    self._minutes[minute] = batch.seq
            elif isinstance(item, QuotesLost):
                self._unquoted.pop(item.symbol, None)
                self._unquoted[item.symbol] = (batch.seq, item)
            else:
                self._vital.append((batch.seq, item))

    def confirm(self, durable_seq: int) -> None:
        """Forget what a confirmed checkpoint holds."""
        while self._vital and self._vital[0][0] <= durable_seq:
            self._vital.popleft()
        while self._minutes and self._minutes[minute := next(iter(self._minutes))] <= durable_seq:
            del self._minutes[minute]
        while self._unquoted and self._unquoted[symbol := next(iter(self._unquoted))][0] <= durable_seq:
            del self._unquoted[symbol]

    def items(self, after: int, gone: BatchHeader, position: ShardPosition) -> list[Item]:
        """What a shard at `position` misses up to the batch `gone`, of which it has applied those up to `after`.

        The gap comes last: it is to cover the symbols that the other items bring. Its end is the last moment before
        the mark that would have followed.
        """
        vital = [item for seq, item in (*self._vital, *self._unquoted.values()) if seq > after]
        minutes = [minute for minute, seq in self._minutes.items() if seq > after]
        lost = ticks_cut(gone.totals) - ticks_cut(position.lane)
        for item in vital:
            if isinstance(item, Adopt):
                lost -= _ticks_in(item)
        items = [*vital, LostTrades(minutes)] if minutes else vital
        if lost.trades > 0 or lost.quotes > 0:
            to_ns = max(gone.mark_ns, position.mark_ns) + SECOND_NS - 1
            items.append(GapItem(position.mark_ns, to_ns, WHY, lost.trades, lost.quotes))
        return items


def ticks_cut(totals: LaneTotals) -> TickCounts:
    """How many ticks of those that came into a lane were cut into batches."""
    return TickCounts(
        totals.trades - totals.trades_aged - totals.trades_full,
        totals.quotes - totals.quotes_conflated - totals.quotes_full,
    )


def _ticks_in(adopt: Adopt) -> TickCounts:
    kinds = list(map(type, decode_items(adopt.items)))
    return TickCounts(kinds.count(Trade), kinds.count(Quote))
