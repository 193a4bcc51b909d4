"""The state machine of slot moves, with two lanes and prepared acks."""

from typing import Any

import pytest
from pipeline_parts import START_NS
from random_days import SYMBOLS

from desk.consumer.engine.snapshot import EngineSnapshot, encode_state
from desk.flow import Lane, LaneConfig
from desk.flow.routing_table import SLOTS, RoutingTable, slot_of
from desk.model.batch import Ack, LaneTotals, Released, ShardPosition, decode_batch
from desk.model.items import Adopt, GapItem, Item, LostTrades, Mark, QuotesLost, Release, Settle, decode_items
from desk.model.ticks import Quote, Trade
from desk.model.units import SECOND_NS
from desk.producer.held_items import HeldItems
from desk.producer.slot_moves import MAX_SLOTS_LIVE, SlotMoves
from desk.telemetry.audit import Audit
from desk.telemetry.note_board import NoteBoard

CONFIG = LaneConfig("producer", 1, 100, 4, 0, 10**9, 50, 10 * SECOND_NS, False)


class Table:
    """Moves with two live lanes, and what they put into them."""

    def __init__(self, *, lossless: bool = False, number: int = 0) -> None:
        self.lanes = {0: Lane(0, CONFIG), 1: Lane(1, CONFIG)}
        self.notes = NoteBoard()
        self.moves = SlotMoves(RoutingTable.even([0, 1]), number, self.notes, lossless=lossless)

    @property
    def noted(self) -> list[str]:
        return [note.text for note in self.notes.latest()]

    def begin(self, now_ns: int = 0) -> bool:
        self.moves.accept_requests()
        return self.moves.begin(self.lanes, START_NS, now_ns)

    def cut(self, shard: int) -> list[Item]:
        """Everything that lossless, cut batch by batch."""
        items: list[Item] = []
        while (payload := self.lanes[shard].cut(0, hurry=True)) is not None:
            batch = decode_batch(payload)
            items += batch.items
            self.lanes[shard].on_ack(Ack(shard, 1, batch.seq, 0, 0))
        return items

    def ack(
        self, shard: int, released: dict[int, bytes] | None = None, *, durable: bool = False, now_ns: int = 0
    ) -> None:
        seq = self.lanes[shard].next_seq - 1
        ack = Ack(shard, 1, seq, 0, 0, durable_seq=seq if durable else 0, released=released)
        self.moves.on_ack(ack, self.lanes, now_ns)


def a_state(mark_ns: int = 0) -> bytes:
    """Of a shard at this mark, which has none of the symbols."""
    return encode_state(EngineSnapshot(mark_ns, mark_ns, 0, False, False, 0, 0, Audit(), [], [], []))


@pytest.mark.parametrize("lossless", [True, False])
def test_a_state_whose_ack_died_with_its_shard_is_taken_from_the_successor(lossless: bool) -> None:
    table = Table(lossless=lossless)
    table.moves.request([0, 2], 1)
    table.begin()
    (release,) = table.cut(0)
    assert isinstance(release, Release)

    held = {release.move: Released(release, a_state())}
    table.moves.on_back(ShardPosition(0, 2, 1, 1, 0, 0, LaneTotals(), released=held), table.lanes)
    table.ack(0, durable=True)

    (adopt,) = table.cut(1)
    assert isinstance(adopt, Adopt)
    assert (adopt.move, adopt.slots) == (release.move, [0, 2])


def test_a_move_is_fence_state_adoption_and_settling_and_is_reported_with_its_time() -> None:
    table = Table()
    table.moves.request([0, 2], 1)

    assert table.begin(now_ns=1_000_000)
    assert table.cut(0) == [Release(1, [0, 2], 1)]
    table.ack(0, {1: a_state()})
    [adopt] = table.cut(1)
    assert isinstance(adopt, Adopt)
    table.ack(1, now_ns=13_400_000)
    assert table.cut(0) == []
    table.ack(1, durable=True)

    assert table.cut(0) == [Settle(1)]
    assert (adopt.move, adopt.slots) == (1, [0, 2])
    assert (table.moves.table.shards[0], table.moves.table.version, table.moves.done) == (1, 2, 1)
    assert table.noted == ["move 1: 2 slots from shard 0 to shard 1 in 12.4 ms"]
    assert not table.moves.under_way


def test_slots_without_symbols_go_along_and_a_wish_is_reported_once_when_all_of_it_is_done() -> None:
    table = Table()
    table.moves.used = {0, 2, 4, 6, 8, 10}
    table.moves.request(range(0, 200, 2), 1)

    sizes = []
    while table.begin():
        [release] = table.cut(0)
        assert isinstance(release, Release)
        sizes.append(len(release.slots))
        table.ack(0, {release.move: a_state()})
        table.cut(1)
        table.ack(1, durable=True, now_ns=2_000_000)
        table.cut(0)

    assert sizes == [98, 2]
    assert table.noted == ["100 slots moved to shard 1 in 2 moves, the longest in 2.0 ms"]


def test_what_comes_for_slots_on_their_way_is_held_and_follows_their_state() -> None:
    table = Table()
    symbol = next(symbol for symbol in SYMBOLS if slot_of(symbol) % 2 == 0)
    table.moves.request([slot_of(symbol)], 1)
    table.begin()
    holding = table.moves.holding(symbol)
    assert holding is not None
    trade, quote = Trade(1, symbol, 5, 0, 10.0, 1.0), Quote(2, symbol, 6, 0, 9.0, 1.0, 11.0, 1.0)

    holding.offer(trade, 0)
    table.moves.mark(Mark(SECOND_NS, 0))
    holding.offer(quote, 0)
    table.ack(0, {1: a_state()})

    [adopt] = table.cut(1)
    assert isinstance(adopt, Adopt)
    assert decode_items(adopt.items)[1:] == [trade, Mark(SECOND_NS, 0), quote]
    totals = table.lanes[1].totals()
    assert (totals.trades, totals.quotes) == (1, 1)
    assert table.moves.holding(symbol) is None


def test_what_is_held_is_bounded_and_what_is_above_is_named() -> None:
    holding = HeldItems(2)
    for ordinal in range(4):
        holding.offer(Trade(ordinal, "A", 5, 0, 10.0, 1.0), 0)
    holding.offer(Quote(9, "A", 5, 0, 9.0, 1.0, 11.0, 1.0), 0)

    assert (holding.trades, holding.trades_full, holding.quotes_full) == (2, 2, 1)
    assert [item for item in holding.items if not isinstance(item, Trade)] == [
        LostTrades([("A", 0)]),
        QuotesLost("A", 0),
    ]


def test_an_adoption_that_waits_behind_others_is_not_settled_by_their_checkpoint() -> None:
    table = Table()
    table.moves.request([0], 1)
    table.begin()
    lane = table.lanes[1]
    for ordinal in range(90):
        lane.offer(Trade(ordinal, "B", 5, 0, 10.0, 1.0), 0)
    lane._cutter.items_per_batch = 8
    table.ack(0, {1: a_state()})

    assert lane.cut(0, hurry=True)
    table.ack(1, durable=True)
    assert table.cut(0) == [Release(1, [0], 1)]
    assert isinstance(table.cut(1)[-1], Adopt)
    table.ack(1, durable=True)

    assert table.cut(0) == [Settle(1)]


def test_large_wishes_go_in_parts_and_shards_take_part_in_one_at_a_time() -> None:
    table = Table()
    table.moves.used = set(range(SLOTS))
    table.moves.request(range(0, SLOTS, 2), 1)
    parts = 0

    while table.begin():
        assert not table.begin()
        [release] = table.cut(0)
        assert isinstance(release, Release)
        assert len(release.slots) <= MAX_SLOTS_LIVE
        table.ack(0, {release.move: a_state()})
        table.cut(1)
        table.ack(1, durable=True)
        table.cut(0)
        parts += 1

    assert parts == SLOTS // 2 // MAX_SLOTS_LIVE
    assert set(table.moves.table.shards) == {1}


@pytest.mark.parametrize(("slots", "to"), [([0], 7), ([SLOTS], 1), ([-1], 1)])
def test_a_wish_for_what_is_not_there_is_reported_and_forgotten(slots: list[int], to: int) -> None:
    table = Table()
    table.moves.request(slots, to)

    assert not table.begin()

    assert table.noted == [f"slots {slots} were not moved to shard {to}: no such shard or slot"]
    assert not table.moves.has_requests


def test_where_the_feed_waits_no_shard_adopts_before_the_release_is_durable() -> None:
    table = Table(lossless=True)
    table.moves.request([0], 1)
    table.begin()
    table.cut(0)

    table.ack(0, {1: a_state()})
    assert table.cut(1) == []
    assert table.moves.unsaved == {0}
    table.ack(0, durable=True)

    assert [type(item) for item in table.cut(1)] == [Adopt]
    assert table.moves.unsaved == {1}
    table.ack(1, durable=True)
    assert not table.moves.under_way


def a_position(shard: int, mark_s: int = 0, **more: Any) -> ShardPosition:
    return ShardPosition(shard, 1, 1, 5, mark_s * SECOND_NS, mark_s * SECOND_NS, LaneTotals(), **more)


def test_what_a_dead_producer_left_released_is_taken_up_at_once_and_held_meanwhile() -> None:
    table = Table()
    released = {3: Released(Release(3, [0], 1), a_state(4 * SECOND_NS))}

    table.moves.recover([a_position(0, 6, released=released), a_position(1, 7)], table.lanes, 0)

    assert table.moves.number == 3
    assert table.moves.held
    assert table.cut(0) == [Release(3, [0], 1)]
    table.ack(0, {3: a_state(4 * SECOND_NS)})
    [adopt] = table.cut(1)
    assert isinstance(adopt, Adopt)
    gap, mark = decode_items(adopt.items)
    assert isinstance(gap, GapItem)
    assert (gap.from_ns, mark) == (4 * SECOND_NS, Mark(7 * SECOND_NS, 0))


def test_what_is_adopted_is_where_it_is_and_who_fell_back_behind_it_lets_go() -> None:
    table = Table()

    table.moves.recover([a_position(0), a_position(1, adopted={3: [0]})], table.lanes, 0)

    assert table.moves.table.shards[0] == 1
    assert table.cut(0) == [Release(3, [0], 1), Settle(3)]
    assert not table.moves.under_way


def test_moves_of_a_waiting_feed_wait_until_the_shards_marks_are_reached_again() -> None:
    table = Table(lossless=True)
    released = {3: Released(Release(3, [0], 1), a_state(4 * SECOND_NS))}
    table.moves.recover([a_position(0, 4, released=released), a_position(1, 2)], table.lanes, 0)

    early = table.moves.begin(table.lanes, 3 * SECOND_NS, 0)
    late = table.moves.begin(table.lanes, 4 * SECOND_NS, 0)

    assert (early, late) == (False, True)
    assert table.cut(0) == [Release(3, [0], 1)]
