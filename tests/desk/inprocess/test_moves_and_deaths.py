"""Slots move while data flow and processes die: the results are the same, and nothing is lost."""

from collections.abc import Sequence
from itertools import cycle
from typing import Any

import msgspec
import pytest
from crashing_desk import PRODUCER, SHARD, CrashSimulation, Death, DeskSetup, Move
from hypothesis import given
from hypothesis import strategies as st
from pipeline_parts import MemoryDesk, Row, Rows, StepClock, at
from random_days import (
    ENTRIES,
    START_S,
    SYMBOLS,
    Disturbance,
    LiveTick,
    TapeDay,
    a_live_desk,
    a_move,
    assert_same_results,
    assert_symbols_on_their_shards,
    assert_ticks_once_in_order,
    assert_ticks_once_or_lost,
    deaths,
    delays,
    examples,
    live_flows,
    live_ticks,
    play_desk,
    tape_days,
)

from desk.flow.routing_table import SLOTS
from desk.model.batch import Batch
from desk.model.commands import MoveSlots
from desk.model.items import Adopt, Item
from desk.model.ticks import Frame
from desk.model.units import SECOND_NS

every_call = pytest.mark.parametrize("step", [3, pytest.param(1, marks=pytest.mark.trial)])
"""Deaths at every call are a trial; otherwise at every third."""
restless = st.lists(a_move, min_size=5, max_size=20)


@examples(40)
@given(tape_days, st.builds(Disturbance, st.just([]) | deaths, restless, delays))
def test_in_lockstep_no_number_of_moves_shows_in_anything_when_processes_die(
    day: TapeDay,
    disturbed: Disturbance,
) -> None:
    desk = day.desk()

    lived, moved = play_desk(desk), play_desk(desk, *disturbed)

    assert_same_results(lived, moved)


@examples(40)
@given(live_ticks, live_flows, restless, delays)
def test_a_live_feed_loses_nothing_by_moves_that_nobody_dies_of(
    ticks: list[LiveTick], flow: dict[str, Any], moves: list[Move], delay: Any
) -> None:
    desk = a_live_desk(ticks, flow | {"capacity": 1_000})

    lived, moved = play_desk(desk), play_desk(desk, (), moves, delay)

    assert repr(moved.bars()) == repr(lived.bars())
    assert moved.applied() == lived.applied()
    assert moved.balance() == {"trades": 0, "quotes": 0, "notices": 0}
    assert_ticks_once_in_order(moved)


@examples(40)
@given(
    live_ticks, live_flows, deaths, restless, delays, st.lists(st.sampled_from([0, 1, 30, 70]), min_size=1, max_size=5)
)
def test_a_protected_live_feed_makes_the_same_bars_when_either_side_of_a_move_dies(
    ticks: list[LiveTick],
    flow: dict[str, Any],
    dying: list[Death],
    moves: list[Move],
    delay: Any,
    lateness: list[int],
) -> None:
    desk = a_live_desk(ticks, flow | {"capacity": 1_000, "retain_bytes": 1 << 20})
    desk.frames = [late(frame, by_s) for frame, by_s in zip(desk.frames, cycle(lateness), strict=False)]
    consumers = [death._replace(part=SHARD + death.part) for death in dying]

    lived, died = play_desk(desk), play_desk(desk, consumers, moves, delay)

    assert repr(died.bars()) == repr(lived.bars())
    assert died.applied() == lived.applied()
    assert_ticks_once_in_order(died)


def late(frame: Frame, by_s: int) -> Frame:
    """The same, but what its ticks tell happened earlier."""
    ticks = [msgspec.structs.replace(tick, ts_ns=tick.ts_ns - by_s * SECOND_NS) for tick in frame.ticks]
    return Frame(ticks, frame.session_ns, frame.mark, frame.lag_ns)


@examples(40)
@given(live_ticks, live_flows, deaths, restless, delays)
def test_after_whatever_deaths_amid_moves_every_symbol_of_a_live_feed_is_in_one_place_and_accounts_balance(
    ticks: list[LiveTick], flow: dict[str, Any], dying: list[Death], moves: list[Move], delay: Any
) -> None:
    died = play_desk(a_live_desk(ticks, flow), dying, moves, delay)

    assert died.balance() == {"trades": 0, "quotes": 0, "notices": 0}
    assert {symbol for symbol, _ in died.strategies()} == set(SYMBOLS)
    assert_symbols_on_their_shards(died)
    assert_ticks_once_or_lost(died)


@every_call
@pytest.mark.parametrize("who", [(PRODUCER,), (SHARD,), (SHARD + 1,), (PRODUCER, SHARD), (SHARD, SHARD + 1, PRODUCER)])
def test_a_move_is_finished_at_whichever_call_a_process_dies(who: tuple[int, ...], step: int) -> None:
    tape = [Row(START_S + number / 4, SYMBOLS[number % 4]) for number in range(40)]
    desk = DeskSetup(SYMBOLS, Rows(tape, SYMBOLS), strategies=ENTRIES, start_ns=at(START_S))
    moves = [Move(START_S + 2, symbol, shard) for symbol in SYMBOLS for shard in (0, 1)]
    lived = CrashSimulation(desk).play()

    for after in range(1, 200, step * len(who)):
        died = CrashSimulation(desk, [Death(after if one == who[0] else 1, one, after) for one in who], moves).play()

        assert_same_results(lived, died)
        assert_symbols_on_their_shards(died)


@every_call
def test_a_symbol_of_a_live_feed_moves_whichever_calls_two_producers_in_a_row_die_at(step: int) -> None:
    flow = {"shards": 2, "window": 1, "checkpoint_s": 0.0}
    desk = a_live_desk([(7, "C", False), (7, "C", True), (7, "A", True), (1, "B", False)], flow)
    moves = [Move(START_S + 2, "B", 0)]

    for first in range(10, 30):
        for second in range(10 + first % step, 30, step):
            died = CrashSimulation(desk, [Death(first, PRODUCER), Death(second, PRODUCER)], moves).play()

            assert died.balance() == {"trades": 0, "quotes": 0, "notices": 0}
            assert_symbols_on_their_shards(died)


def test_thousands_of_symbols_with_their_minutes_move_through_batches_of_their_own() -> None:
    symbols = [f"S{number:05}" for number in range(3_000)]
    tape = [Row(0.01 + 60 * minute, symbol) for minute in range(4) for symbol in symbols]
    desk = MemoryDesk(Rows(tape, symbols, 5_000), symbols, capacity=50_000)
    desk.clock = StepClock()
    asked: list[int] = []

    def once() -> None:
        if not asked and desk.loop.session_ns >= at(150):
            asked.append(1)
            desk.mailbox.post(MoveSlots(range(SLOTS), 1))

    desk.play(once)

    largest = max(len(_size(batch)) for batch in desk.wire.batches[1])
    assert desk.consumers[0].engine.symbols == {}
    assert len(desk.consumers[1].engine.symbols) == len(symbols)
    assert len(desk.store.rows) == 4 * len(symbols)
    assert {bar.flags for bar in desk.store.bars()} <= {"complete", "partial"}
    assert desk.balance() == {"trades": 0, "quotes": 0, "notices": 0}
    assert largest > desk.max_batch_bytes


def _size(batch: Batch) -> bytes:
    adopts: Sequence[Item] = [item for item in batch.items if isinstance(item, Adopt)]
    assert not adopts or len(batch.items) == 1
    return b"".join(item.state for item in adopts if isinstance(item, Adopt))
