import sys
from collections.abc import Callable
from typing import Any

import pytest
from engine_parts import (
    NO_PARAMS,
    RecordingStrategy,
    Stopwatch,
    a_fill,
    a_quote,
    a_trade,
    a_watch,
    an_engine,
    an_entry,
    at,
    instance_of,
    intents_of,
    mark,
    marks,
    strategy_calling,
    strategy_of,
)

from desk import strategy
from desk.model.bars import Bar
from desk.model.items import GapItem
from desk.model.notices import TradingStatus
from desk.model.ticks import Quote, Trade
from desk.process.signals import StopSignals
from desk.telemetry.audit import MAX_EXAMPLES, MAX_FRAMES, MAX_LINE, MAX_TEXT


class Rude(BaseException):
    """No Exception at all."""


def recurse(ctx: object) -> None:
    recurse(ctx)


def raising(fault: BaseException) -> Callable[[object], None]:
    def act(ctx: object) -> None:
        raise fault

    return act


class Failing(RecordingStrategy):
    """Fails in the hook that a test names."""

    hook = ""

    def _fail(self, hook: str) -> None:
        if hook == self.hook:
            raise ValueError(f"no good\nin {hook}")

    def on_second(self, ctx: strategy.Context) -> None:
        self._fail("on_second")

    def on_bar(self, ctx: strategy.Context, bar: Bar) -> None:
        self._fail("on_bar")

    def on_trade(self, ctx: strategy.Context, trade: Trade) -> None:
        self._fail("on_trade")

    def on_quote(self, ctx: strategy.Context, quote: Quote) -> None:
        self._fail("on_quote")

    def on_fill(self, ctx: strategy.Context, fill: strategy.Fill) -> None:
        self._fail("on_fill")

    def on_gap(self, ctx: strategy.Context, gap: strategy.Gap) -> None:
        self._fail("on_gap")

    def on_status(self, ctx: strategy.Context, status: TradingStatus) -> None:
        self._fail("on_status")


def failing(hook: str) -> Callable[[], Failing]:
    def create() -> Failing:
        made = Failing()
        made.hook = hook
        return made

    return create


@pytest.mark.parametrize("hook", strategy.HOOKS)
def test_a_strategy_that_raises_in_any_hook_is_stopped_and_everything_else_continues(hook: str) -> None:
    engine = an_engine(an_entry(failing(hook), "bad"), an_entry(name="good"))
    engine.apply([a_watch(), mark(1)])
    instance = instance_of(engine, name="bad")
    fill, gap = None, GapItem(at(1), at(2), "away")
    if not instance.stopped:
        instance.buy(1)
        fill = intents_of(engine)[0]

    engine.apply([a_trade(1, 2), a_quote(2, 2), *([a_fill(fill, 1)] if fill else []), gap, *marks(2, 61)])
    engine.apply([TradingStatus(3, "A", at(61), 0, "H")])

    (fault,) = engine.audit.stopped
    assert (fault.strategy, fault.symbol, fault.hook) == ("bad", "A", hook)
    assert fault.what == f"ValueError: no good in {hook}"
    assert "test_guard.py" in fault.detail
    assert instance.stopped
    assert strategy_of(engine, name="good").seen[-1] == ("second", at(61))
    assert (engine.audit.trades, engine.audit.quotes) == (1, 1)


@pytest.mark.parametrize(
    ("act", "what"),
    [
        (raising(SystemExit(3)), "SystemExit: 3"),
        (raising(GeneratorExit()), "GeneratorExit"),
        (raising(Rude("so there")), "test_guard.Rude: so there"),
        (recurse, "RecursionError: maximum recursion depth exceeded"),
        (raising(ExceptionGroup("both", [ValueError("x")])), "ExceptionGroup: both (1 sub-exception)"),
        (raising(SyntaxError("bad", ("file.py", 1, 1, "x y"))), "SyntaxError: bad"),
        (lambda ctx: sys.exit("bye"), "SystemExit: bye"),
    ],
    ids=["exit", "generator", "base", "recursion", "group", "syntax", "sys.exit"],
)
def test_whatever_a_strategy_raises_stops_it_alone(act: Any, what: str) -> None:
    engine = an_engine(an_entry(strategy_calling(act), "bad"), an_entry(name="good"))

    engine.apply([a_watch("A"), a_watch("B"), mark(1), mark(2)])

    assert [(fault.symbol, fault.session_ns) for fault in engine.audit.stopped] == [("A", at(1)), ("B", at(1))]
    assert engine.audit.stopped[0].what.startswith(what)
    assert len(engine.audit.stopped[0].detail.splitlines()) < 5 * MAX_FRAMES
    assert strategy_of(engine, "B", "good").seen == [("second", at(1)), ("second", at(2))]


def test_a_keyboard_interrupt_of_a_strategy_stops_it_where_no_signal_raises_one() -> None:
    engine = an_engine(an_entry(strategy_calling(raising(KeyboardInterrupt())), "bad"), an_entry(name="good"))

    with StopSignals():
        engine.apply([a_watch(), mark(1), mark(2)])

    assert [(fault.strategy, fault.what) for fault in engine.audit.stopped] == [("bad", "KeyboardInterrupt")]
    assert strategy_of(engine, name="good").seen == [("second", at(1)), ("second", at(2))]


def test_the_text_of_an_exception_is_cut() -> None:
    engine = an_engine(an_entry(strategy_calling(raising(ValueError("no\n" * 300_000)))))

    engine.apply([a_watch(), mark(1)])

    (fault,) = engine.audit.stopped
    assert len(fault.what) <= MAX_LINE
    assert len(fault.detail) <= MAX_TEXT
    assert "characters left out" in fault.detail
    assert fault.detail.startswith("Traceback")


class Unspeakable(Exception):
    def __str__(self) -> str:
        raise SystemExit


def test_an_exception_that_cannot_be_shown_stops_its_strategy_all_the_same() -> None:
    engine = an_engine(an_entry(strategy_calling(raising(Unspeakable())), "bad"), an_entry(name="good"))

    engine.apply([a_watch(), mark(1)])

    assert [fault.strategy for fault in engine.audit.stopped] == ["bad"]
    assert strategy_of(engine, name="good").seen == [("second", at(1))]


class Hoarder(RecordingStrategy):
    def on_second(self, ctx: strategy.Context) -> None:
        self.hoard = [bytes(1000)] * 10 + [bytearray(1000) for _ in range(1000)]


def test_a_strategy_whose_state_is_above_the_limit_is_stopped_at_the_checkpoint() -> None:
    engine = an_engine(an_entry(Hoarder, "bad"), an_entry(name="good"), state_bytes=1 << 20)

    engine.apply([a_watch(), mark(1)])
    before = engine.snapshot()
    assert engine.audit.stopped == []
    engine = an_engine(an_entry(Hoarder, "bad"), an_entry(name="good"), state_bytes=1 << 19)
    engine.restore(before, [])
    engine.apply([mark(2)])
    after = engine.snapshot()

    (fault,) = engine.audit.stopped
    assert (fault.strategy, fault.symbol, fault.what) == ("bad", "A", "its state is above [guards] state_mb = 0.5")
    assert len(after) < 1 << 16
    assert strategy_of(engine, name="good").seen[-1] == ("second", at(2))


def test_an_interrupt_from_outside_is_no_fault_of_a_strategy() -> None:
    engine = an_engine(an_entry(strategy_calling(raising(KeyboardInterrupt()))))

    with pytest.raises(KeyboardInterrupt):
        engine.apply([a_watch(), mark(1)])

    assert engine.audit.stopped == []


class Stillborn(strategy.Strategy):
    def __init__(self, params: strategy.Params = NO_PARAMS) -> None:
        raise RuntimeError("cannot be built")

    def on_second(self, ctx: strategy.Context) -> None: ...


def test_a_strategy_that_cannot_be_built_for_a_symbol_found_later_is_stopped_there() -> None:
    engine = an_engine(an_entry(Stillborn, "bad", scanner="S"), an_entry(name="good"))

    engine.apply([a_watch(), mark(1), a_watch(at_s=1, scanners=["", "S"]), mark(2), a_watch(at_s=2), mark(3)])

    (fault,) = engine.audit.stopped
    assert (fault.strategy, fault.hook, fault.what) == ("bad", "__init__", "RuntimeError: cannot be built")
    assert len(strategy_of(engine, name="good").seen) == 3


def test_only_the_first_faults_bear_their_tracebacks() -> None:
    engine = an_engine(an_entry(strategy_calling(raising(ValueError("no")))))

    engine.apply([a_watch(f"S{number}") for number in range(MAX_EXAMPLES + 5)])
    engine.apply([mark(1)])

    assert len(engine.audit.stopped) == MAX_EXAMPLES + 5
    assert [bool(fault.detail) for fault in engine.audit.stopped] == [True] * MAX_EXAMPLES + [False] * 5
    assert all(fault.what == "ValueError: no" for fault in engine.audit.stopped)


def test_a_stopped_instances_orders_and_position_are_still_followed() -> None:
    def act(ctx: strategy.Context) -> None:
        ctx.buy(5)
        raise ValueError("after asking")

    engine = an_engine(an_entry(strategy_calling(act)))
    engine.apply([a_watch(), mark(1)])
    intent = intents_of(engine)[0]

    engine.apply([a_fill(intent, 1), mark(2)])

    assert instance_of(engine).position.quantity == 5.0
    assert instance_of(engine).open_orders == ()
    assert len(engine.audit.stopped) == 1


def test_calls_above_the_budget_are_counted_and_the_first_are_reported() -> None:
    stopwatch = Stopwatch()

    def slow(ctx: strategy.Context) -> None:
        stopwatch.now_ns += 50_000_001

    def just_in_time(ctx: strategy.Context) -> None:
        stopwatch.now_ns += 50_000_000

    engine = an_engine(
        an_entry(strategy_calling(just_in_time), "fast"),
        an_entry(strategy_calling(slow), "slow"),
        an_entry(name="w"),
        stopwatch=stopwatch,
    )

    engine.apply([a_watch(), *marks(1, MAX_EXAMPLES + 5)])

    audit = engine.audit
    assert audit.slow_calls == MAX_EXAMPLES + 5
    assert len(audit.slow) == MAX_EXAMPLES
    assert (audit.slow[0].strategy, audit.slow[0].hook, audit.slow[0].what) == (
        "slow",
        "on_second",
        "50.0 ms in one call",
    )
    assert audit.stopped == []


def test_a_slow_tick_hook_is_reported_too() -> None:
    stopwatch = Stopwatch()

    class Slow(RecordingStrategy):
        def on_trade(self, ctx: strategy.Context, trade: Trade) -> None:
            stopwatch.now_ns += 80_000_000

    engine = an_engine(an_entry(Slow), stopwatch=stopwatch)

    engine.apply([a_watch(), a_trade(1, 0), a_quote(2)])

    assert [(fault.hook, fault.what) for fault in engine.audit.slow] == [("on_trade", "80.0 ms in one call")]


def test_a_copy_of_the_audit_stays_as_it_was() -> None:
    engine = an_engine()
    engine.apply([a_watch(), a_trade(1, 0), a_trade(1, 0, symbol="B")])

    before = engine.audit.copy()
    engine.apply([a_trade(2, 0), a_trade(2, 0, symbol="B")])

    assert (before.trades, before.rejected_trades) == (1, {"unwatched": 1})
    assert (engine.audit.trades, engine.audit.rejected_trades) == (2, {"unwatched": 2})
