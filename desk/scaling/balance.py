"""Steps that take load from the busiest shard, each with as few slots as possible.

Tests: tests/desk/scaling/test_planner.py
"""

from collections.abc import Iterator, Sequence

import msgspec

from desk.scaling.slot_assignment import SlotAssignment, clearly_less, mean

Step = dict[int, int]
"""Slots and their new shards, moved together."""


class SlotMove(msgspec.Struct, frozen=True, array_like=True):
    """A move of slots from one shard to another."""

    slots: tuple[int, ...]
    origin: int
    to: int


def next_step(assignment: SlotAssignment, target: float) -> Step | None:
    """The step that relieves the busiest shard above `target` times the fair share that can be relieved.

    Both shards of the step end below the load of the relieved one, so the greatest load never grows. None if no shard
    is above the target, or no single move or swap helps.
    """
    shards = assignment.shared()
    loads = assignment.shard_loads(shards)
    room = target * mean(loads.values())
    idlest_first = sorted(shards, key=lambda shard: (loads[shard], shard))
    for busy in reversed(idlest_first):
        if loads[busy] <= room or len(shards) == 1:
            return None
        others = [shard for shard in idlest_first if shard != busy]
        step = _gift(assignment, busy, others[0], room) or _swap(assignment, busy, others)
        if step is not None:
            return step
    return None


def _gift(assignment: SlotAssignment, busiest: int, idlest: int, room: float) -> Step | None:
    """Move a slot to the idlest shard: the heaviest with room there, else the one that leaves the two most equal."""
    high, low = assignment.load(busiest), assignment.load(idlest)
    slots = assignment.loaded_slots(busiest)
    for slot in slots:
        if low + assignment.loads[slot] <= room and clearly_less(low + assignment.loads[slot], high):
            return {slot: idlest}
    best = min(
        slots, key=lambda slot: (max(high - assignment.loads[slot], low + assignment.loads[slot]), slot), default=None
    )
    if best is None or not clearly_less(low + assignment.loads[best], high):
        return None
    return {best: idlest}


def _swap(assignment: SlotAssignment, busiest: int, others: Sequence[int]) -> Step | None:
    """Swap a heavy slot for a lighter one of another shard: the pair that leaves the two shards most equal."""
    high = assignment.load(busiest)
    best: tuple[float, int, int, int] | None = None
    for other in others:
        low = assignment.load(other)
        for dear, cheap in _pairs(assignment, busiest, other):
            given = assignment.loads[dear] - assignment.loads[cheap]
            found = (max(high - given, low + given), dear, cheap, other)
            if clearly_less(found[0], high) and (best is None or found < best):
                best = found
    if best is None:
        return None
    _, dear, cheap, other = best
    return {dear: other, cheap: busiest}


def _pairs(assignment: SlotAssignment, busiest: int, other: int) -> Iterator[tuple[int, int]]:
    """Pairs of slots whose swap would relieve the busiest shard."""
    theirs = assignment.loaded_slots(other)
    for dear in assignment.loaded_slots(busiest):
        yield from ((dear, cheap) for cheap in theirs if clearly_less(assignment.loads[cheap], assignment.loads[dear]))
