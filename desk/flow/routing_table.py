"""Maps symbols to shards: symbol → slot by a stable hash, slot → shard by a versioned table."""

from collections.abc import Iterable, Sequence
from typing import Final
from zlib import crc32

import msgspec

SLOTS: Final = 1024


def slot_of(symbol: str) -> int:
    """The symbol's slot, the same in every process and run (CRC-32 of its UTF-8 bytes)."""
    return crc32(symbol.encode()) % SLOTS


class RoutingTable(msgspec.Struct, frozen=True, array_like=True):
    """Slot i belongs to shard `shards[i]`; every change makes a new table with the next version.

    Raises ValueError unless there is exactly one shard for every slot.
    """

    version: int
    shards: tuple[int, ...]

    def __post_init__(self) -> None:
        if len(self.shards) != SLOTS:
            raise ValueError(f"a routing table names a shard for each of {SLOTS} slots, not for {len(self.shards)}")

    @classmethod
    def even(cls, shards: Sequence[int]) -> "RoutingTable":
        """Make the first table: slots are assigned to the shards in turn."""
        if not shards:
            raise ValueError("a routing table needs at least one shard")
        return cls(1, tuple(shards[slot % len(shards)] for slot in range(SLOTS)))

    def shard_of(self, symbol: str) -> int:
        """The shard that owns the symbol."""
        return self.shards[slot_of(symbol)]

    def moved(self, slots: Iterable[int], shard: int) -> "RoutingTable":
        """Make the next table, in which these slots belong to `shard`. Raises ValueError for an unknown slot."""
        moving = frozenset(slots)
        if unknown := sorted(moving.difference(range(SLOTS))):
            raise ValueError(f"no slots of a table of {SLOTS}: {unknown}")
        return RoutingTable(
            self.version + 1,
            tuple(shard if slot in moving else owner for slot, owner in enumerate(self.shards)),
        )
