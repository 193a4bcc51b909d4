"""The breadcrumbs that other processes can read while strategies are called."""

from collections.abc import Sequence
from typing import Any

import pytest
from engine_parts import (
    NO_PARAMS,
    START_NS,
    QueuedEngine,
    RecordingStrategy,
    Stopwatch,
    a_fill,
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
from desk.consumer.engine import EngineConfig
from desk.model.bars import Bar
from desk.model.items import GapItem, Stop
from desk.model.ticks import Quote, Trade
from desk.telemetry.breadcrumb_port import AT, CALL, CALLS, CELLS, EVERYWHERE, PER_INSTANCE

SEEN: list[tuple[Any, ...]] = []


class Seen:
    """Crumbs whose cells a strategy can look at."""

    def __init__(self) -> None:
        self.cells = [0] * CELLS
        self.names: list[tuple[str, str]] = []
        self.alive: list[int] = []

    def register(self, strategy: str, symbol: str) -> int:
        self.names.append((strategy, symbol))
        return len(self.names) * PER_INSTANCE

    def on_memory_exhausted(self) -> None:
        self.alive.append(Held.alive)

    def call(self) -> tuple[str, str, str, int] | None:
        number, code = divmod(self.cells[CALL], PER_INSTANCE)
        return (*self.names[number - 1], CALLS[code], self.cells[AT]) if number else None


NOW = Seen()


class Looking(strategy.Strategy):
    """Notes in each call what is to be seen from outside."""

    def __init__(self, params: strategy.Params = NO_PARAMS) -> None:
        super().__init__(params)
        SEEN.append(("made", NOW.call()))

    def on_second(self, ctx: strategy.Context) -> None:
        SEEN.append(("second", NOW.call()))

    def on_bar(self, ctx: strategy.Context, bar: Bar) -> None:
        SEEN.append(("bar", NOW.call()))

    def on_trade(self, ctx: strategy.Context, trade: Trade) -> None:
        SEEN.append(("trade", NOW.call()))

    def on_quote(self, ctx: strategy.Context, quote: Quote) -> None:
        SEEN.append(("quote", NOW.call()))

    def on_fill(self, ctx: strategy.Context, fill: strategy.Fill) -> None:
        SEEN.append(("fill", NOW.call()))

    def on_gap(self, ctx: strategy.Context, gap: strategy.Gap) -> None:
        SEEN.append(("gap", NOW.call()))

    def __getstate__(self) -> dict[str, Any]:
        SEEN.append(("frozen", NOW.call()))
        return self.__dict__

    def __setstate__(self, state: dict[str, Any]) -> None:
        SEEN.append(("thawed", NOW.call()))
        self.__dict__.update(state)


@pytest.fixture
def seen() -> list[tuple[Any, ...]]:
    NOW.__init__()  # type: ignore[misc]  # afresh, for strategies that are unpickled
    SEEN.clear()
    return SEEN


def an_engine_seen(*entries: Any, stops: Sequence[Stop] = ()) -> QueuedEngine:
    config = EngineConfig("day", START_NS, 1_000_000_000, 900_000_000_000, 50_000_000)
    return QueuedEngine(config, entries, Stopwatch(), NOW, {(stop.strategy, stop.symbol) for stop in stops})


def test_every_call_is_seen_with_its_instance_and_what_it_is_about(seen: list[tuple[Any, ...]]) -> None:
    engine = an_engine_seen(an_entry(name="other"), an_entry(Looking, "s"))
    engine.apply([a_watch("A"), mark(1)])
    instance_of(engine, name="s").buy(1)
    (intent,) = intents_of(engine)
    engine.apply([a_trade(5, 1), Quote(6, "A", at(1), 0, 9.0, 1.0, 11.0, 1.0), a_fill(intent, 1)])
    engine.apply([GapItem(at(1), at(2), "away"), *marks(61, 61)])
    snapshot = engine.snapshot()
    an_engine_seen(an_entry(name="other"), an_entry(Looking, "s")).restore(snapshot, [])

    assert seen == [
        ("made", ("s", "A", "__init__", 0)),
        ("second", ("s", "A", "on_second", at(1))),
        ("trade", ("s", "A", "on_trade", 5)),
        ("quote", ("s", "A", "on_quote", 6)),
        ("fill", ("s", "A", "on_fill", 1)),
        ("gap", ("s", "A", "on_gap", at(1))),
        ("bar", ("s", "A", "on_bar", at(0))),
        ("second", ("s", "A", "on_second", at(61))),
        ("frozen", ("s", "A", "checkpoint", 0)),
        ("thawed", ("s", "A", "restore", 0)),
    ]
    assert NOW.call() is None


def test_after_a_call_that_raises_nothing_is_under_way(seen: list[tuple[Any, ...]]) -> None:
    def fail(ctx: object) -> None:
        raise ValueError

    engine = an_engine_seen(an_entry(strategy_calling(fail)))

    engine.apply([a_watch("A"), mark(1)])

    assert NOW.call() is None


def test_a_strategy_that_is_stopped_from_outside_is_not_even_brought_back(seen: list[tuple[Any, ...]]) -> None:
    engine = an_engine_seen(an_entry(Looking, "s"), an_entry(name="other"))
    engine.apply([a_watch("A"), a_watch("B"), mark(1)])
    snapshot = engine.snapshot()
    stops = [Stop("s", "A", "no progress")]
    successor = an_engine_seen(an_entry(Looking, "s"), an_entry(name="other"), stops=stops)
    seen.clear()

    successor.restore(snapshot, [])
    successor.apply([*stops, mark(2)])

    assert [name for name, _ in seen] == ["thawed", "second"]
    assert {call[1] for _, call in seen} == {"B"}
    assert [(fault.symbol, fault.hook, fault.what) for fault in successor.audit.stopped] == [
        ("A", "watchdog", "no progress")
    ]
    assert strategy_of(successor, "A", "other").seen[-1] == ("second", at(2))


class Hoarder(RecordingStrategy):
    """Keeps what it has no room for."""

    def on_second(self, ctx: strategy.Context) -> None:
        self.hoard = Held()
        local = Held()
        raise MemoryError(f"{Held.alive} held, such as {local}")


class Held:
    """Counts those that are alive."""

    alive = 0

    def __init__(self) -> None:
        Held.alive += 1

    def __del__(self) -> None:
        Held.alive -= 1


def test_without_memory_a_strategy_is_stopped_what_it_holds_is_freed_at_once_and_room_is_made(
    seen: list[tuple[Any, ...]],
) -> None:
    engine = an_engine_seen(an_entry(Hoarder, "hoarder"))

    engine.apply([a_watch("A"), mark(1)])

    (fault,) = engine.audit.stopped
    assert fault.strategy == "hoarder"
    assert fault.what.startswith("MemoryError: 2 held")
    assert "test_breadcrumb_port.py" in fault.detail
    assert NOW.alive == [0]


def test_a_fault_for_whose_text_there_is_no_memory_is_named_by_its_type(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_memory(*_: object, **__: object) -> list[str]:
        raise MemoryError

    def act(ctx: object) -> None:
        monkeypatch.setattr("traceback.format_exception_only", no_memory)
        raise MemoryError

    engine = an_engine(an_entry(strategy_calling(act), "s"), an_entry(name="good"))

    engine.apply([a_watch("A"), mark(1)])

    (fault,) = engine.audit.stopped
    assert (fault.what, fault.detail) == ("MemoryError", "")
    assert strategy_of(engine, "A", "good").seen == [("second", at(1))]


def test_a_strategy_that_is_stopped_everywhere_runs_on_no_symbol_and_is_named_once(seen: list[tuple[Any, ...]]) -> None:
    engine = an_engine_seen(an_entry(Looking, "s"), an_entry(name="other"))
    engine.apply([a_watch("A"), a_watch("B"), mark(1)])
    snapshot = engine.snapshot()
    seen.clear()
    stops = [Stop("s", EVERYWHERE, "its process died")]
    for _ in range(2):
        successor = an_engine_seen(an_entry(Looking, "s"), an_entry(name="other"), stops=stops)
        successor.restore(snapshot, [])
        successor.apply([*stops, a_watch("C", 2), mark(2), a_watch("D", 2), mark(3)])
        snapshot = successor.snapshot()

    assert seen == []
    assert [(fault.strategy, fault.symbol, fault.what) for fault in successor.audit.stopped] == [
        ("s", EVERYWHERE, "its process died")
    ]
    assert strategy_of(successor, "C", "other").seen
