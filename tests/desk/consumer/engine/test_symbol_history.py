"""Bars of before the session: they enter by an item, before the symbol's first call."""

from typing import Any

import msgspec
import pytest
from engine_parts import (
    START_NS,
    QueuedEngine,
    a_trade,
    a_watch,
    an_engine,
    an_entry,
    at,
    instance_of,
    kinds,
    mark,
    marks,
    strategy_of,
)

from desk.consumer.engine import StrategyEntry
from desk.flow.routing_table import SLOTS
from desk.model.bars import Bar
from desk.model.hours import TradingDay
from desk.model.items import Adopt, History, Item, Release, Unwatch, encode_items
from desk.model.ticks import Correction, Trade
from desk.model.units import DAY_NS, MINUTE_NS

OPEN_NS = START_NS - 10 * MINUTE_NS
HOURS = TradingDay(OPEN_NS - 30 * MINUTE_NS, OPEN_NS, START_NS + 60 * MINUTE_NS, START_NS + 90 * MINUTE_NS)
"""The session starts ten minutes after the open."""


def a_bar(start_ns: int, price: float = 5.0, volume: float = 10.0) -> Bar:
    return Bar("A", start_ns, price, price, price, price, volume, price * volume, 2)


def a_day(before: int, price: float) -> Bar:
    return a_bar(OPEN_NS - before * DAY_NS, price)


DAYS = [a_day(3, 1.0), a_day(2, 2.0), a_day(1, 3.0)]
TODAY = [a_bar(OPEN_NS + minute * MINUTE_NS, 4.0) for minute in range(10)]


def a_history(at_s: float = 0, *, warm: bool = True, **bars: list[Bar]) -> History:
    given = {key.lstrip("_"): rows for key, rows in bars.items()} or {"1d": DAYS, "1m": TODAY}
    return History("A", at(at_s), given, warm)  # type: ignore[arg-type]  # names of timeframes


def a_needy_entry(name: str = "s", **needs: int) -> StrategyEntry:
    return an_entry(name=name, bars=("1m", "5m"), history={key.lstrip("_"): n for key, n in needs.items()} or {"1d": 2})


def a_late_engine(*entries: StrategyEntry, **more: Any) -> QueuedEngine:
    return an_engine(*entries, hours=HOURS, **more)


def test_no_hook_is_called_before_the_history_that_is_announced() -> None:
    engine = a_late_engine(a_needy_entry(), an_entry(name="other"))

    engine.apply([a_watch(history_follows=True), a_trade(1, 0.5), *marks(1, 20)])
    before = list(strategy_of(engine).seen), list(strategy_of(engine, name="other").seen)
    engine.apply([a_history(20), a_trade(2, 20.5), mark(21)])

    assert before == ([], [])
    assert kinds(strategy_of(engine).seen) == kinds(strategy_of(engine, name="other").seen) == ["trade", "second"]
    assert engine.symbols["A"].bars.open_minutes(START_NS) == [at(0)]
    assert instance_of(engine).warm


def test_a_history_that_could_not_be_had_lets_the_symbol_start_and_says_so() -> None:
    engine = a_late_engine(a_needy_entry(), an_entry(name="other"))

    engine.apply([a_watch(history_follows=True), mark(30), History("A", at(30), problem="no answer in 30 s"), mark(31)])

    assert kinds(strategy_of(engine).seen) == ["second"]
    assert (instance_of(engine).warm, instance_of(engine, name="other").warm) == (False, True)
    assert engine.audit.without_history == [("A", "no answer in 30 s")]


def test_a_strategy_sees_as_many_bars_of_before_the_day_as_it_declares() -> None:
    engine = a_late_engine(a_needy_entry(), a_needy_entry("more", _1d=9, _1m=2), an_entry(name="none"))
    minutes = [a_bar(OPEN_NS - DAY_NS + minute * MINUTE_NS, 7.0 + minute) for minute in range(3)]

    engine.apply([a_history(_1d=DAYS, _1m=[*minutes, *TODAY]), a_watch(), a_trade(1, 1), mark(1)])

    views = {name: instance_of(engine, name=name) for name in ("s", "more", "none")}
    assert {name: ctx.bars_of("1d").close.tolist() for name, ctx in views.items()} == {
        "s": [2.0, 3.0],
        "more": [1.0, 2.0, 3.0],
        "none": [],
    }
    assert {name: ctx.bars.close.tolist()[:-8] for name, ctx in views.items()} == {
        "s": [4.0, 4.0],
        "more": [8.0, 9.0, 4.0, 4.0],
        "none": [4.0, 4.0],
    }
    assert views["more"].bars_of("1d").flags.tolist() == ["repaired"] * 3


def test_the_days_minutes_so_far_are_in_bars_and_in_the_longer_bars_of_the_day() -> None:
    engine = a_late_engine(a_needy_entry())

    engine.apply([a_watch(history_follows=True), a_history(), a_trade(1, 30, price=6.0), *marks(1, 301)])

    ctx = instance_of(engine)
    assert ctx.bars.close.tolist() == [4.0] * 10 + [6.0]
    assert ctx.bars_of("5m").volume.tolist() == [50.0, 50.0, 100.0]
    assert ctx.bars_of("5m").flags.tolist() == ["repaired", "repaired", "complete"]
    assert [(bar.minute_ns, bar.flags) for bar in engine.take_bars()] == [
        *((OPEN_NS + minute * MINUTE_NS, "repaired") for minute in range(10)),
        (at(0), "complete"),
    ]


def test_minutes_that_the_subscription_saw_are_not_taken_from_history() -> None:
    engine = a_late_engine(a_needy_entry())
    more = [a_bar(at(minute * 60), 99.0) for minute in range(-1, 5)]

    engine.apply([a_watch(at_s=30, history_follows=True), a_trade(1, 40), *marks(31, 200)])
    engine.apply([a_history(200, _1m=more, _5m=[a_bar(at(0), 99.0)]), *marks(201, 301)])

    ctx = instance_of(engine)
    assert ctx.bars.minute_ns.tolist() == [at(-60), at(0)]
    assert ctx.bars.close.tolist() == [99.0, 10.0]
    assert ctx.bars.flags.tolist() == ["repaired", "partial"]
    assert ctx.bars_of("5m").flags.tolist() == ["repaired", "partial"]


@pytest.mark.parametrize("first", [[], [Trade(0, "A", at(0.5), 0, 4.0, 1.0, "", "V", 1)]], ids=["first", "later"])
def test_late_trades_and_their_corrections_revise_a_minute_of_history(first: list[Item]) -> None:
    engine = a_late_engine(a_needy_entry())
    late = Trade(1, "A", at(-90), 0, 9.0, 5.0, "", "V", 7)

    engine.apply([a_watch(), *first, a_history(), late, mark(1)])
    added = instance_of(engine).bars.volume.tolist()[-2], instance_of(engine).bars.high.tolist()[-2]
    engine.apply([Correction(2, "A", at(-90), 0, 7, 8.0, 4.0, "", "V", 8), mark(2)])

    assert added == (15.0, 9.0)
    ctx = instance_of(engine)
    assert (ctx.bars.volume.tolist()[-2], ctx.bars.high.tolist()[-2], ctx.bars.close.tolist()[-2]) == (14.0, 8.0, 4.0)


def test_items_of_history_that_come_again_change_nothing() -> None:
    engine = a_late_engine(a_needy_entry())
    first = a_history(1)
    engine.apply([a_watch(), mark(1), first, Trade(1, "A", at(-90), 0, 9.0, 5.0), first])
    same_second = instance_of(engine).bars.volume.tolist()

    engine.apply([mark(2), first, History("A", at(1), problem="late")])

    assert instance_of(engine).bars.volume.tolist() == same_second
    assert engine.audit.without_history == []
    assert instance_of(engine).bars_of("1d").close.tolist() == [2.0, 3.0]


def test_a_problem_of_history_that_comes_again_is_one_problem() -> None:
    engine = a_late_engine(a_needy_entry())
    missing = History("A", at(1), problem="no answer in 30 s")

    engine.apply([a_watch(history_follows=True), mark(1), missing, missing, mark(2), missing])

    assert len(engine.audit.without_history) == 1


def test_a_history_that_comes_later_than_its_mark_counts_too() -> None:
    engine = a_late_engine(a_needy_entry())

    engine.apply([a_watch(history_follows=True), *marks(1, 9), a_history(1), mark(10)])

    assert kinds(strategy_of(engine).seen) == ["second"]
    assert instance_of(engine).warm


def test_a_history_that_comes_before_its_watch_counts() -> None:
    engine = a_late_engine(a_needy_entry())

    engine.apply([mark(5), a_history(5), a_watch(at_s=5), mark(6)])

    assert kinds(strategy_of(engine).seen) == ["second"]
    assert instance_of(engine).warm
    assert len(instance_of(engine).bars) == 10


def test_a_symbol_that_is_subscribed_again_keeps_its_history_until_a_new_one_comes() -> None:
    engine = a_late_engine(a_needy_entry())
    engine.apply([a_watch(), a_history(), mark(1), Unwatch("A", at(1)), mark(2)])

    engine.apply([a_watch(at_s=2), mark(3)])
    kept = instance_of(engine).bars_of("1d").close.tolist()
    engine.apply([a_history(3, _1d=DAYS[:1]), mark(4)])

    assert kept == [2.0, 3.0]
    assert instance_of(engine).bars_of("1d").close.tolist() == [1.0]


@pytest.mark.parametrize("way", ["restart", "move"])
@pytest.mark.parametrize("after", [1, 2, 3, 4], ids=["watched", "waiting", "with history", "later"])
def test_restarts_and_moves_keep_history_and_waiting(way: str, after: int) -> None:
    steps: list[list[Item]] = [
        [a_watch(history_follows=True), a_trade(1, 0.5)],
        marks(1, 5),
        [a_history(5)],
        [a_trade(2, 5.5), *marks(6, 70)],
        marks(71, 400),
    ]
    calm, moved = a_late_engine(a_needy_entry()), a_late_engine(a_needy_entry())
    bars: dict[int, Bar] = {}

    for number, items in enumerate(steps):
        if number == after:
            bars |= {bar.minute_ns: bar for bar in moved.take_bars()}
            moved = restarted(moved, bars) if way == "restart" else handed_over(moved)
        for engine in calm, moved:
            engine.apply(items)

    assert strategy_of(moved).seen == strategy_of(calm).seen
    for timeframe in ("1m", "5m", "1d"):
        one, other = (instance_of(engine).bars_of(timeframe) for engine in (calm, moved))
        assert (one.close.tolist(), one.flags.tolist()) == (other.close.tolist(), other.flags.tolist())
    assert instance_of(moved).warm


def restarted(engine: QueuedEngine, bars: dict[int, Bar]) -> QueuedEngine:
    successor = a_late_engine(a_needy_entry())
    successor.restore(engine.snapshot(), bars.values())
    return successor


def handed_over(engine: QueuedEngine) -> QueuedEngine:
    mark_ns = engine.mark_ns
    engine.apply([Release(1, list(range(SLOTS)), 1)])
    successor = a_late_engine(a_needy_entry())
    successor.apply([mark((mark_ns - START_NS) / 1e9)] if mark_ns else [])
    successor.apply([Adopt(1, list(range(SLOTS)), engine.released[1].state, encode_items([]))])
    return successor


def test_the_item_travels_encoded() -> None:
    item = a_history()

    assert msgspec.msgpack.decode(msgspec.msgpack.encode([item]), type=list[Item]) == [item]
