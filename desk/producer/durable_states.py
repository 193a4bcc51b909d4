"""Producer states that wait until no shard can fall back behind them.

Tests: tests/desk/inprocess/test_recovery.py
"""

from collections import deque

from desk.model.checkpoint import ProducerState, encode_producer
from desk.ports import StateWriter


class ProducerStates:
    """Gives the keeper the newest state whose mark every shard has in a confirmed checkpoint.

    A successor that begins at such a mark misses nothing, whichever shards died with the producer.
    """

    def __init__(self, every_ns: int, keeper: StateWriter) -> None:
        self._every_ns = every_ns
        self._keeper = keeper
        self._durable_ns: dict[int, int] = {}
        self._waiting: deque[ProducerState] = deque()
        self._taken_ns = 0

    def due(self, now_ns: int) -> bool:
        """Whether it is time for another; taken as yes where the clock was set back."""
        return not 0 <= now_ns - self._taken_ns < self._every_ns

    def add(self, state: ProducerState, now_ns: int) -> None:
        """Take a state in."""
        self._taken_ns = now_ns
        self._waiting.append(state)

    def join(self, shard: int, mark_ns: int) -> None:
        """Another shard counts from now on; it has a confirmed checkpoint at this mark, or none (0)."""
        self._durable_ns[shard] = mark_ns

    def leave(self, shard: int) -> None:
        """The shard counts no longer: whatever it was given is in a confirmed checkpoint."""
        del self._durable_ns[shard]
        self._keep()

    def durable(self, shard: int, mark_ns: int) -> None:
        """The shard has a confirmed checkpoint at this mark."""
        if mark_ns > self._durable_ns[shard]:
            self._durable_ns[shard] = mark_ns
            self._keep()

    def _keep(self) -> None:
        least_ns = min(self._durable_ns.values())
        newest: ProducerState | None = None
        while self._waiting and self._waiting[0].mark_ns <= least_ns:
            newest = self._waiting.popleft()
        if newest is not None:
            self._keeper.save_producer(encode_producer(newest))
