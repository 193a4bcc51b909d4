"""What a shard's successor is given again before anything new: whole batches, or a suspect one item by item."""

from collections import deque
from collections.abc import Iterable

from desk.flow.retained import Kept, Retained
from desk.flow.singly import Parts
from desk.model.items import Item


class Resending:
    """The batches that wait to be sent again, and the search for the item on which a shard dies.

    A shard that dies takes acks with it, so what killed it is anything from the oldest unacknowledged batch to the
    newest. Where two losses in a row have such a batch in common, one batch at a time is under way until the last of
    them is through: the next loss points at one. A batch pointed at, or the oldest of two losses in a row, is the
    suspect: it is sent in parts, and a part with which the shard is lost is quarantined. None of this can tell a
    shard that was killed from outside at that very moment, unless its death is `explained`.
    """

    def __init__(self, retained: Retained) -> None:
        self.quarantined: list[tuple[Item, int]] = []
        self.parts: Parts | None = None
        self.careful_until = 0
        self._retained = retained
        self._waiting: deque[tuple[int, bytes]] = deque()
        self._lost: tuple[int, int] = (0, 0)
        self._suspect = 0

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def lost(self, oldest: int, newest: int) -> None:
        """Take in that the shard died while these batches, and those between, were unacknowledged; 0 and 0 if none.

        Raises RunFailed where it died on an item that nothing makes up for.
        """
        parts, self.parts = self.parts, None
        self._waiting.clear()
        before, self._lost = self._lost, (oldest, newest)
        if not oldest:
            return
        if parts is not None:
            self._quarantine(parts)
        elif self.careful_until or oldest == before[0]:
            self._suspect = oldest
        if oldest <= before[1] and newest >= before[0]:
            self.careful_until = max(self.careful_until, newest, before[1])

    def explained(self) -> None:
        """Suspect nothing: the shard died of a strategy that is stopped now."""
        self._lost = (0, 0)
        self._suspect = self.careful_until = 0

    def begin(self, batches: Iterable[Kept], head: Kept | None) -> None:
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
            self.parts = Parts(payload)
        if self.parts.last:
            self._waiting.popleft()
        return seq, self.parts.current()

    def part_done(self) -> None:
        """Take in that the shard outlived the part under way."""
        assert self.parts is not None, "an ack of a part where no batch is given in parts"
        if self.parts.last:
            self.parts = None
            self._suspect = 0
        else:
            self.parts.next()

    def _quarantine(self, parts: Parts) -> None:
        found = parts.quarantine()
        if found is not None:
            item, payload = found
            seq = parts.batch.seq
            self.quarantined.append((item, seq))
            self._retained.replace(seq, payload)
