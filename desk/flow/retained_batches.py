"""What a lane has cut and keeps: until a checkpoint that holds it is confirmed, or until there is too much of it.

Tests: tests/desk/flow/test_lane.py
"""

from collections import deque
from collections.abc import Iterator, Sequence

import msgspec

from desk.model.batch import LaneTotals
from desk.model.items import Item


class BatchHeader(msgspec.Struct, gc=False):
    """A cut batch without its payload: its number, the totals and the mark that it bears."""

    seq: int
    totals: LaneTotals
    mark_ns: int


class RetainedBatch(msgspec.Struct, gc=False):
    """A cut batch as it was sent. `vital` are its items that must arrive even where its ticks do not.

    An `empty` one has no items at all.
    """

    seq: int
    totals: LaneTotals
    mark_ns: int
    payload: bytes
    vital: Sequence[Item] = ()
    empty: bool = False


class RetainedBatches:
    """The last batches of a lane, without a hole between their numbers.

    With `lossless` nothing is let go before it is durable: more than `limit_bytes` makes it full, and the lane
    takes no more ticks. (Empty batches alone do not: asking for what is durable would never end.) Else the oldest
    go, and until what is durable reaches up to them the shard is unprotected. `last_released` is the newest batch that
    is no longer kept; before the first, the batch at which the lane began.
    """

    def __init__(self, limit_bytes: int, gone: BatchHeader, *, lossless: bool) -> None:
        self.limit_bytes = limit_bytes
        self.size_bytes = 0
        self.full = False
        self.durable_seq = 0
        self.filled_seq = 0
        self.first = gone
        self.last_released = gone
        self._lossless = lossless
        self._kept: deque[RetainedBatch] = deque()

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def durable(self) -> bool:
        """Whether confirmed checkpoints hold every item; that of empty batches does not matter."""
        return self.durable_seq >= self.filled_seq

    @property
    def unprotected(self) -> bool:
        """Whether batches were let go that no confirmed checkpoint holds."""
        return self.last_released.seq > max(self.durable_seq, self.first.seq)

    def keep(self, batch: RetainedBatch) -> Sequence[RetainedBatch]:
        """Keep a batch that was just cut; those that had to go for it, oldest first."""
        self._kept.append(batch)
        self.size_bytes += len(batch.payload)
        if not batch.empty:
            self.filled_seq = batch.seq
        if self.size_bytes <= self.limit_bytes:
            return ()
        if self._lossless:
            self.full = not self.durable
            return ()
        return self._make_room()

    def confirm(self, durable_seq: int) -> None:
        """Let go of everything up to this number: a confirmed checkpoint holds it."""
        self.durable_seq = durable_seq
        kept = self._kept
        batch = None
        while kept and kept[0].seq <= durable_seq:
            batch = kept.popleft()
            self.size_bytes -= len(batch.payload)
        if batch is not None:
            self.last_released = BatchHeader(batch.seq, batch.totals, batch.mark_ns)
        self.full = self._lossless and self.size_bytes > self.limit_bytes and not self.durable

    def after(self, seq: int) -> Iterator[RetainedBatch]:
        """The kept batches above this number, oldest first."""
        return (batch for batch in self._kept if batch.seq > seq)

    def miss_nothing(self, seq: int) -> None:
        """A shard that stands at this number needs nothing of what was let go: that does not have to be durable."""
        filled = [batch.seq for batch in self._kept if not batch.empty]
        self.filled_seq = filled[-1] if filled else min(self.filled_seq, seq)

    def replace(self, seq: int, payload: bytes) -> None:
        """Keep another payload under the number of a kept batch."""
        batch = self._kept[seq - self._kept[0].seq]
        self.size_bytes += len(payload) - len(batch.payload)
        batch.payload = payload

    def _make_room(self) -> list[RetainedBatch]:
        gone = []
        while self.size_bytes > self.limit_bytes:
            batch = self._kept.popleft()
            self.size_bytes -= len(batch.payload)
            gone.append(batch)
        self.last_released = BatchHeader(gone[-1].seq, gone[-1].totals, gone[-1].mark_ns)
        return gone
