"""What a shard's successor is given again before anything new: whole batches, or a suspect one item by item.

Tests: tests/desk/flow/test_lane_recovery.py
"""

from collections import deque
from collections.abc import Iterable
from typing import Final, NamedTuple

from desk.flow.crash_counter import CrashCounter
from desk.flow.poison_search import BatchParts
from desk.flow.retained_batches import RetainedBatch, RetainedBatches
from desk.model.errors import RunFailed
from desk.model.items import Item
from desk.model.ticks import Quote, Trade

MOST_LEFT_OUT: Final = 20
"""A shard that dies of more ticks than these has a fault that leaving ticks out does not mend."""


class BatchSpan(NamedTuple):
    """The oldest and the newest of some batches, by number; 0 and 0 of none."""

    oldest: int = 0
    newest: int = 0


class ReplayQueue:
    """The batches that wait to be sent again, and the search for the item on which a shard dies.

    A shard that dies takes acks with it, so what killed it is anything from the oldest unacknowledged batch to the
    newest. Where two losses in a row have such a batch in common, one batch at a time is under way until the last of
    them is through: the next loss points at one. A batch pointed at, or the oldest of two losses in a row, is the
    suspect: it is sent in parts. A tick of which there is `CrashCounter` then is left out.
    """

    def __init__(self, retained: RetainedBatches) -> None:
        self.quarantined: list[tuple[Item, int]] = []
        self.parts: BatchParts | None = None
        self.careful_until = 0
        self._retained = retained
        self._waiting: deque[tuple[int, bytes]] = deque()
        self._lost = BatchSpan()
        self._suspect = 0
        self._crashes = CrashCounter()
        self._left_out = 0

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def on_shard_lost(self, span: BatchSpan) -> None:
        """Take in that the shard died while these batches, and those between, were unacknowledged.

        Raises RunFailed where it dies of an item that nothing makes up for, or of too many ticks.
        """
        parts, self.parts = self.parts, None
        self._waiting.clear()
        before, self._lost = self._lost, span
        if not span.oldest:
            return
        if parts is not None:
            self._judge(parts)
        elif self.careful_until or span.oldest == before.oldest:
            self._suspect = span.oldest
        if span.oldest <= before.newest and span.newest >= before.oldest:
            self.careful_until = max(self.careful_until, span.newest, before.newest)

    def clear_suspicion(self) -> None:
        """Suspect nothing: the shard died of a strategy that is stopped now."""
        self._lost = BatchSpan()
        self._suspect = self.careful_until = 0
        self._crashes.clear()

    def begin(self, batches: Iterable[RetainedBatch], head: RetainedBatch | None) -> None:
        """Send these again, after `head` if there is one."""
        if head is not None:
            self._waiting.append((head.seq, head.payload))
        self._waiting.extend((batch.seq, batch.payload) for batch in batches)
        numbers = [seq for seq, _ in self._waiting]
        if not numbers or numbers[0] > self.careful_until:
            self.careful_until = 0
        else:
            self.careful_until = min(self.careful_until, numbers[-1])
        if self._suspect not in numbers:
            self._suspect = 0

    def take(self) -> tuple[int, bytes]:
        """The next batch or part to be sent, with its number."""
        seq, payload = self._waiting[0]
        if seq != self._suspect:
            self._waiting.popleft()
            return seq, payload
        if self.parts is None:
            self.parts = BatchParts(payload)
        if self.parts.last:
            self._waiting.popleft()
        return seq, self.parts.current()

    def part_done(self) -> None:
        """Take in that the shard outlived the part under way."""
        assert self.parts is not None, "an ack of a part where no batch is given in parts"
        self._crashes.on_applied(self.parts.place)
        if self.parts.last:
            self.parts = None
            self._suspect = 0
        else:
            self.parts.next()

    def _judge(self, parts: BatchParts) -> None:
        """Leave the part's item out if the shard dies of it; what cannot be left out ends the run."""
        item = parts.item
        if item is None or not self._crashes.count_crash(item, parts.place):
            return
        if not isinstance(item, Trade | Quote):
            raise _failed(parts, f"it dies on {item!r}", "only a tick can be left out")
        if self._left_out == MOST_LEFT_OUT:
            raise _failed(parts, f"it dies on {item!r} too", f"no more than {MOST_LEFT_OUT} ticks are left out")
        self._left_out += 1
        self._crashes.clear()
        self.quarantined.append((item, parts.batch.seq))
        self._retained.replace(parts.batch.seq, parts.without(item))


def _failed(parts: BatchParts, found: str, limit: str) -> RunFailed:
    return RunFailed(
        f"shard {parts.batch.shard}",
        f"{found}, sent alone from batch {parts.batch.seq}, several times",
        f"a shard that survives its items; {limit}",
        "See in the shard's log what ended its process, most likely a strategy called with this item; "
        "fix it or remove it from the plan, and resume the run.",
    )
