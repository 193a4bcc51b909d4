"""Shards join and leave while data flow and processes die: the results are those of a fixed number of shards."""

from collections.abc import Sequence
from typing import Any

from crashing_desk import PRODUCER, CrashSimulation, Death, Delays, DeskSetup, Move
from elastic_desk import ElasticSimulation, ShardCountAt
from hypothesis import example, given
from hypothesis import strategies as st
from pipeline_parts import NO_PARAMS, Row, Rows, at
from random_days import (
    ENTRIES,
    START_S,
    SYMBOLS,
    Disturbance,
    LiveTick,
    TapeDay,
    a_live_desk,
    assert_same_results,
    assert_symbols_on_their_shards,
    assert_ticks_once_in_order,
    deaths,
    delays,
    disturbances_or_moves,
    examples,
    live_flows,
    live_ticks,
    moves,
    paced_days,
    play_desk,
    play_to_end,
    tape_days,
)

from desk import strategy
from desk.consumer.engine import StrategyEntry

staffs = st.lists(
    st.builds(ShardCountAt, st.integers(START_S, START_S + 18), st.integers(1, 4)), min_size=1, max_size=8
)


MOVED_AT_THE_LAST_MARK = TapeDay(
    tape=[
        *(Row(at_s, "A", price=0.0, size=1.0) for at_s in (46.0, 46.1, 50.0, 52.8)),
        Row(52.9, "C", price=9.5, size=1.0),
        *(Row(at_s, "A", price=0.0, size=1.0) for at_s in (58.6, 60.7, 61.1, 62.9, 63.7, 64.1, 64.7)),
        Row(64.8, "C", "quote", 10.0, size=1.0),
    ],
    always={"A", "B", "C"},
    plan=[["A"], ["A", "B", "C"]],
    flow={
        "shards": 3,
        "retain_bytes": 2_000,
        "window": 3,
        "checkpoint_s": 0.0,
        "capacity": 1,
        "max_batch_bytes": 150,
    },
)
"""A shard joins and a slot moves at the last mark, while an order that fills at once waits to be accepted."""


def staffed(
    desk: DeskSetup,
    staff: Sequence[ShardCountAt],
    deaths: Sequence[Death],
    moves: Sequence[Move],
    delay: Any,
    stop_at: int = 0,
) -> CrashSimulation:
    return play_to_end(ElasticSimulation(desk, staff, deaths, moves, delay, stop_at))


@examples(40)
@given(tape_days, staffs, disturbances_or_moves)
@example(
    MOVED_AT_THE_LAST_MARK,
    [
        ShardCountAt(49, 4),
        ShardCountAt(50, 3),
        ShardCountAt(51, 1),
        ShardCountAt(52, 2),
        ShardCountAt(58, 3),
        ShardCountAt(60, 1),
        ShardCountAt(63, 2),
    ],
    Disturbance([], [Move(64, "B", 1)], Delays(2, 0, 12, 9, 19)),
)
def test_in_lockstep_results_are_those_of_a_fixed_number_of_shards_when_processes_die(
    day: TapeDay,
    staff: list[ShardCountAt],
    disturbed: Disturbance,
) -> None:
    desk = day.desk()

    fixed, elastic = play_desk(desk), staffed(desk, staff, *disturbed)

    assert_same_results(fixed, elastic)


@examples(40)
@given(live_ticks, live_flows, staffs, moves, delays)
def test_a_live_feed_loses_nothing_by_shards_that_come_and_go(
    ticks: list[LiveTick], flow: dict[str, Any], staff: list[ShardCountAt], moving: list[Move], delay: Any
) -> None:
    desk = a_live_desk(ticks, flow | {"capacity": 1_000})

    fixed, elastic = play_desk(desk), staffed(desk, staff, (), moving, delay)

    assert repr(elastic.bars()) == repr(fixed.bars())
    assert elastic.applied() == fixed.applied()
    assert elastic.balance() == {"trades": 0, "quotes": 0, "notices": 0}
    assert_ticks_once_in_order(elastic)


@examples(40)
@given(live_ticks, live_flows, staffs, deaths, moves, delays)
def test_the_accounts_of_a_live_feed_balance_when_shards_join_leave_or_die(
    ticks: list[LiveTick],
    flow: dict[str, Any],
    staff: list[ShardCountAt],
    dying: list[Death],
    moving: list[Move],
    delay: Any,
) -> None:
    elastic = staffed(a_live_desk(ticks, flow), staff, dying, moving, delay)

    assert elastic.balance() == {"trades": 0, "quotes": 0, "notices": 0}
    assert {symbol for symbol, _ in elastic.strategies()} == set(SYMBOLS)
    assert_symbols_on_their_shards(elastic)


@examples(60)
@given(tape_days, staffs, disturbances_or_moves, st.integers(1, 400), st.booleans())
def test_a_stop_of_a_lossless_feed_balances_when_shards_join_leave_or_die(
    day: TapeDay,
    staff: list[ShardCountAt],
    disturbed: Disturbance,
    stop_at: int,
    lockstep: bool,
) -> None:
    desk = day.desk(lockstep=lockstep)

    stopped = staffed(desk, staff, *disturbed, stop_at)

    assert stopped.balance() == {"trades": 0, "quotes": 0, "notices": 0}


@examples(60)
@given(paced_days, staffs, disturbances_or_moves, st.integers(1, 400))
def test_a_stop_of_a_paced_feed_balances_when_shards_join_leave_or_die(
    day: TapeDay,
    staff: list[ShardCountAt],
    disturbed: Disturbance,
    stop_at: int,
) -> None:
    desk = day.desk(lockstep=False, speed=1_000.0)

    stopped = staffed(desk, staff, *disturbed, stop_at)

    assert stopped.balance() == {"trades": 0, "quotes": 0, "notices": 0}


@examples(60)
@given(live_ticks, live_flows, staffs, st.just([]) | deaths, moves, delays, st.integers(1, 200))
def test_a_stop_of_a_live_feed_balances_when_shards_join_leave_or_die(
    ticks: list[LiveTick],
    flow: dict[str, Any],
    staff: list[ShardCountAt],
    dying: list[Death],
    moving: list[Move],
    delay: Any,
    stop_at: int,
) -> None:
    stopped = staffed(a_live_desk(ticks, flow), staff, dying, moving, delay, stop_at)

    assert stopped.balance() == {"trades": 0, "quotes": 0, "notices": 0}
    assert_symbols_on_their_shards(stopped)


def test_a_shard_that_is_not_needed_sleeps_and_comes_back_with_its_counters() -> None:
    tape = [Row(START_S + number / 4, SYMBOLS[number % 4]) for number in range(60)]
    desk = DeskSetup(SYMBOLS, Rows(tape, SYMBOLS), strategies=ENTRIES, start_ns=at(START_S), shards=2)
    fixed = CrashSimulation(desk).play()

    simulation = ElasticSimulation(
        desk, [ShardCountAt(START_S + 3, 1), ShardCountAt(START_S + 6, 3), ShardCountAt(START_S + 9, 1)]
    )
    simulation.play()

    assert (simulation.joined, simulation.left) == (2, 3)
    assert sorted(simulation.asleep) == [1, 2]
    assert simulation.asleep[1].stats().restored == 1
    assert_same_results(fixed, simulation)


def test_a_producer_continues_whichever_call_its_predecessor_dies_at_while_a_first_shard_sleeps() -> None:
    tape = [Row(START_S + number / 4, SYMBOLS[number % 4]) for number in range(20)]
    desk = DeskSetup(SYMBOLS, Rows(tape, SYMBOLS), strategies=ENTRIES, start_ns=at(START_S), shards=2)
    fixed = CrashSimulation(desk).play()

    for after in range(60, 140):
        simulation = ElasticSimulation(desk, [ShardCountAt(START_S, 1)], [Death(after, PRODUCER)])
        simulation.play()

        assert_same_results(fixed, simulation)


class Trader(strategy.Strategy):
    """Has an order filled in part at every second, and others open: it sees whether a fill comes early."""

    def __init__(self, params: strategy.Params = NO_PARAMS) -> None:
        super().__init__(params)
        self.seen: list[Any] = []

    def on_second(self, ctx: strategy.Context) -> None:
        self.seen.append((ctx.now_ns, ctx.open_orders, ctx.position))
        if ctx.quote is not None and len(ctx.open_orders) < 3:
            ctx.buy(1, limit=5.0)
            ctx.sell(6)

    def on_fill(self, ctx: strategy.Context, fill: strategy.Fill) -> None:
        self.seen.append((fill.quantity, ctx.open_orders))


def test_a_producer_continues_whenever_its_predecessor_dies_after_a_slot_went_to_a_shard_that_had_just_joined() -> None:
    tape = [Row(half / 2, symbol, "quote", size=1.0) for half in range(1, 17) for symbol in SYMBOLS]
    trader = StrategyEntry("t", lambda: Trader(NO_PARAMS))
    desk = DeskSetup(SYMBOLS, Rows(tape, SYMBOLS), strategies=[trader], shards=3)
    fixed = CrashSimulation(desk).play()
    staff, moving = [ShardCountAt(1, 2), ShardCountAt(7, 3)], [Move(7, symbol, 2) for symbol in SYMBOLS]

    for after in range(200, 440, 12):
        simulation = ElasticSimulation(desk, staff, [Death(after, PRODUCER)], moving)
        simulation.play()

        assert_same_results(fixed, simulation)
