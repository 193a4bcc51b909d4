"""Slots move while data flow and processes die: nobody can tell afterwards, and nothing is lost on the way."""

from collections.abc import Sequence
from itertools import cycle
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mortal import PRODUCER, SHARD, Death, MortalDesk, Move, World
from pipeline_parts import START_NS, Clock, Desk, Row, Rows, at
from test_recovery import (
    ENTRIES,
    START_S,
    SYMBOLS,
    a_live_desk,
    delays,
    flows,
    live_flows,
    live_ticks,
    plans,
    played,
    rows,
    scanners_of,
    shown_once_and_in_order,
    the_same,
)

from desk.engine.audit import Audit
from desk.engine.snapshot import EngineSnapshot, encode_state
from desk.flow import Lane, LaneConfig
from desk.model.batch import Ack, Batch, LaneTotals, Position, Released, decode_batch
from desk.model.items import Adopt, Gap, Item, Lost, Release, Second, Settled, decode_items
from desk.model.ticks import Frame, Quote, Trade
from desk.model.units import SECOND_NS
from desk.pipeline.holding import Holding
from desk.pipeline.moves import LIVE_PART, Moves
from desk.risk import RiskLimits
from desk.routing import SLOTS, RoutingTable, slot_of

restless = st.lists(
    st.builds(Move, st.integers(START_S, START_S + 18), st.sampled_from(SYMBOLS), st.integers(0, 2)),
    min_size=5,
    max_size=20,
)
deaths = st.lists(st.builds(Death, st.integers(1, 150), st.integers(0, 8), st.integers(0, 11)), min_size=1, max_size=6)
slow = settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))


@slow
@given(rows, st.sets(st.sampled_from(SYMBOLS), max_size=3), plans, flows, st.just([]) | deaths, restless, delays)
def test_in_lockstep_no_number_of_moves_shows_in_anything_whoever_dies_meanwhile(
    tape: list[Row],
    always: set[str],
    plan: list[list[str]],
    flow: dict[str, Any],
    dying: list[Death],
    moves: list[Move],
    delay: Any,
) -> None:
    desk = MortalDesk(
        sorted(always),
        Rows(tape, SYMBOLS),
        strategies=ENTRIES,
        scanners=scanners_of(plan),
        start_ns=at(START_S),
        limits=RiskLimits(max_order_notional=80.0, max_position_notional=150.0),
        **flow,
    )

    lived, moved = played(desk), played(desk, dying, moves, delay)

    the_same(lived, moved)


@slow
@given(live_ticks, live_flows, restless, delays)
def test_a_live_feed_loses_nothing_by_moves_that_nobody_dies_of(
    ticks: list[tuple[int, str, bool]], flow: dict[str, Any], moves: list[Move], delay: Any
) -> None:
    desk = a_live_desk(ticks, flow | {"capacity": 1_000})

    lived, moved = played(desk), played(desk, (), moves, delay)

    assert moved.bars() == lived.bars()
    assert moved.applied() == lived.applied()
    assert moved.balance() == {"trades": 0, "quotes": 0}
    shown_once_and_in_order(moved)


@slow
@given(
    live_ticks, live_flows, deaths, restless, delays, st.lists(st.sampled_from([0, 1, 30, 70]), min_size=1, max_size=5)
)
def test_a_protected_live_feed_makes_the_same_bars_when_either_side_of_a_move_dies(
    ticks: list[tuple[int, str, bool]],
    flow: dict[str, Any],
    dying: list[Death],
    moves: list[Move],
    delay: Any,
    lateness: list[int],
) -> None:
    desk = a_live_desk(ticks, flow | {"capacity": 1_000, "retain_bytes": 1 << 20})
    desk.frames = [late(frame, by_s) for frame, by_s in zip(desk.frames, cycle(lateness), strict=False)]
    consumers = [death._replace(who=SHARD + death.who) for death in dying]

    lived, died = played(desk), played(desk, consumers, moves, delay)

    assert died.bars() == lived.bars()
    assert died.applied() == lived.applied()
    shown_once_and_in_order(died)


def late(frame: Frame, by_s: int) -> Frame:
    """The same, but what its ticks tell happened earlier."""
    ticks = [msgspec.structs.replace(tick, ts_ns=tick.ts_ns - by_s * SECOND_NS) for tick in frame.ticks]
    return Frame(ticks, frame.session_ns, frame.mark, frame.lag_ns)


@slow
@given(live_ticks, live_flows, deaths, restless, delays)
def test_after_whatever_deaths_amid_moves_every_symbol_of_a_live_feed_is_in_one_place_and_accounts_balance(
    ticks: list[tuple[int, str, bool]], flow: dict[str, Any], dying: list[Death], moves: list[Move], delay: Any
) -> None:
    died = played(a_live_desk(ticks, flow), dying, moves, delay)

    assert died.balance() == {"trades": 0, "quotes": 0}
    assert {symbol for symbol, _ in died.strategies()} == set(SYMBOLS)
    everyone_is_where_the_table_says(died)
    shown_once_and_in_order_or_told_as_lost(died)


def shown_once_and_in_order_or_told_as_lost(world: World) -> None:
    """A shard that lost what it had handed over already tells it as lost, though the symbol's new shard knows it."""
    shown = [found[0]["ordinals"] for found in world.strategies().values()]
    audits = [shard.engine.audit for shard in world.shards()]
    applied = sum(audit.trades + audit.quotes for audit in audits)
    lost = sum(audit.lost_trades + audit.lost_quotes for audit in audits)
    assert all(ordinals == sorted(set(ordinals)) for ordinals in shown)
    assert applied <= sum(map(len, shown)) <= applied + lost


def everyone_is_where_the_table_says(world: World) -> None:
    for shard in world.shards():
        for symbol in shard.engine.symbols:
            assert world.intake.moves.table.shard_of(symbol) == shard.config.shard


@pytest.mark.parametrize("who", [(PRODUCER,), (SHARD,), (SHARD + 1,), (PRODUCER, SHARD), (SHARD, SHARD + 1, PRODUCER)])
def test_a_move_is_finished_whichever_call_of_it_somebody_dies_at(who: tuple[int, ...]) -> None:
    tape = [Row(START_S + number / 4, SYMBOLS[number % 4]) for number in range(40)]
    desk = MortalDesk(SYMBOLS, Rows(tape, SYMBOLS), strategies=ENTRIES, start_ns=at(START_S))
    moves = [Move(START_S + 2, symbol, shard) for symbol in SYMBOLS for shard in (0, 1)]
    lived = World(desk).play()

    for after in range(1, 200, len(who)):
        died = World(desk, [Death(after if one == who[0] else 1, one, after) for one in who], moves).play()

        the_same(lived, died)
        everyone_is_where_the_table_says(died)


# The state machine by itself

CONFIG = LaneConfig("producer", 1, 100, 4, 0, 10**9, 50, 10 * SECOND_NS, False)


class Table:
    """Moves with two live lanes, and what they put into them."""

    def __init__(self, *, waits: bool = False, number: int = 0) -> None:
        self.lanes = {0: Lane(0, CONFIG), 1: Lane(1, CONFIG)}
        self.told: list[str] = []
        self.moves = Moves(RoutingTable.even([0, 1]), number, lambda: None, waits=waits, tell=self.told.append)

    def begin(self, now_ns: int = 0) -> bool:
        return self.moves.begin(self.lanes, START_NS, now_ns)

    def cut(self, shard: int) -> list[Item]:
        """Everything that waits, cut batch by batch."""
        items: list[Item] = []
        while (payload := self.lanes[shard].cut(0, hurry=True)) is not None:
            batch = decode_batch(payload)
            items += batch.items
            self.lanes[shard].on_ack(Ack(shard, 1, batch.seq, 0, 0, 0, 0))
        return items

    def ack(
        self, shard: int, released: dict[int, bytes] | None = None, *, durable: bool = False, now_ns: int = 0
    ) -> None:
        seq = self.lanes[shard].next_seq - 1
        ack = Ack(shard, 1, seq, 0, 0, 0, 0, durable_seq=seq if durable else 0, released=released)
        self.moves.on_ack(ack, self.lanes, now_ns)


def a_state(mark_ns: int = 0) -> bytes:
    """Of a shard at this mark, which has none of the symbols."""
    return encode_state(EngineSnapshot(mark_ns, mark_ns, 0, False, False, 0, 0, Audit(), [], [], []))


def test_a_move_is_fence_state_adoption_and_settling_and_is_told_with_its_time() -> None:
    table = Table()
    table.moves.wish([0, 2], 1)

    assert table.begin(now_ns=1_000_000)
    assert table.cut(0) == [Release(1, [0, 2], 1)]
    table.ack(0, {1: a_state()})
    [adopt] = table.cut(1)
    assert isinstance(adopt, Adopt)
    table.ack(1, now_ns=13_400_000)
    assert table.cut(0) == []
    table.ack(1, durable=True)

    assert table.cut(0) == [Settled(1)]
    assert (adopt.move, adopt.slots) == (1, [0, 2])
    assert (table.moves.table.shards[0], table.moves.table.version, table.moves.done) == (1, 2, 1)
    assert table.told == ["move 1: 2 slots from shard 0 to shard 1 in 12.4 ms"]
    assert not table.moves.under_way


def test_what_comes_for_slots_on_their_way_is_held_and_follows_their_state() -> None:
    table = Table()
    symbol = next(symbol for symbol in SYMBOLS if slot_of(symbol) % 2 == 0)
    table.moves.wish([slot_of(symbol)], 1)
    table.begin()
    holding = table.moves.holding(symbol)
    assert holding is not None
    trade, quote = Trade(1, symbol, 5, 0, 10.0, 1.0), Quote(2, symbol, 6, 0, 9.0, 1.0, 11.0, 1.0)

    holding.offer(trade, 0)
    table.moves.mark(Second(SECOND_NS, 0))
    holding.offer(quote, 0)
    table.ack(0, {1: a_state()})

    [adopt] = table.cut(1)
    assert isinstance(adopt, Adopt)
    assert decode_items(adopt.items)[1:] == [trade, Second(SECOND_NS, 0), quote]
    totals = table.lanes[1].totals()
    assert (totals.trades, totals.quotes) == (1, 1)
    assert table.moves.holding(symbol) is None


def test_what_is_held_is_bounded_and_what_is_above_is_named() -> None:
    holding = Holding(2)
    for ordinal in range(4):
        holding.offer(Trade(ordinal, "A", 5, 0, 10.0, 1.0), 0)
    holding.offer(Quote(9, "A", 5, 0, 9.0, 1.0, 11.0, 1.0), 0)

    assert (holding.trades, holding.trades_full, holding.quotes_full) == (2, 2, 1)
    assert [item for item in holding.items if not isinstance(item, Trade)] == [Lost([("A", 0)])]


def test_an_adoption_that_waits_behind_others_is_not_settled_by_their_checkpoint() -> None:
    table = Table()
    table.moves.wish([0], 1)
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

    assert table.cut(0) == [Settled(1)]


def test_large_wishes_go_in_parts_and_shards_take_part_in_one_at_a_time() -> None:
    table = Table()
    table.moves.wish(range(0, SLOTS, 2), 1)
    parts = 0

    while table.begin():
        assert not table.begin()
        [release] = table.cut(0)
        assert isinstance(release, Release)
        assert len(release.slots) <= LIVE_PART
        table.ack(0, {release.move: a_state()})
        table.cut(1)
        table.ack(1, durable=True)
        table.cut(0)
        parts += 1

    assert parts == SLOTS // 2 // LIVE_PART
    assert set(table.moves.table.shards) == {1}


@pytest.mark.parametrize(("slots", "to"), [([0], 7), ([SLOTS], 1), ([-1], 1)])
def test_a_wish_for_what_is_not_there_is_told_and_forgotten(slots: list[int], to: int) -> None:
    table = Table()
    table.moves.wish(slots, to)

    assert not table.begin()

    assert table.told == [f"no move of slots {slots} to shard {to}: there is no such shard or slot"]
    assert not table.moves.wished


def test_where_the_feed_waits_nobody_adopts_before_the_release_is_durable() -> None:
    table = Table(waits=True)
    table.moves.wish([0], 1)
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


def a_position(shard: int, mark_s: int = 0, **more: Any) -> Position:
    return Position(shard, 1, 1, 5, mark_s * SECOND_NS, mark_s * SECOND_NS, LaneTotals(), **more)


def test_what_a_dead_producer_left_released_is_taken_up_at_once_and_held_meanwhile() -> None:
    table = Table()
    released = {3: Released(Release(3, [0], 1), a_state(4 * SECOND_NS))}

    table.moves.take_up([a_position(0, 6, released=released), a_position(1, 7)], table.lanes, 0)

    assert table.moves.number == 3
    assert table.moves.held
    assert table.cut(0) == [Release(3, [0], 1)]
    table.ack(0, {3: a_state(4 * SECOND_NS)})
    [adopt] = table.cut(1)
    assert isinstance(adopt, Adopt)
    gap, mark = decode_items(adopt.items)
    assert isinstance(gap, Gap)
    assert (gap.from_ns, mark) == (4 * SECOND_NS, Second(7 * SECOND_NS, 0))


def test_what_is_adopted_is_where_it_is_and_who_fell_back_behind_it_lets_go() -> None:
    table = Table()

    table.moves.take_up([a_position(0), a_position(1, adopted={3: [0]})], table.lanes, 0)

    assert table.moves.table.shards[0] == 1
    assert table.cut(0) == [Release(3, [0], 1), Settled(3)]
    assert not table.moves.under_way


def test_moves_of_a_waiting_feed_wait_until_the_shards_marks_are_reached_again() -> None:
    table = Table(waits=True)
    released = {3: Released(Release(3, [0], 1), a_state(4 * SECOND_NS))}
    table.moves.take_up([a_position(0, 4, released=released), a_position(1, 2)], table.lanes, 0)

    early = table.moves.begin(table.lanes, 3 * SECOND_NS, 0)
    late = table.moves.begin(table.lanes, 4 * SECOND_NS, 0)

    assert (early, late) == (False, True)
    assert table.cut(0) == [Release(3, [0], 1)]


def test_thousands_of_symbols_with_their_minutes_move_through_batches_of_their_own() -> None:
    symbols = [f"S{number:05}" for number in range(3_000)]
    tape = [Row(0.01 + 60 * minute, symbol) for minute in range(4) for symbol in symbols]
    desk = Desk(Rows(tape, symbols, 5_000), symbols, capacity=50_000)
    desk.clock = Clock()
    asked: list[int] = []

    def once() -> None:
        if not asked and desk.intake.session_ns >= at(150):
            asked.append(1)
            desk.intake.move(range(SLOTS), 1)

    desk.play(once)

    largest = max(len(_size(batch)) for batch in desk.wire.batches[1])
    assert desk.consumers[0].engine.symbols == {}
    assert len(desk.consumers[1].engine.symbols) == len(symbols)
    assert len(desk.store.rows) == 4 * len(symbols)
    assert {bar.flags for bar in desk.store.bars()} <= {"complete", "partial"}
    assert desk.balance() == {"trades": 0, "quotes": 0}
    assert largest > desk.max_batch_bytes


def _size(batch: Batch) -> bytes:
    adopts: Sequence[Item] = [item for item in batch.items if isinstance(item, Adopt)]
    assert not adopts or len(batch.items) == 1
    return b"".join(item.state for item in adopts if isinstance(item, Adopt))
