"""Producer states that wait until every shard is durable at their mark.

Tests: tests/desk/inprocess/test_recovery.py
"""

from collections import deque

from desk.model.checkpoint import ProducerState, encode_producer
from desk.ports import StateWriter


class ProducerStates:
    """Sends the keeper the newest state at whose mark every shard has a confirmed checkpoint.

    A successor that starts at such a mark misses nothing, even if shards died with the producer.
    """

    def __init__(self, every_ns: int, keeper: StateWriter) -> None:
        self._every_ns = every_ns
        self._keeper = keeper
        self._durable_ns: dict[int, int] = {}
        self._waiting: deque[ProducerState] = deque()
        self._taken_ns = 0

    def due(self, now_ns: int) -> bool:
        """Whether another state is due; also true after the clock was set back."""
        return not 0 <= now_ns - self._taken_ns < self._every_ns

    def add(self, state: ProducerState, now_ns: int) -> None:
        """Enqueue a state."""
        self._taken_ns = now_ns
        self._waiting.append(state)

    def join(self, shard: int, mark_ns: int) -> None:
        """Wait for this shard from now on; its last confirmed checkpoint is at this mark (0 without one)."""
        self._durable_ns[shard] = mark_ns

    def leave(self, shard: int) -> None:
        """Stop waiting for this shard: all of its items are in a confirmed checkpoint."""
        del self._durable_ns[shard]
        self._save()

    def durable(self, shard: int, mark_ns: int) -> None:
        """Record a confirmed checkpoint of the shard at this mark."""
        if mark_ns > self._durable_ns[shard]:
            self._durable_ns[shard] = mark_ns
            self._save()

    def _save(self) -> None:
        durable_ns = min(self._durable_ns.values())
        newest: ProducerState | None = None
        while self._waiting and self._waiting[0].mark_ns <= durable_ns:
            newest = self._waiting.popleft()
        if newest is not None:
            self._keeper.save_producer(encode_producer(newest))
