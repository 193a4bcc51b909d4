"""Slots move between engines, and the outcome is that of one engine."""

import pickle
from collections.abc import Iterable
from random import Random
from typing import Any

import msgspec
import pytest
from engine_parts import (
    START_NS,
    QueuedEngine,
    TradeLog,
    a_quote,
    a_trade,
    a_watch,
    an_engine,
    an_entry,
    an_event,
    at,
    instance_of,
    intents_of,
    mark,
    marks,
    strategy_of,
)
from examples import examples
from hypothesis import given
from hypothesis import strategies as st
from test_engine_restore import (
    SYMBOLS,
    Opaque,
    Session,
    Step,
    an_engine_of_gamblers,
    decode,
    encode,
    numbers,
    numbers_of,
)

from desk.consumer.engine.snapshot import SymbolSnapshot, pack_symbol, symbols_of
from desk.flow.routing_table import slot_of
from desk.model.bars import Bar
from desk.model.items import Adopt, Close, GapItem, Item, LostTrades, Mark, Release, Settle, Stop, encode_items
from desk.model.orders import CancelIntent, Intent, Request
from desk.model.units import SECOND_NS


def a_release(move: int = 1, *symbols: str, to: int = 1) -> Release:
    return Release(move, [slot_of(symbol) for symbol in symbols or ("A",)], to)


def an_adopt(source: QueuedEngine, move: int = 1, held: Iterable[Item] = ()) -> Adopt:
    kept = source.released[move]
    return Adopt(move, kept.release.slots, kept.state, encode_items(list(held)))


def again(item: Any) -> Item:
    """The item as it comes out of a batch."""
    return decode(encode(item))


def restored(engine: QueuedEngine, kept: dict[tuple[str, int], bytes], trades: TradeLog) -> QueuedEngine:
    for bar in engine.take_bars():
        kept[bar.symbol, bar.minute_ns] = encode(bar)
    state = engine.snapshot()
    trades.take(engine.take_trades())
    known = set(symbols_of(state))
    closed = [msgspec.msgpack.decode(bar, type=Bar) for (symbol, _), bar in kept.items() if symbol in known]
    successor = an_engine_of_gamblers()
    successor.restore(state, closed, trades)
    return successor


class Move:
    """One move under way: what is held for it."""

    def __init__(self, number: int, slots: set[int], source: int, to: int) -> None:
        self.number = number
        self.slots = slots
        self.source = source
        self.to = to
        self.held: list[Item] = []


class Desk:
    """Follows a session's steps with several engines among which slots move."""

    def __init__(self, engines: int, chance: Random) -> None:
        self.engines = [an_engine_of_gamblers() for _ in range(engines)]
        self.owner = {slot_of(symbol): chance.randrange(engines) for symbol in SYMBOLS}
        self.moves: list[Move] = []
        self.settling: list[Move] = []
        self.begun = 0
        self.kept: dict[tuple[str, int], bytes] = {}
        self.trades = [TradeLog() for _ in range(engines)]
        self.requests: list[Request] = []
        self._chance = chance

    def follow(self, steps: list[Step], *, move_probability: float) -> None:
        for step in steps:
            for _ in range(3):
                if self._chance.random() < move_probability:
                    self._stir(self._chance.randrange(6))
            if step.item is None:
                self.requests += [engine.take_request() for engine in self.engines]
            else:
                self._give(decode(step.item))
        while self.moves:
            self._land()
        self.requests += [engine.take_request() for engine in self.engines]
        for number in range(len(self.engines)):
            self._restart(number)

    def _give(self, item: Item) -> None:
        match item:
            case Mark() | Close():
                for engine in self.engines:
                    engine.apply([item])
                for move in self.moves:
                    move.held.append(item)
            case LostTrades():
                for lost in item.minutes:
                    self._route(lost[0], LostTrades([lost]))
            case _:
                self._route(item.symbol, item)

    def _route(self, symbol: str, item: Any) -> None:
        slot = slot_of(symbol)
        for move in self.moves:
            if slot in move.slots:
                move.held.append(item)
                return
        self.engines[self.owner[slot]].apply([item])

    def _stir(self, what: int) -> None:
        match what:
            case 0 | 1:
                self._begin()
            case 2 | 3 if self.moves:
                self._land()
            case 4:
                self._restart(self._chance.randrange(len(self.engines)))
            case 5 if self.settling:
                move = self.settling.pop(self._chance.randrange(len(self.settling)))
                for _ in range(self._chance.randint(1, 2)):
                    self.engines[move.source].apply([Settle(move.number)])

    def _begin(self) -> None:
        source, to = self._chance.sample(range(len(self.engines)), 2)
        busy = {slot for move in self.moves for slot in move.slots}
        free = [slot for slot, owner in self.owner.items() if owner == source and slot not in busy]
        if not free:
            return
        self.begun += 1
        slots = set(self._chance.sample(free, self._chance.randint(1, len(free))))
        self.moves.append(Move(self.begun, slots, source, to))
        release = again(Release(self.begun, [*slots, 7], to))
        self.engines[source].apply([release, release])

    def _land(self) -> None:
        move = self.moves.pop(self._chance.randrange(len(self.moves)))
        adopt = again(an_adopt(self.engines[move.source], move.number, move.held))
        for _ in range(self._chance.randint(1, 2)):
            self.engines[move.to].apply([adopt])
        self.owner |= dict.fromkeys(move.slots, move.to)
        self.settling.append(move)

    def _restart(self, number: int) -> None:
        self.engines[number] = restored(self.engines[number], self.kept, self.trades[number])


def canonical(requests: Iterable[Request]) -> tuple[list[Any], list[Any]]:
    """What was asked for at each mark, in the order in which the broker decides."""

    def order(intent: Intent | CancelIntent) -> tuple[Any, ...]:
        return intent.decision_ns, intent.strategy, intent.symbol

    asked = list(requests)
    intents = sorted((intent for request in asked for intent in request.intents), key=order)
    reports = sorted(
        (report for request in asked for report in request.reports),
        key=lambda report: (report.symbol, report.client_order_id, report.number),
    )
    return intents, reports


def comparable_state(engines: Iterable[QueuedEngine]) -> dict[str, tuple[SymbolSnapshot, list[Any], list[float]]]:
    """Everything there is to every symbol; pickles opened, as equal objects may have unequal pickles."""
    shown = {}
    for engine in engines:
        for symbol, state in engine.symbols.items():
            assert symbol not in shown
            kept = msgspec.msgpack.decode(encode(pack_symbol(state, engine._guard)), type=SymbolSnapshot)
            strategies = [seat.strategy and vars(pickle.loads(seat.strategy)) for seat in kept.instances]
            for seat in kept.instances:
                seat.strategy = b""
            shown[symbol] = (encode(kept), encode(strategies), state.bars.rows.packed())
    return shown


def counts(engines: list[QueuedEngine]) -> list[Any]:
    audits = [engine.audit for engine in engines]
    rejected = [
        {cause: sum(one.get(cause, 0) for one in causes) for cause in set().union(*causes)}
        for causes in ([audit.rejected_trades for audit in audits], [audit.rejected_quotes for audit in audits])
    ]
    stopped = sorted((fault.strategy, fault.symbol, fault.hook) for audit in audits for fault in audit.stopped)
    sums = [sum(getattr(audit, name) for audit in audits) for name in ("trades", "quotes", "repeated", "intents")]
    return [rejected, stopped, sums]


def prices(engines: Iterable[QueuedEngine]) -> dict[str, float]:
    return {symbol: price for engine in engines for symbol, price in engine.prices().items()}


@examples(40)
@given(numbers, st.integers(2, 3), st.integers(0, 2**32), st.sampled_from([0.02, 0.1, 0.5]))
def test_moves_at_any_time_change_nothing(stream: list[int], engines: int, seed: int, move_probability: float) -> None:
    session = Session(iter(stream), lossy=True)
    session.play()
    whole = Desk(1, Random(0))
    whole.follow(session.steps, move_probability=0)

    split = Desk(engines, Random(seed))
    split.follow(session.steps, move_probability=move_probability)

    assert split.kept == whole.kept
    assert canonical(split.requests) == canonical(whole.requests)
    assert comparable_state(split.engines) == comparable_state(whole.engines)
    assert counts(split.engines) == counts(whole.engines)
    assert prices(split.engines) == prices(whole.engines)


def test_the_property_is_about_moves_with_orders_and_held_items() -> None:
    session = Session(iter(numbers_of(3, 600)), lossy=True)
    session.play()
    desk = Desk(3, Random(3))

    desk.follow(session.steps, move_probability=0.3)

    intents, reports = canonical(desk.requests)
    assert desk.begun > 100
    assert len(intents) > 50
    assert len(reports) > 20


def test_a_released_symbol_is_unknown_to_the_engine_and_its_state_is_held() -> None:
    engine = an_engine(an_entry())
    engine.apply([a_watch("A"), a_watch("B"), a_trade(1, 0), mark(1), a_release(1, "A")])

    engine.apply(marks(2, 70))

    assert set(engine.symbols) == {"B"}
    assert [bar.symbol for bar in engine.take_bars()] == []
    assert engine.released[1].release == a_release(1, "A")
    assert symbols_of(engine.released[1].state) == ["A"]


def test_what_comes_again_for_a_symbol_that_left_changes_nothing() -> None:
    buyer = an_entry()
    engine = an_engine(buyer)
    engine.apply([a_watch("A"), mark(1)])
    instance_of(engine).buy(1)
    (intent,) = intents_of(engine)
    before = [a_watch("A", 1), a_trade(1, 1), a_quote(2, 1), an_event(intent, 1)]
    engine.apply([*before, a_release(1, "A")])

    engine.apply([*before, Stop("s", "A", "hung"), LostTrades([("A", START_NS)]), a_release(1, "A")])

    assert engine.symbols == {}
    assert engine.audit.repeated == 2
    assert (engine.audit.trades, engine.audit.rejected_trades, engine.audit.stopped) == (1, {}, [])


def test_what_was_not_taken_yet_goes_along() -> None:
    source, target = an_engine(an_entry()), an_engine(an_entry())
    source.apply([a_watch("A"), a_watch("B"), a_trade(1, 0), *marks(1, 61)])
    target.apply(marks(1, 61))
    for symbol in ("A", "B"):
        instance_of(source, symbol).buy(1)

    source.apply([a_release(1, "A")])
    target.apply([an_adopt(source)])

    assert [intent.symbol for intent in intents_of(source)] == ["B"]
    assert [intent.symbol for intent in intents_of(target)] == ["A"]
    assert source.take_bars() == []
    assert [bar.minute_ns for bar in target.take_bars()] == [START_NS]
    assert target.symbols["A"].bars.series.close.tolist() == [10.0]


def test_held_items_are_applied_mark_by_mark_and_counted_where_they_are_applied() -> None:
    source, target = an_engine(an_entry()), an_engine(an_entry())
    source.apply([a_watch("A"), mark(1), a_trade(1, 1), a_release(1, "A")])
    target.apply([a_watch("B"), *marks(1, 3), a_trade(1, 3, symbol="B")])

    target.apply([an_adopt(source, held=[a_trade(2, 1), mark(2), a_quote(3, 2), mark(3)]), mark(4)])

    assert strategy_of(target).seen == [
        ("second", at(1)),
        ("trade", 1),
        ("trade", 2),
        ("second", at(2)),
        ("quote", 3),
        ("second", at(3)),
        ("second", at(4)),
    ]
    assert (source.audit.trades, target.audit.trades, target.audit.quotes) == (1, 2, 1)
    assert target.adopted == {1: [slot_of("A")]}


def test_a_gap_among_the_held_items_is_one_of_the_moved_symbols_alone() -> None:
    source, target = an_engine(an_entry()), an_engine(an_entry())
    source.apply([a_watch("A"), mark(1), a_trade(1, 1), a_release(1, "A")])
    target.apply([a_watch("B"), mark(1), a_trade(1, 1, symbol="B"), *marks(2, 3)])

    target.apply([an_adopt(source, held=[GapItem(at(1), at(3), "died", 4, 5), *marks(2, 3)]), *marks(4, 61)])

    assert {bar.symbol: bar.flags for bar in target.take_bars()} == {"A": "partial", "B": "complete"}
    assert (target.audit.lost_trades, target.audit.lost_quotes) == (4, 5)


def test_a_stopped_strategy_stays_stopped_where_it_goes() -> None:
    source, target = an_engine(an_entry()), an_engine(an_entry())
    source.apply([Stop("s", "A", "hung"), a_release(1, "A")])

    target.apply([an_adopt(source, held=[a_watch("A")]), mark(1)])

    assert instance_of(target).stopped
    assert [fault.what for fault in target.audit.stopped] == ["hung"]


def test_a_strategy_that_does_not_come_back_is_stopped_and_reported_once() -> None:
    source, target = an_engine(an_entry(Opaque)), an_engine(an_entry(Opaque))
    source.apply([a_watch("A"), mark(1), a_release(1, "A")])

    target.apply([mark(1), an_adopt(source), mark(2)])

    assert [(fault.hook, fault.symbol) for fault in target.audit.stopped] == [("restore", "A")]


def test_a_slot_that_comes_back_is_at_home_again() -> None:
    first, second = an_engine(an_entry()), an_engine(an_entry())
    first.apply([a_watch("A"), mark(1), a_release(1, "A")])
    second.apply([mark(1), an_adopt(first), mark(2), a_trade(1, 2), a_release(2, "A", to=0)])

    first.apply([mark(2), an_adopt(second, 2), a_release(1, "A"), Settle(1), a_trade(2, 2)])

    assert first.released == {}
    assert [what for what, *_ in strategy_of(first).seen] == ["second", "second", "trade", "trade"]


def test_what_is_settled_is_forgotten_and_known() -> None:
    engine = an_engine(an_entry())
    engine.apply([a_watch("A"), mark(1), a_release(1, "A"), Settle(1)])
    successor = an_engine(an_entry())
    successor.restore(engine.snapshot(), [])

    for one in (engine, successor):
        one.apply([a_release(1, "A"), Settle(1), Settle(9)])

    assert engine.released == successor.released == {}


@pytest.mark.parametrize("held", [[], [mark(2)]])
def test_a_state_that_did_not_catch_up_is_refused_with_both_marks(held: list[Item]) -> None:
    source, target = an_engine(an_entry()), an_engine(an_entry())
    source.apply([a_watch("A"), mark(1), a_release(1, "A")])
    target.apply(marks(1, 3))
    reached_ns = at(1 + len(held))

    with pytest.raises(ValueError, match=f"move 1 comes at mark {reached_ns}.*is at mark {at(3)}"):
        target.apply([an_adopt(source, held=held)])


def test_a_shard_that_is_behind_what_it_adopts_is_brought_to_its_mark() -> None:
    source, target = an_engine(an_entry()), an_engine(an_entry())
    source.apply([a_watch("A"), *marks(1, 9), a_release(1, "A")])
    target.apply([a_watch("B"), mark(1)])

    target.apply([an_adopt(source), mark(9)])

    assert target.mark_ns == at(9)
    assert strategy_of(target, "B").seen == [("second", at(1)), ("second", at(9))]


def test_a_move_among_held_items_is_refused() -> None:
    source = an_engine(an_entry())
    source.apply([a_watch("A"), mark(1), a_release(1, "A")])

    with pytest.raises(ValueError, match="move 1 has another move among the items"):
        an_engine(an_entry()).apply([an_adopt(source, held=[mark(1), a_release(2, "A")])])


def test_a_move_over_the_end_of_the_session_closes_its_minutes() -> None:
    source, target = an_engine(an_entry()), an_engine(an_entry())
    source.apply([a_watch("A"), mark(1), a_trade(1, 1), a_release(1, "A")])
    end = [mark(2), Close(at(2))]
    target.apply([mark(1), *end])

    target.apply([an_adopt(source, held=end)])

    assert [(bar.symbol, bar.flags) for bar in target.take_bars()] == [("A", "partial")]
    assert target.mark_ns == START_NS + 2 * SECOND_NS
