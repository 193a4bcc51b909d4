from collections import Counter

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from desk.flow.routing_table import SLOTS, RoutingTable, slot_of

symbols = st.text(st.characters(codec="utf-8"), max_size=12)
shard_lists = st.lists(st.integers(0, 40), min_size=1, max_size=12, unique=True)
slot_sets = st.sets(st.integers(0, SLOTS - 1), max_size=40)


@given(symbols, shard_lists)
def test_every_symbol_has_exactly_one_shard_and_it_is_one_of_those_given(symbol: str, shards: list[int]) -> None:
    table = RoutingTable.even(shards)

    assert 0 <= slot_of(symbol) < SLOTS
    assert table.shard_of(symbol) in shards
    assert table.shard_of(symbol) == table.shards[slot_of(symbol)]


@pytest.mark.parametrize(
    ("symbol", "slot"), [("SPY", 511), ("AAPL", 860), ("BAC", 722), ("BRK.B", 172), ("ÄÖ", 852), ("", 0)]
)
def test_a_symbol_has_the_same_slot_in_every_process_and_release(symbol: str, slot: int) -> None:
    assert slot_of(symbol) == slot


@given(shard_lists)
def test_the_first_table_gives_every_shard_the_same_number_of_slots_within_one(shards: list[int]) -> None:
    table = RoutingTable.even(shards)

    slots = Counter(table.shards)
    assert set(slots) == set(shards)
    assert max(slots.values()) - min(slots.values()) <= 1
    assert table.version == 1


@pytest.mark.parametrize("shards", [2, 3, 4, 8])
def test_symbols_spread_evenly_over_the_shards(shards: int) -> None:
    letters = "ABCDEFGHIJKLMNOPQRST"
    market = [a + b + c for a in letters for b in letters for c in letters]
    table = RoutingTable.even(range(shards))

    load = Counter(table.shard_of(symbol) for symbol in market)

    fair = len(market) / shards
    assert all(abs(load[shard] - fair) < 0.1 * fair for shard in range(shards))


@given(shard_lists, slot_sets, st.integers(0, 99))
def test_a_move_changes_the_given_slots_alone_and_raises_the_version(
    shards: list[int], slots: set[int], shard: int
) -> None:
    before = RoutingTable.even(shards)

    after = before.moved(slots, shard)

    assert after.version == before.version + 1
    for slot in range(SLOTS):
        assert after.shards[slot] == (shard if slot in slots else before.shards[slot])
    assert before == RoutingTable.even(shards)


def test_a_move_of_what_is_no_slot_is_refused() -> None:
    table = RoutingTable.even([0, 1])

    with pytest.raises(ValueError, match=r"no slots of a table of 1024: \[-1, 1024\]"):
        table.moved([3, SLOTS, -1], 1)


def test_a_table_without_a_shard_for_every_slot_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one shard"):
        RoutingTable.even([])
    with pytest.raises(ValueError, match="each of 1024 slots, not for 2"):
        RoutingTable(1, (0, 1))


@given(shard_lists, slot_sets)
def test_a_table_survives_the_wire(shards: list[int], slots: set[int]) -> None:
    table = RoutingTable.even(shards).moved(slots, 7)

    assert msgspec.msgpack.decode(msgspec.msgpack.encode(table), type=RoutingTable) == table
