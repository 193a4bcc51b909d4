from typing import Any

import pytest
from engine_parts import (
    CallbackStrategy,
    QueuedEngine,
    RecordingStrategy,
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
from desk.consumer.engine import EngineConfig, StrategyEntry
from desk.consumer.engine.lost_ticks import MAX_GAPS
from desk.model.items import GapItem, LostTrades, Stop, Unwatch


class Listener(RecordingStrategy):
    """Writes down gaps too."""

    def on_gap(self, ctx: strategy.Context, gap: strategy.Gap) -> None:
        self.seen.append(("gap", ctx.symbol, gap.from_ns, gap.to_ns, gap.why))


def flags(engine: QueuedEngine) -> dict[tuple[str, int], str]:
    return {(bar.symbol, bar.minute_ns): bar.flags for bar in engine.take_bars()}


def restored(engine: QueuedEngine, *entries: StrategyEntry) -> QueuedEngine:
    closed = engine.take_bars()
    successor = an_engine(*entries)
    successor.restore(engine.snapshot(), closed)
    return successor


def test_minutes_that_overlap_a_gap_are_partial_whether_closed_open_or_not_begun() -> None:
    engine = an_engine()
    engine.apply([a_watch(), a_trade(1, 10), *marks(1, 61), a_trade(2, 70), *marks(62, 121)])
    engine.apply([a_trade(3, 121), a_trade(4, 185)])
    engine.take_bars()

    engine.apply([GapItem(at(119), at(241), "away"), a_trade(5, 240), a_trade(6, 300), *marks(122, 370)])

    assert flags(engine) == {("A", at(second)): "partial" for second in (60, 120, 180, 240)} | {
        ("A", at(300)): "complete"
    }


def test_a_gap_ends_before_its_end() -> None:
    engine = an_engine()

    engine.apply([a_watch(), GapItem(at(60), at(120), "away"), a_trade(1, 59), a_trade(2, 119), a_trade(3, 120)])
    engine.apply(marks(1, 181))

    assert flags(engine) == {("A", at(0)): "complete", ("A", at(60)): "partial", ("A", at(120)): "complete"}


def test_minutes_that_nothing_may_revise_any_more_stay_as_they_are() -> None:
    engine = an_engine(revise_s=90)
    engine.apply([a_watch(), a_trade(1, 10), *marks(1, 151)])
    engine.take_bars()

    engine.apply([GapItem(at(0), at(150), "away")])

    assert flags(engine) == {}
    assert engine.symbols["A"].bars.state()[3] == [at(60), at(180)]


def test_a_gap_of_named_symbols_leaves_the_others_alone() -> None:
    engine = an_engine(an_entry(Listener))
    engine.apply([a_watch("A"), a_watch("B"), a_trade(1, 1), a_trade(1, 1, symbol="B")])

    engine.apply([GapItem(at(1), at(2), "away", symbols=["B", "Z"]), *marks(1, 61)])

    assert flags(engine) == {("A", at(0)): "complete", ("B", at(0)): "partial"}
    assert ("gap", "B", at(1), at(2), "away") in strategy_of(engine, "B").seen
    assert not [entry for entry in strategy_of(engine, "A").seen if entry[0] == "gap"]


def test_a_gap_is_reported_to_the_instances_that_run_in_canonical_order() -> None:
    told: list[tuple[str, str]] = []

    def listening(name: str) -> StrategyEntry:
        class Told(strategy.Strategy):
            def on_gap(self, ctx: strategy.Context, gap: strategy.Gap) -> None:
                told.append((name, ctx.symbol))

        return an_entry(lambda: Told(strategy.Params()), name)

    engine = an_engine(listening("z"), listening("a"), an_entry(strategy_calling(lambda ctx: None), "deaf"))
    engine.apply([a_watch("C"), a_watch("B"), a_watch("A"), mark(1), Unwatch("B", at(1))])

    engine.apply([GapItem(at(0), at(1), "away")])

    assert told == [("z", "A"), ("z", "C"), ("a", "A"), ("a", "C")]


def test_a_gap_counts_what_it_swallowed_and_counts_once() -> None:
    engine = an_engine(an_entry(Listener))
    gap = GapItem(at(0), at(2), "away", trades=5, quotes=7)
    engine.apply([a_watch(), gap])

    successor = restored(engine, an_entry(Listener))
    for one in (engine, successor):
        one.apply([gap, GapItem(at(2), at(3), "away", trades=1)])

    for one in (engine, successor):
        assert (one.audit.lost_trades, one.audit.lost_quotes) == (6, 7)
        assert [entry[2] for entry in strategy_of(one).seen] == [at(0), at(2)]


def test_only_so_many_gaps_are_remembered() -> None:
    engine = an_engine()

    engine.apply([GapItem(at(second), at(second + 1), "away", 1) for second in range(MAX_GAPS + 10)])

    assert len(engine._state.losses.gaps) == MAX_GAPS
    assert engine.audit.lost_trades == MAX_GAPS + 10


def test_minutes_that_lost_trades_of_a_symbol_never_met_belong_to_no_symbol() -> None:
    engine = an_engine()

    engine.apply([LostTrades([("Z", at(0))]), GapItem(at(0), at(1), "away", symbols=["Z"])])

    assert engine.symbols == {}


def test_a_strategy_stopped_from_outside_is_reported_and_its_orders_are_still_followed() -> None:
    engine = an_engine(an_entry(strategy_calling(lambda ctx: ctx.buy(5)), "bad"), an_entry(name="good"))
    engine.apply([a_watch(), mark(1)])
    (intent,) = intents_of(engine)
    stop = Stop("bad", "A", "no answer for 30 s")

    engine.apply([stop, stop, mark(2), a_fill(intent, 1), mark(3)])

    (fault,) = engine.audit.stopped
    assert (fault.strategy, fault.symbol, fault.hook, fault.what) == ("bad", "A", "watchdog", "no answer for 30 s")
    assert (fault.session_ns, fault.detail) == (at(1), "")
    assert instance_of(engine, name="bad").position.quantity == 5.0
    assert intents_of(engine) == []
    assert len(strategy_of(engine, name="good").seen) == 3


def test_what_is_stopped_already_or_no_strategy_of_the_plan_is_not_stopped_again() -> None:
    def fail(ctx: strategy.Context) -> None:
        raise ValueError("no")

    engine = an_engine(an_entry(strategy_calling(fail)))
    engine.apply([a_watch(), mark(1)])

    engine.apply([Stop("s", "A", "it hung"), Stop("unknown", "A", "it hung"), Stop("unknown", "Z", "it hung")])

    assert [fault.hook for fault in engine.audit.stopped] == ["on_second"]
    assert list(engine.symbols) == ["A"]


@pytest.mark.parametrize("through_a_restart", [False, True])
def test_a_strategy_stopped_before_it_is_seated_never_begins(through_a_restart: bool) -> None:
    built: list[RecordingStrategy] = []

    def create() -> RecordingStrategy:
        built.append(RecordingStrategy())
        return built[-1]

    entry = an_entry(create, "bad", scanner="S")
    engine = an_engine(entry)
    engine.apply([Stop("bad", "A", "it hung"), Stop("bad", "B", "it hung"), a_watch("B"), mark(1)])
    before = list(engine.audit.stopped)

    if through_a_restart:
        engine = restored(engine, entry)
    engine.apply([a_watch("A", 1, scanners=["S"]), a_watch("B", 1, scanners=["S"]), a_watch("C", 1, scanners=["S"])])
    engine.apply([Stop("bad", "A", "it hung"), mark(2)])

    assert before == []
    assert [(fault.symbol, fault.hook, fault.session_ns) for fault in engine.audit.stopped] == [
        ("A", "watchdog", at(1)),
        ("B", "watchdog", at(1)),
    ]
    assert [witness.seen for witness in built] == [[("second", at(2))]]
    assert engine.symbols["B"].watched


class Reporter(Listener):
    """Writes down whether a gap lasts, and what it knows of the age at each bar."""

    def on_gap(self, ctx: strategy.Context, gap: strategy.Gap) -> None:
        self.seen.append(("gap", gap.from_ns, gap.to_ns, gap.is_open, ctx.degraded))

    def on_bar(self, ctx: strategy.Context, bar: Any) -> None:
        self.seen.append(("bar", bar.minute_ns, bar.flags))


def open_gap(from_s: float, to_s: float) -> GapItem:
    return GapItem(at(from_s), at(to_s), "down", is_open=True)


def reported(engine: QueuedEngine) -> list[tuple[Any, ...]]:
    return [seen for seen in strategy_of(engine).seen if seen[0] in {"gap", "bar"}]


def test_a_minute_that_closes_in_an_open_gap_is_partial_when_it_is_given_to_strategies() -> None:
    engine = an_engine(an_entry(Reporter))

    engine.apply([a_watch(), a_trade(1, 10), a_trade(2, 61), *marks(1, 70), open_gap(65, 70), *marks(71, 120)])
    engine.apply([open_gap(65, 121), *marks(121, 130), GapItem(at(65), at(130.5), "down"), a_trade(3, 131)])
    engine.apply([*marks(131, 200), a_trade(4, 200), *marks(201, 250)])

    assert reported(engine) == [
        ("bar", at(0), "complete"),
        ("gap", at(65), at(70), True, True),
        ("bar", at(60), "partial"),
        ("gap", at(65), at(130.5), False, False),
        ("bar", at(120), "partial"),
        ("bar", at(180), "complete"),
    ]


def test_an_open_gap_bars_entries_before_the_next_mark_and_the_next_mark_decides_again() -> None:
    engine = an_engine(an_entry(strategy_calling(lambda ctx: ctx.buy(1))))
    engine.apply([a_watch(), a_trade(1, 0), mark(1), open_gap(1.5, 1.7), mark(2, degraded=True), mark(3)])

    assert [intent.degraded for intent in intents_of(engine)] == [False, True, False]

    engine.apply([open_gap(3.1, 3.2)])
    assert engine.degraded


def test_a_restored_shard_knows_the_gap_that_lasts() -> None:
    engine = an_engine(an_entry(Reporter))
    engine.apply([a_watch(), a_trade(1, 10), *marks(1, 20), open_gap(15, 20)])

    heir = restored(engine, an_entry(Reporter))
    for one in (engine, heir):
        one.apply([*marks(21, 60), open_gap(15, 61), a_trade(2, 61), *marks(61, 125)])

    assert reported(heir) == reported(engine)
    assert [seen[3] for seen in reported(heir) if seen[0] == "gap"] == [True]
    assert flags(heir) == flags(engine) == {("A", at(0)): "partial", ("A", at(60)): "partial"}


def test_a_live_shard_has_no_fresh_data_before_its_first_mark() -> None:
    live = QueuedEngine(EngineConfig("day", at(0), 1, 1, 1, live=True), [], lambda: 0)

    before = live.degraded
    live.apply([mark(1)])

    assert (before, live.degraded) == (True, False)


class Buyer(CallbackStrategy):
    """Buys a share every second."""

    def on_second(self, ctx: strategy.Context) -> None:
        ctx.buy(1)


def test_a_symbol_that_is_not_granted_any_more_is_stale_alone_until_it_is_granted_again() -> None:
    engine = an_engine(an_entry(Buyer))
    refused = GapItem(at(1), at(1), "not granted", symbols=["B", "unknown"], is_open=True)
    engine.apply([a_watch("A"), a_watch("B"), a_trade(1, 0, symbol="A"), a_trade(2, 0, symbol="B"), refused])

    heir = restored(engine, an_entry(Buyer))
    for one in (engine, heir):
        one.apply([refused, mark(4), GapItem(at(1), at(5), "not granted", symbols=["B"]), mark(6)])

    for one in (engine, heir):
        assert [(intent.symbol, intent.degraded, intent.data_age_ns) for intent in intents_of(one)] == [
            ("A", False, 0),
            ("B", True, at(4) - at(1)),
            ("A", False, 0),
            ("B", False, 0),
        ]
