"""Slots for shards without slots."""

from hypothesis import given
from hypothesis import strategies as st

from desk.flow.routing_table import SLOTS, RoutingTable
from desk.scaling import assign_evenly


@given(first=st.integers(1, 8), joining=st.sets(st.integers(8, 15), min_size=1, max_size=8))
def test_shards_without_slots_get_their_share_and_the_others_get_nothing(first: int, joining: set[int]) -> None:
    table = RoutingTable.even(range(first))
    shards = {*range(first), *joining}

    for move in assign_evenly(table.shards, shards):
        assert {table.shards[slot] for slot in move.slots} == {move.origin}
        assert move.to in joining
        table = table.moved(move.slots, move.to)

    held = [table.shards.count(shard) for shard in shards]
    assert min(held) >= SLOTS // len(shards)
    assert max(held) - min(held) <= len(shards)


def test_where_every_shard_owns_slots_nothing_is_dealt() -> None:
    assert assign_evenly(RoutingTable.even([0, 1, 2]).shards, [0, 1, 2]) == []
