"""An assignment of slots with their loads to shards, on which moves are tried out before they are requested.

Tests: tests/desk/scaling/test_planner.py
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

GRAIN: Final = 1e-9
"""Relative difference of loads below which they are equal: sums depend on their order."""


class SlotAssignment:
    """Slot i, of load `loads[i]`, belongs to shard `owners[i]`; `shards` are those that may own slots.

    Loads have any unit and are not negative. Ties are broken by number, so that equal assignments give equal moves.
    """

    def __init__(self, loads: Sequence[float], owners: Iterable[int], shards: Iterable[int]) -> None:
        self.loads = loads
        self.owners = list(owners)
        self.shards = sorted(shards)
        self.slots: dict[int, set[int]] = {shard: set() for shard in (*self.shards, *self.owners)}
        for slot, owner in enumerate(self.owners):
            self.slots[owner].add(slot)

    def load(self, shard: int) -> float:
        """The load of the shard."""
        return sum(self.loads[slot] for slot in sorted(self.slots[shard]))

    def loaded_slots(self, shard: int) -> list[int]:
        """The shard's slots with any load, heaviest first."""
        return sorted((slot for slot in self.slots[shard] if self.loads[slot] > 0), key=self.dear)

    def dear(self, slot: int) -> tuple[float, int]:
        """The sort key for slots, heaviest first."""
        return -self.loads[slot], slot

    def shard_loads(self, shards: Iterable[int]) -> dict[int, float]:
        """The load of each of these shards."""
        return {shard: self.load(shard) for shard in shards}

    def move(self, slot: int, to: int) -> None:
        """Assign the slot to shard `to`."""
        self.slots[self.owners[slot]].discard(slot)
        self.slots[to].add(slot)
        self.owners[slot] = to

    def shared(self) -> list[int]:
        """The shards among which load can be balanced.

        A shard whose only slot has the fair share or more cannot be relieved: it is left out, and the fair share is
        computed from the rest.
        """
        loads = self.shard_loads(self.shards)
        rest = sorted(self.shards, key=lambda shard: (-loads[shard], shard))
        while len(rest) > 1:
            fair = mean(loads[shard] for shard in rest)
            alone = next((shard for shard in rest if loads[shard] >= fair and len(self.loaded_slots(shard)) == 1), None)
            if alone is None:
                break
            rest.remove(alone)
        return sorted(rest)


def mean(loads: Iterable[float]) -> float:
    """The fair share."""
    values = list(loads)
    return sum(values) / len(values)


def clearly_less(one: float, other: float) -> bool:
    """Whether a load is less than another beyond rounding errors."""
    return one < other * (1.0 - GRAIN)


def level(loads: Mapping[int, float]) -> float:
    """The busiest shard's load over the fair share; 1 without load."""
    fair = mean(loads.values())
    return max(loads.values()) / fair if fair > 0 else 1.0
