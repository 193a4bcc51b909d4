import pytest
from engine_parts import (
    RecordingStrategy,
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

from desk.model.items import Close, LostTrades, Unwatch


def test_a_tick_counts_once_by_its_ordinal_within_its_symbol() -> None:
    engine = an_engine(an_entry())

    engine.apply([a_watch("A"), a_watch("B")])
    engine.apply([a_trade(5, 1), a_trade(5, 1), a_quote(4), a_trade(3, 1, symbol="B"), a_quote(6), a_quote(6)])

    assert (engine.audit.trades, engine.audit.quotes, engine.audit.repeated) == (2, 1, 3)
    assert strategy_of(engine, "A").seen == [("trade", 5), ("quote", 6)]
    assert strategy_of(engine, "B").seen == [("trade", 3)]


def test_a_mark_that_is_repeated_or_older_is_ignored() -> None:
    engine = an_engine(an_entry())

    engine.apply([a_watch(), mark(2), mark(2), mark(1), mark(3)])

    assert strategy_of(engine).seen == [("second", at(2)), ("second", at(3))]
    assert engine.mark_ns == at(3)


def test_ticks_of_symbols_that_are_not_watched_are_rejected_and_counted_once() -> None:
    engine = an_engine()

    engine.apply([a_trade(1, 0), a_quote(2), a_watch("A"), a_quote(3), mark(1), Unwatch("A", at(1))])
    engine.apply([a_trade(4, 1), a_trade(4, 1), a_quote(5)])

    assert engine.audit.rejected_trades == {"unwatched": 2}
    assert engine.audit.rejected_quotes == {"unwatched": 2}
    assert (engine.audit.trades, engine.audit.quotes, engine.audit.repeated) == (0, 1, 1)


def test_trades_too_late_to_revise_anything_are_rejected_as_late() -> None:
    engine = an_engine(an_entry(), revise_s=90)

    engine.apply([a_watch(), a_trade(1, 10), *marks(1, 149), a_trade(2, 11), mark(150), a_trade(3, 12, price=99.0)])

    assert engine.audit.rejected_trades == {"late": 1}
    assert engine.audit.trades == 2
    assert engine.symbols["A"].trade == a_trade(2, 11)
    assert kinds(strategy_of(engine).seen).count("trade") == 2


def test_order_events_count_once_by_their_number_within_the_symbol() -> None:
    engine = an_engine(an_entry(strategy_calling(lambda ctx: ctx.buy(2))))
    engine.apply([a_watch(), a_trade(1, 0), mark(1)])
    intent = intents_of(engine)[0]
    events = [an_event(intent, 1), a_fill(intent, 2)]

    engine.apply([events[0], events[1], events[0], events[1]])

    assert instance_of(engine).position.quantity == 2.0
    assert engine.prices() == {"A": 10.0}


@pytest.mark.parametrize("entry", [{}, {"scanner": "movers"}])
def test_an_order_event_before_its_symbol_is_watched_finds_its_strategy(entry: dict[str, str]) -> None:
    engine = an_engine(an_entry(strategy_calling(lambda ctx: ctx.buy(2)), **entry))
    engine.apply([a_watch(scanners=["movers"]), mark(1)])
    event = a_fill(intents_of(engine)[0], 1)
    successor = an_engine(an_entry(name="r"), an_entry(**entry), an_entry(name="t"))

    successor.apply([event, event, a_watch(scanners=[]), a_trade(1, 1), mark(1)])

    owner = instance_of(successor)
    assert owner.position.quantity == 2
    assert kinds(owner.strategy.seen) == ["fill", "trade", "second"]
    assert [seat.entry.name for seat in successor.symbols["A"].instances] == ["r", "s", "t"]
    assert successor.prices() == {"A": 10.0}


def test_a_live_strategy_that_lost_its_memory_uses_no_id_of_an_order_a_second_time() -> None:
    engine = an_engine(an_entry(strategy_calling(lambda ctx: ctx.buy(2))))
    engine.apply([a_watch(), mark(1), mark(2)])
    first, second = intents_of(engine)
    successor = an_engine(an_entry(strategy_calling(lambda ctx: ctx.buy(1))), live=True)

    successor.apply([a_fill(first, 1), an_event(second, 2), a_watch(), mark(3)])

    assert [intent.number for intent in intents_of(successor)] == [3]
    assert instance_of(successor).open_orders == (second.client_order_id, first.client_order_id[:-1] + "3")


def test_what_is_no_item_is_refused() -> None:
    with pytest.raises(TypeError, match="str is no item"):
        an_engine().apply(["tick"])  # type: ignore[list-item]


def test_hooks_run_in_the_lanes_order_and_seconds_by_strategy_then_symbol() -> None:
    called: list[tuple[str, str]] = []
    first = an_entry(strategy_calling(lambda ctx: called.append(("first", ctx.symbol))), "first")
    second = an_entry(strategy_calling(lambda ctx: called.append(("second", ctx.symbol))), "second")
    engine = an_engine(first, an_entry(RecordingStrategy, "w"), second)

    engine.apply([a_watch("B"), a_watch("A"), a_trade(1, 0), a_quote(2), mark(1), a_trade(3, 1)])

    assert called == [("first", "A"), ("first", "B"), ("second", "A"), ("second", "B")]
    assert kinds(strategy_of(engine, "A", "w").seen) == ["trade", "quote", "second", "trade"]


def test_instances_stand_in_the_plans_order_whenever_they_were_seated() -> None:
    engine = an_engine(an_entry(name="found", scanner="S"), an_entry(name="always"))

    engine.apply([a_watch(), mark(1), a_watch(at_s=1, scanners=["", "S"])])

    assert [instance.entry.name for instance in engine.symbols["A"].instances] == ["found", "always"]


def test_lost_trades_make_their_minutes_partial_open_or_closed() -> None:
    engine = an_engine()

    engine.apply([a_watch(), a_trade(1, 10), *marks(1, 70), a_trade(2, 70)])
    engine.take_bars()
    engine.apply([LostTrades([("A", at(0)), ("A", at(60)), ("B", at(0))]), *marks(71, 121)])

    assert [(bar.minute_ns, bar.flags) for bar in engine.take_bars()] == [(at(0), "partial"), (at(60), "partial")]


def test_close_ends_the_session_once() -> None:
    engine = an_engine(an_entry(strategy_calling(lambda ctx: ctx.buy(2, limit=1.0) if not ctx.open_orders else None)))
    engine.apply([a_watch(), a_trade(1, 10), *marks(1, 60), a_trade(2, 60)])
    engine.apply([an_event(intents_of(engine)[0], 1, simulated=True, limit_price=1.0)])

    engine.apply([Close(at(60))])
    request, bars = engine.take_request(), engine.take_bars()
    engine.apply([Close(at(60))])

    assert engine.closed
    assert [(report.status, report.ts_ns) for report in request.reports] == [("expired", at(60))]
    assert [(bar.minute_ns, bar.flags) for bar in bars] == [(at(0), "complete"), (at(60), "partial")]
    assert not engine.take_request()
    assert engine.take_bars() == []


def test_what_is_held_is_priced_though_nothing_is_requested() -> None:
    engine = an_engine(an_entry(strategy_calling(lambda ctx: ctx.buy(2) if ctx.trade is None else None)))
    engine.apply([a_watch(), mark(1)])
    engine.apply([a_fill(intents_of(engine)[0], 1), a_trade(1, 1, price=12.5), mark(2)])

    request = engine.take_request()

    assert not request
    assert request.prices == {"A": 12.5}
