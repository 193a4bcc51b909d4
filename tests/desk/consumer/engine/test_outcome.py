"""An outcome is returned once, and the pending outcome of a symbol moves with the symbol."""

from engine_parts import START_NS, Stopwatch, a_fill, a_quote, a_trade, a_watch, an_entry, at, mark, strategy_calling

from desk.consumer.engine import Engine, EngineConfig, Outcome
from desk.flow.routing_table import slot_of
from desk.model.items import Adopt, Release, encode_items
from desk.model.orders import Intent
from desk.strategy import Context
from desk.telemetry.audit import Audit, StrategyFault


def buy_once(ctx: Context) -> None:
    if ctx.now_ns == at(60):
        ctx.buy(5)


def an_engine() -> Engine:
    return Engine(EngineConfig("day", START_NS, 0, 0, 10**9), [an_entry(strategy_calling(buy_once))], Stopwatch())


def symbols(outcome: Outcome) -> tuple[list[str], list[tuple[str, int]]]:
    return [intent.symbol for intent in outcome.intents], list(outcome.bars)


def test_what_came_of_the_items_is_returned_and_the_engine_keeps_none_of_it() -> None:
    engine = an_engine()

    outcome = engine.apply([a_watch("A"), a_trade(1, 1), mark(60)])

    assert symbols(outcome) == (["A"], [("A", START_NS)])
    assert outcome.bars["A", START_NS].trades == 1
    assert symbols(engine.apply([mark(61)])) == ([], [])


def test_what_is_pending_comes_first_and_a_minute_that_changed_again_counts_as_it_is_last() -> None:
    engine = Engine(
        EngineConfig("day", START_NS, 0, 900 * 10**9, 10**9), [an_entry(strategy_calling(buy_once))], Stopwatch()
    )
    pending = engine.apply([a_watch("A"), a_trade(1, 1), a_watch("B"), a_trade(2, 1, symbol="B"), mark(60)])

    pending = engine.apply([a_trade(3, 2, price=12.0)], pending)

    assert symbols(pending) == (["A", "B"], [("A", START_NS), ("B", START_NS)])
    assert [(bar.symbol, bar.close) for bar in pending.take_bars()] == [("A", 12.0), ("B", 10.0)]
    assert pending.take_bars() == []


def test_a_request_holds_intents_and_reports_once() -> None:
    engine = an_engine()
    pending = engine.apply([a_watch("A"), a_quote(1), mark(60)])
    request = pending.take_request(engine.prices(), engine.mark_ns)
    (intent,) = request.intents
    assert isinstance(intent, Intent)

    pending = engine.apply([a_fill(intent, 1), a_trade(2, 60)], pending)
    later = pending.take_request(engine.prices(), engine.mark_ns)

    assert (request.mark_ns, request.prices) == (at(60), {})
    assert (later.intents, later.reports, later.prices) == ([], [], {"A": 10.0})
    assert engine.audit.intents == 1


def test_what_is_pending_of_a_symbol_leaves_and_arrives_with_it() -> None:
    source, target = an_engine(), an_engine()
    pending = source.apply([a_watch("A"), a_watch("B"), a_trade(1, 1), a_trade(2, 1, symbol="B"), mark(60)])
    other = target.apply([mark(60)])

    pending = source.apply([Release(1, [slot_of("A")], 1)], pending)
    adopt = Adopt(1, [slot_of("A")], source.released[1].state, encode_items([]))
    other = target.apply([adopt], other)

    assert symbols(pending) == (["B"], [("B", START_NS)])
    assert symbols(other) == (["A"], [("A", START_NS)])
    assert target.apply([adopt], Outcome()) == Outcome()


def test_what_is_pending_is_in_the_state_and_its_bars_are_not() -> None:
    engine = an_engine()
    pending = engine.apply([a_watch("A"), a_trade(1, 1), mark(60)])

    made = engine.checkpoint(pending)
    successor = an_engine()
    restored = successor.restore(made.state, pending.take_bars())

    assert symbols(restored) == (["A"], [])
    assert restored.intents == pending.intents
    assert successor.audit == engine.audit


def test_an_engine_counts_on_in_the_audit_that_it_is_given() -> None:
    engine = an_engine()
    engine.apply([a_watch("A"), a_trade(1, 1), a_trade(2, 1, symbol="B")])
    audit = Audit(trades=2, rejected_trades={"late": 1}, stopped=[StrategyFault("s", "A", "on_second", 0, "why")])
    successor = Engine(engine.config, [an_entry()], Stopwatch(), audit=audit)

    successor.restore(engine.checkpoint(Outcome()).state, [])

    assert successor.audit is audit
    assert (audit.trades, audit.rejected_trades, len(audit.stopped)) == (3, {"late": 1, "unwatched": 1}, 1)
