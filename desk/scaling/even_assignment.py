"""Slots for shards without any, by number of slots only: the assignment while loads are unknown."""

from collections.abc import Collection, Sequence

from desk.scaling.balance import SlotMove


def assign_evenly(owners: Sequence[int], shards: Collection[int]) -> list[SlotMove]:
    """Moves that give each of the `shards` without slots its share, taken from the shards with most slots.

    Slot i belongs to shard `owners[i]`.
    """
    held: dict[int, list[int]] = {shard: [] for shard in shards}
    for slot, owner in enumerate(owners):
        held.setdefault(owner, []).append(slot)
    share = len(owners) // len(held)
    ways: dict[tuple[int, int], list[int]] = {}
    for new in sorted(shard for shard in shards if not held[shard]):
        while len(held[new]) < share:
            giver = max(held, key=lambda shard: (len(held[shard]), -shard))
            slot = held[giver].pop()
            held[new].append(slot)
            ways.setdefault((giver, new), []).append(slot)
    return [SlotMove(tuple(sorted(slots)), origin, to) for (origin, to), slots in sorted(ways.items())]
