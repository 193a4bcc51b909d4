"""A batch of which a shard may have died, given item by item until the one that kills it is found.

Tests: tests/desk/flow/test_lane_recovery.py
"""

from typing import Final

import msgspec

from desk.flow.crash_counter import ItemPlace
from desk.flow.undelivered_items import TickCounts
from desk.model.batch import Batch, LaneTotals, decode_batch, encode
from desk.model.items import GapItem, Item
from desk.model.notices import NOTICES
from desk.model.ticks import REVISIONS, Quote, Trade
from desk.model.units import MINUTE_NS, floor_to

WHY: Final = "quarantined: the shard died of it"


class BatchParts:
    """The parts of one batch: same number, one item each; all but the last say that another follows.

    Each bears the totals as they are with it, so that whoever reads them knows what was given so far.
    """

    def __init__(self, payload: bytes) -> None:
        self.batch = decode_batch(payload)
        self._payload = payload
        self._at = 0
        totals = self.batch.totals
        ticks = [_ticks(item) for item in self.batch.items]
        self._trades = totals.trades - sum(each.trades for each in ticks)
        self._quotes = totals.quotes - sum(each.quotes for each in ticks)
        self._revisions = totals.revisions - sum(type(item) in REVISIONS for item in self.batch.items)
        self._notices = totals.notices - sum(type(item) in NOTICES for item in self.batch.items)

    @property
    def place(self) -> ItemPlace:
        """Where the current part's item stands."""
        return ItemPlace(self.batch.seq, self._at)

    @property
    def item(self) -> Item | None:
        """The current part's item; None where the batch has none."""
        return self.batch.items[self._at] if self.batch.items else None

    @property
    def last(self) -> bool:
        """Whether the current part is the last one."""
        return self._at >= len(self.batch.items) - 1

    def current(self) -> bytes:
        """The part whose turn it is, encoded. A batch of one item, or of none, is its own only part."""
        batch = self.batch
        if len(batch.items) <= 1:
            return self._payload
        item = batch.items[self._at]
        given = _ticks(item)
        return encode(
            Batch(
                batch.source,
                batch.epoch,
                batch.shard,
                batch.seq,
                batch.sent_ns,
                self._totals(
                    self._trades + given.trades,
                    self._quotes + given.quotes,
                    self._revisions + (type(item) in REVISIONS),
                    self._notices + (type(item) in NOTICES),
                ),
                [item],
                batch.want_reply and self.last,
                batch.traceparent,
                batch.mark_ns,
                batch.checkpoint and self.last,
                not self.last,
            )
        )

    def next(self) -> None:
        """Go on to the next part: the shard outlived the current one."""
        item = self.batch.items[self._at]
        given = _ticks(item)
        self._trades += given.trades
        self._quotes += given.quotes
        self._revisions += type(item) in REVISIONS
        self._notices += type(item) in NOTICES
        self._at += 1

    def without(self, tick: Trade | Quote) -> bytes:
        """The batch without the current part's item, a tick.

        A gap takes its place, so that its minute is partial and the accounts balance.
        """
        self.batch.items[self._at] = _gap(tick)
        return encode(self.batch)

    def _totals(self, trades: int, quotes: int, revisions: int, notices: int) -> LaneTotals:
        return msgspec.structs.replace(
            self.batch.totals, trades=trades, quotes=quotes, revisions=revisions, notices=notices
        )


def _gap(tick: Trade | Quote) -> GapItem:
    """The substitute of a quarantined tick. Its ordinal makes it unique within the minute."""
    trade = isinstance(tick, Trade)
    from_ns = floor_to(tick.ts_ns, MINUTE_NS)
    why = f"{WHY} ({'trade' if trade else 'quote'} {tick.ordinal})"
    return GapItem(from_ns, from_ns + MINUTE_NS - 1, why, int(trade), int(not trade), [tick.symbol])


def _ticks(item: Item) -> TickCounts:
    """The ticks that an item stands for in the lane's totals."""
    if isinstance(item, GapItem) and item.why.startswith(WHY):
        return TickCounts(item.trades, item.quotes)
    return TickCounts(int(isinstance(item, Trade)), int(isinstance(item, Quote)))
