"""From what waits in a lane to batches of the right size, with headers that count.

Tests: tests/desk/flow/test_lane.py
"""

from collections.abc import Sequence
from itertools import compress

from desk.flow.batch_trace import BatchTrace, batch_span
from desk.flow.held_counts import HeldCounts
from desk.flow.lane_config import LaneConfig
from desk.flow.lane_queue import LaneQueue
from desk.flow.retained_batches import RetainedBatch
from desk.flow.undelivered_items import ticks_cut
from desk.model.batch import Batch, LaneTotals, encode
from desk.model.items import Adopt, Item, Mark
from desk.model.notices import NOTICES
from desk.model.spans import SpanContext
from desk.model.ticks import REVISIONS, Quote, Trade

FIRST_BATCH_ITEMS = 256
FILL_SHARE = 0.9
_TICKS = frozenset({Trade, Quote})


class BatchCutter:
    """Cuts batches off what waits, and learns how many items fill one.

    `totals` are those from which it counts on. `mark_ns` is the last mark put in: every batch bears it. `adopts` are
    the numbers of the batches in which the carrying `Adopt`s were cut, by move. `trace` is that of the last batch cut,
    if it is traced.
    """

    def __init__(self, shard: int, config: LaneConfig, pending: LaneQueue, totals: LaneTotals) -> None:
        self.shard = shard
        self.config = config
        self.mark_ns = 0
        self.items_per_batch = FIRST_BATCH_ITEMS
        self._pending = pending
        pending.quotes_conflated = totals.quotes_conflated
        pending.trades_aged = totals.trades_aged
        pending.trades_full = totals.trades_full
        pending.quotes_full = totals.quotes_full
        cut = ticks_cut(totals)
        self._trades = cut.trades
        self._quotes = cut.quotes
        self._revisions = totals.revisions
        self._notices = totals.notices
        self.adopts: dict[int, int] = {}
        self.trace: BatchTrace | None = None
        self._carried: dict[int, HeldCounts] = {}

    def count_adopted(self, held: HeldCounts) -> None:
        """Count the ticks that travel in the last item that waits, an `Adopt`, when it is cut."""
        adopt = self._pending.items[-1]
        assert isinstance(adopt, Adopt), "ticks are carried by an Adopt: it is put in first"
        self._carried[adopt.move] = held

    def totals(self) -> LaneTotals:
        """Received by class is what was cut, conflated or dropped: what still waits is not counted yet."""
        return self._totals(self._trades, self._quotes, self._revisions, self._notices)

    def cut(self, seq: int, now_ns: int, *, want_reply: bool) -> RetainedBatch:
        """The next batch of what waits; only the one that empties the lane wants a reply."""
        pending = self._pending
        config = self.config
        span = batch_span(config, self.shard, seq) if config.trace_sample else None
        count = self._before_adopt(self.items_per_batch) if self._carried else self.items_per_batch
        while True:
            chunk, places = pending.first(count)
            kinds = list(map(type, chunk))
            trades = kinds.count(Trade)
            quotes = kinds.count(Quote)
            others = len(chunk) - trades - quotes
            distinct = set(kinds) if others else ()
            revisions = sum(map(kinds.count, REVISIONS.intersection(distinct)))
            notices = sum(map(kinds.count, NOTICES.intersection(distinct)))
            vital = self._look_at_others(chunk, kinds, now_ns) if others else ()
            others -= revisions + notices
            carried = self._carried_by(chunk) if self._carried else HeldCounts()
            totals = self._totals(
                self._trades + trades + carried.trades,
                self._quotes + quotes + carried.quotes,
                self._revisions + revisions + carried.revisions,
                self._notices + notices + carried.notices,
            )
            payload = encode(
                Batch(
                    config.source,
                    config.epoch,
                    self.shard,
                    seq,
                    now_ns,
                    totals,
                    chunk,
                    want_reply and places == len(pending.items),
                    None if span is None else span.traceparent,
                    self.mark_ns,
                )
            )
            if len(payload) <= config.max_batch_bytes or len(chunk) == 1:
                break
            count = len(chunk) // 2
        self.trace = None if span is None else _trace(span, seq, chunk)
        pending.discard(places, others)
        self._trades += trades + carried.trades
        self._quotes += quotes + carried.quotes
        self._revisions += revisions + carried.revisions
        self._notices += notices + carried.notices
        if type(chunk[0]) is Adopt:
            self._note_adopt(chunk[0], seq)
        else:
            self._learn_size(len(chunk), len(payload))
        return RetainedBatch(seq, totals, self.mark_ns, payload, vital)

    def empty(self, seq: int, now_ns: int, *, checkpoint: bool = False, want_reply: bool = False) -> RetainedBatch:
        """A batch of no items."""
        return self.cut_gap_batch(
            *(seq, now_ns, self.totals(), self.mark_ns, []), checkpoint=checkpoint, want_reply=want_reply
        )

    def cut_gap_batch(
        self,
        seq: int,
        now_ns: int,
        totals: LaneTotals,
        mark_ns: int,
        items: list[Item],
        *,
        checkpoint: bool = False,
        want_reply: bool = False,
    ) -> RetainedBatch:
        """A batch of items that did not wait here, under totals and mark of their own."""
        config = self.config
        batch = Batch(
            config.source,
            config.epoch,
            self.shard,
            seq,
            now_ns,
            totals,
            items,
            want_reply,
            mark_ns=mark_ns,
            checkpoint=checkpoint,
        )
        return RetainedBatch(seq, totals, mark_ns, encode(batch), empty=not items)

    def _look_at_others(self, chunk: list[Item], kinds: list[type], now_ns: int) -> Sequence[Item]:
        """Write into the marks how long they waited here; what is neither tick nor mark. Lossless: neither."""
        if self.config.lossless:
            return ()
        limit_ns = self.config.max_data_latency_ns
        vital = []
        for item in compress(chunk, [kind not in _TICKS for kind in kinds]):
            if type(item) is Mark:
                item.lane_age_ns = max(now_ns - item.received_ns, 0)
                item.degraded = item.degraded or item.feed_lag_ns > limit_ns or item.lane_age_ns > limit_ns
            else:
                vital.append(item)
        return vital

    def _before_adopt(self, count: int) -> int:
        """How many items to cut where one of the first is an `Adopt`: it may be large, and is cut alone."""
        chunk, _ = self._pending.first(count)
        return next((index or 1 for index, item in enumerate(chunk) if type(item) is Adopt), count)

    def _note_adopt(self, adopt: Adopt, seq: int) -> None:
        """What it carried is counted; its size says nothing about other items."""
        self._carried.pop(adopt.move, None)
        self.adopts[adopt.move] = seq

    def _carried_by(self, chunk: list[Item]) -> HeldCounts:
        carried = [self._carried[item.move] for item in chunk if type(item) is Adopt and item.move in self._carried]
        return HeldCounts(*map(sum, zip(HeldCounts(), *carried, strict=True)))

    def _totals(self, cut_trades: int, cut_quotes: int, cut_revisions: int, cut_notices: int) -> LaneTotals:
        pending = self._pending
        return LaneTotals(
            trades=cut_trades + pending.trades_aged + pending.trades_full,
            quotes=cut_quotes + pending.quotes_conflated + pending.quotes_full,
            quotes_conflated=pending.quotes_conflated,
            trades_aged=pending.trades_aged,
            trades_full=pending.trades_full,
            quotes_full=pending.quotes_full,
            revisions=cut_revisions,
            notices=cut_notices,
        )

    def _learn_size(self, items: int, size_bytes: int) -> None:
        """Aim the next batch at the size limit, growing at most twofold at a time."""
        fitting = int(FILL_SHARE * self.config.max_batch_bytes * items / size_bytes)
        self.items_per_batch = max(1, min(fitting, 2 * self.items_per_batch))


def _trace(span: SpanContext, seq: int, items: Sequence[Item]) -> BatchTrace:
    ticks = [item for item in items if isinstance(item, (Trade, Quote))]
    if not ticks:
        return BatchTrace(span, seq, len(items))
    oldest = min(ticks, key=lambda tick: tick.received_ns)
    return BatchTrace(span, seq, len(items), oldest.ts_ns, oldest.received_ns)
