"""The moves of one shard: which slots went and came, and what was handed over.

Tests: tests/desk/consumer/engine/test_symbol_handover.py
"""

import msgspec

from desk.flow.routing_table import slot_of
from desk.model.batch import Released
from desk.model.items import Adopt, Release


class ShardMoves(msgspec.Struct, array_like=True):
    """The moves of one shard, by their number.

    `released` are those whose state is held until the other side has it durably, `settled` those before them,
    `adopted` the slots that came. `away` are the slots that went and have not come back: what an old producer's
    successor says about them again was applied before they went.
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
        """Whether the move's slots went already."""
        return move in self.released or move in self.settled

    def release(self, release: Release, state: bytes) -> None:
        """The slots went, with this state."""
        self.released[release.move] = Released(release, state)
        self.away = sorted({*self.away, *release.slots})

    def adopt(self, adopt: Adopt) -> None:
        """The slots came."""
        self.adopted[adopt.move] = adopt.slots
        self.away = sorted({*self.away}.difference(adopt.slots))

    def settle(self, move: int) -> None:
        """Forget what was handed over. A move that is settled already, or was never released, changes nothing."""
        if self.released.pop(move, None) is not None:
            self.settled.append(move)

    def has_left(self, symbol: str) -> bool:
        """Whether the symbol belongs to another shard now, and belonged to this one."""
        return bool(self.away) and slot_of(symbol) in self.away
