from engine_parts import (
    QueuedEngine,
    a_fill,
    a_quote,
    a_trade,
    a_watch,
    an_engine,
    an_entry,
    an_event,
    at,
    instance_of,
    intents_of,
    kinds,
    mark,
    marks,
    strategy_calling,
    strategy_of,
)

from desk.model.bars import Bar
from desk.model.items import Unwatch
from desk.strategy import Context


def a_bar(seconds: float, close: float = 5.0) -> Bar:
    start = at(seconds)
    return Bar("A", start, close, close, close, close, 100.0, 100 * close, 1, start, 0, start, 0, "repaired")


def flags(engine: QueuedEngine) -> dict[int, str]:
    return {bar.minute_ns: bar.flags for bar in engine.take_bars()}


def test_strategies_run_where_the_plan_wants_them() -> None:
    everywhere, named, found = (
        an_entry(name="e"),
        an_entry(name="n", symbols=frozenset({"B"})),
        an_entry(name="f", scanner="S"),
    )
    engine = an_engine(everywhere, named, found)

    engine.apply([a_watch("A"), a_watch("B"), a_watch("C", scanners=["S"]), a_watch("D", scanners=["T"])])

    seats = {symbol: [seat.entry.name for seat in state.instances] for symbol, state in engine.symbols.items()}
    assert seats == {"A": ["e"], "B": ["e", "n"], "C": ["e", "f"], "D": ["e"]}


def test_an_instance_that_its_scanner_drops_rests_and_continues_where_it_was() -> None:
    engine = an_engine(an_entry(scanner="S"))

    engine.apply([a_watch(scanners=["", "S"]), mark(1), a_watch(at_s=1), mark(2), a_trade(1, 2), a_quote(2)])
    engine.apply([mark(3), a_watch(at_s=3, scanners=["", "S"]), mark(4)])

    assert strategy_of(engine).seen == [("second", at(1)), ("second", at(4))]


def test_an_instance_that_holds_something_runs_until_it_is_flat() -> None:
    def act(ctx: Context) -> None:
        if ctx.now_ns == at(1):
            ctx.buy(2)
        if ctx.now_ns == at(4):
            ctx.close()
        acted.append(ctx.now_ns)

    acted: list[int] = []
    engine = an_engine(an_entry(strategy_calling(act), scanner="S"))

    engine.apply([a_watch(scanners=["S"]), mark(1)])
    entry = intents_of(engine)[0]
    engine.apply([a_watch(at_s=1), mark(2), a_fill(entry, 1), mark(3), mark(4)])
    leave = intents_of(engine)[0]
    engine.apply([an_event(leave, 2), mark(5), a_fill(leave, 3), mark(6)])

    assert acted == [at(second) for second in range(1, 6)]
    assert (leave.side, leave.quantity) == ("sell", 2.0)
    assert instance_of(engine).position.quantity == 0.0


def test_its_last_fill_is_reported_to_an_instance_that_rests_from_then_on() -> None:
    engine = an_engine(an_entry(scanner="S"), an_entry(strategy_calling(lambda ctx: ctx.buy(1)), "d"))
    engine.apply([a_watch(scanners=["S"]), mark(1)])
    witness = instance_of(engine)
    order = witness.buy(3)
    engine.apply([a_watch(at_s=1)])
    intent = next(intent for intent in intents_of(engine) if intent.client_order_id == order)

    engine.apply([a_fill(intent, 1), mark(2)])
    exit_order = witness.sell(3)
    leaving = next(intent for intent in intents_of(engine) if intent.client_order_id == exit_order)
    engine.apply([a_fill(leaving, 2), mark(3)])

    assert strategy_of(engine).seen == [
        ("second", at(1)),
        ("fill", 3.0, 3.0),
        ("second", at(2)),
        ("fill", 3.0, 0.0),
    ]


def test_a_symbol_that_is_let_go_in_mid_minute_keeps_a_partial_bar_of_it() -> None:
    engine = an_engine(an_entry())

    engine.apply([a_watch(), a_trade(1, 10), *marks(1, 60), a_trade(2, 60.5), mark(61), mark(62)])
    engine.apply([Unwatch("A", at(62)), mark(121)])

    assert flags(engine) == {at(0): "complete", at(60): "partial"}
    assert "bar" not in kinds(strategy_of(engine).seen[-1:])


def test_a_minute_that_was_seen_whole_is_complete_though_it_was_still_in_its_grace() -> None:
    engine = an_engine(grace_s=5)

    engine.apply([a_watch(), a_trade(1, 10), *marks(1, 60), Unwatch("A", at(60)), *marks(61, 70)])

    assert flags(engine) == {at(0): "complete"}


def test_a_symbol_watched_again_continues_with_history_for_the_time_between() -> None:
    engine = an_engine(an_entry())
    engine.apply([a_watch(), a_trade(1, 10), *marks(1, 90), a_trade(2, 70, price=6.0), Unwatch("A", at(90))])
    engine.apply(marks(91, 200))
    engine.take_bars()
    whole = [Bar("A", at(0), 10.0, 10.0, 10.0, 10.0, 100.0, 1000.0, 1, at(10), 1, at(10), 1, "repaired")]

    engine.apply(
        [a_watch(at_s=200, warm=True, bars=[*whole, a_bar(60), a_bar(120)]), a_trade(9, 201), *marks(201, 300)]
    )

    assert flags(engine) == {at(60): "repaired", at(120): "repaired", at(180): "repaired"}
    assert engine.symbols["A"].bars.series.close.tolist() == [10.0, 5.0, 5.0, 10.0]
    assert instance_of(engine).warm


def test_the_minutes_before_a_late_watch_are_given_as_history_and_the_open_one_continues() -> None:
    engine = an_engine(an_entry())

    engine.apply([*marks(1, 90), a_watch(at_s=90, warm=True, bars=[a_bar(0), a_bar(60)]), a_trade(7, 95, price=6.0)])
    closes = engine.symbols["A"].bars.series.close.tolist()
    engine.apply(marks(91, 121))

    assert closes == [5.0]
    assert [entry for entry in strategy_of(engine).seen if entry[0] == "bar"] == [("bar", at(60), 6.0)]
    assert flags(engine) == {at(0): "repaired", at(60): "repaired"}


def test_warm_says_whether_the_bars_reach_back_to_the_start() -> None:
    engine = an_engine(an_entry())

    engine.apply([a_watch("A"), mark(5), a_watch("B", 5), a_watch("C", 5, warm=True)])

    assert [instance_of(engine, symbol).warm for symbol in "ABC"] == [True, False, True]


def test_watches_and_their_ends_that_come_again_change_nothing() -> None:
    watch, end = a_watch(scanners=["S"]), Unwatch("A", at(2))
    again = a_watch(at_s=3, warm=True, bars=[a_bar(0)])
    engine = an_engine(an_entry())
    engine.apply([watch, mark(1), a_trade(1, 1), mark(2), end, mark(3), again, a_trade(2, 3, price=7.0), mark(4)])
    before = engine.snapshot()

    engine.apply([watch, end, again])

    assert engine.snapshot() == before


def test_the_end_of_an_unwatched_symbol_changes_nothing() -> None:
    engine = an_engine()

    engine.apply([Unwatch("A", at(0))])

    assert engine.symbols == {}
