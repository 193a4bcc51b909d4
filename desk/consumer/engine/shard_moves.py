"""The slot moves of one shard: released, adopted and settled.

Tests: tests/desk/consumer/engine/test_symbol_handover.py
"""

import msgspec

from desk.flow.routing_table import slot_of
from desk.model.batch import Released
from desk.model.items import Adopt, Release


class ShardMoves(msgspec.Struct, array_like=True):
    """The moves of one shard, by their number.

    `released` are moves whose state is held until the other shard has it in a durable checkpoint, `settled` the moves
    before those, `adopted` the slots taken over. `away` are released slots that were not adopted again: items that a
    restarted producer replays for them were applied before the release.
    """

    released: dict[int, Released] = {}
    settled: list[int] = []
    adopted: dict[int, list[int]] = {}
    away: list[int] = []

    @property
    def last(self) -> int:
        """The highest number of them; 0 without any."""
        return max((0, *self.released, *self.settled, *self.adopted))

    def has_released(self, move: int) -> bool:
        """Whether the move's slots were released already."""
        return move in self.released or move in self.settled

    def release(self, release: Release, state: bytes) -> None:
        """Record that the slots were released, with this state."""
        self.released[release.move] = Released(release, state)
        self.away = sorted({*self.away, *release.slots})

    def adopt(self, adopt: Adopt) -> None:
        """Record that the slots were adopted."""
        self.adopted[adopt.move] = adopt.slots
        self.away = sorted({*self.away}.difference(adopt.slots))

    def settle(self, move: int) -> None:
        """Discard the state that was handed over. A move already settled, or never released, changes nothing."""
        if self.released.pop(move, None) is not None:
            self.settled.append(move)

    def has_left(self, symbol: str) -> bool:
        """Whether the symbol's slot was released and not adopted again."""
        return bool(self.away) and slot_of(symbol) in self.away
