"""An order manager that is restored from the ledger behaves as one that never died."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import pytest
from examples import examples
from hypothesis import given
from hypothesis import strategies as st
from memory_ledger import MemoryLedger
from order_makers import SESSION, a_fill, a_report, an_id, an_intent

from desk.ledger import SqlLedger
from desk.model.errors import LedgerError
from desk.model.orders import CancelIntent, Intent, OrderEvent, OrderKind, Report, Request
from desk.model.units import SECOND_NS
from desk.orders import OrderLedger, OrderManager, restore_manager
from desk.trading.risk_gate import Approved, RiskGate
from desk.trading.risk_limits import RiskLimits
from desk.venues.simulated import SimulatedVenue

LIMITS: dict[str, Any] = {
    "max_order_notional": 2_500.0,
    "max_position_notional": 4_000.0,
    "max_gross_notional": 5_000.0,
    "max_orders_per_minute": 4,
    "max_daily_loss": 30.0,
}


def a_manager(ledger: OrderLedger) -> OrderManager:
    return OrderManager(SESSION, RiskGate(RiskLimits(**LIMITS)), ledger, SimulatedVenue())


class Mortal:
    """A manager on a database file, and its successors."""

    def __init__(self, folder: Path) -> None:
        self.url = f"sqlite:///{folder}/ledger.db"
        self.ledger = SqlLedger(self.url, SESSION)
        self.manager = a_manager(self.ledger)

    def die(self) -> None:
        self.ledger.close()
        self.ledger = SqlLedger(self.url, SESSION)
        self.manager = restore_manager(a_manager(self.ledger), self.ledger)


@contextmanager
def a_mortal() -> Iterator[Mortal]:
    with TemporaryDirectory() as folder:
        mortal = Mortal(Path(folder))
        yield mortal
        mortal.ledger.close()


def state(manager: OrderManager) -> tuple[object, ...]:
    """All that a manager can be asked without changing it."""
    return (
        manager.events_after({}),
        manager.positions(),
        list(manager.positions()),
        manager.summary(),
        manager.problems,
        manager.diverged,
    )


strategies = st.sampled_from(["s", "t"])
symbols = st.sampled_from(["X", "Y"])
numbers = st.integers(1, 3)
prices = st.floats(80.0, 120.0)
quantities = st.sampled_from([3.0, 10.0, 0.1, 1 / 3, 20.0, 10.0, 3.0, 1e-10])
times = st.integers(0, 200).map(lambda second: second * SECOND_NS)


@st.composite
def intents(draw: st.DrawFn) -> Intent:
    kind = draw(st.sampled_from(["market", "limit", "stop"]))
    price = {"limit": {"limit_price": draw(prices)}, "stop": {"stop_price": draw(prices)}}.get(kind, {})
    return an_intent(
        draw(numbers),
        strategy=draw(strategies),
        symbol=draw(symbols),
        side=draw(st.sampled_from(["buy", "sell"])),
        kind=kind,
        quantity=draw(quantities),
        degraded=draw(st.sampled_from([False] * 9 + [True])),
        decision_ns=draw(times),
        reference_price=draw(prices),
        tif=draw(st.sampled_from(["day", "gtc"])),
        **price,
    )


@st.composite
def cancels(draw: st.DrawFn) -> CancelIntent:
    strategy, symbol = draw(strategies), draw(symbols)
    return CancelIntent(an_id(draw(numbers), strategy, symbol), strategy, symbol, draw(times))


@st.composite
def reports(draw: st.DrawFn) -> Report:
    symbol = draw(symbols)
    key = {"client_order_id": an_id(draw(numbers), draw(strategies), symbol), "symbol": symbol}
    number, ts_ns = draw(st.integers(1, 6).map(lambda number: number % 6)), draw(times)
    if draw(st.integers(0, 3)):
        return a_fill(draw(quantities), number, draw(prices), fee=draw(st.floats(0.0, 1.0)), ts_ns=ts_ns, **key)
    word = draw(st.sampled_from(["accepted", "canceled", "rejected", "expired", "pending_cancel", "refused"]))
    return a_report(word, number, ts_ns=ts_ns, reason=word, **key)


@st.composite
def requests(draw: st.DrawFn) -> Request:
    """What shards may ask: no report on an order asked for in the same request, and none under two contents."""
    wishes = draw(st.lists(st.one_of(intents(), cancels()), max_size=4))
    new = {wish.client_order_id for wish in wishes if isinstance(wish, Intent)}
    told = draw(st.lists(reports(), max_size=5, unique_by=lambda report: (report.client_order_id, report.number)))
    told = [report for report in told if report.client_order_id not in new]
    return Request(wishes, told, draw(st.dictionaries(symbols, prices)), draw(times))


ends = st.sampled_from(["", "", "before", "answer lost"])
repeats = st.integers(0, 5)
kinds = st.sampled_from([requests()] * 8 + [repeats] * 3 + [st.none()])
asked = st.tuples(kinds.flatmap(lambda kind: kind), ends)


def play(lived: OrderManager, mortal: Mortal, ask: Callable[[OrderManager], list[OrderEvent]], end: str) -> None:
    """Send both managers the same request. One dies before it, or after its commit, and gets it again."""
    if end == "before":
        mortal.die()
    answers = ask(lived)
    if end == "answer lost":
        ask(mortal.manager)
        mortal.die()

    assert ask(mortal.manager) == answers
    assert state(mortal.manager) == state(lived)


@examples(60)
@given(st.lists(asked, min_size=3, max_size=10))
def test_a_restored_manager_equals_one_that_lived(steps: list[tuple[Any, str]]) -> None:
    """A step is a request, the number of an earlier request to repeat, or (None) the session's close."""
    ledger = MemoryLedger()
    lived = a_manager(ledger)
    given_before: list[Request] = []
    with a_mortal() as mortal:
        for step, end in steps:
            if step is None:
                play(lived, mortal, lambda manager: manager.close(10**12), end)
            elif isinstance(step, Request):
                given_before.append(step)
                play(lived, mortal, lambda manager, request=step: manager.decide(request), end)
            elif step < len(given_before):
                play(lived, mortal, lambda manager, request=given_before[step]: manager.decide(request), end)
        mortal.die()

        assert state(mortal.manager) == state(lived)
        assert mortal.ledger.history() == ledger.history()
        assert mortal.ledger.notes() == ledger.notes()


@examples(30)
@given(st.lists(requests(), max_size=8), requests())
def test_a_restored_manager_judges_what_comes_next_alike(steps: list[Request], later: Request) -> None:
    ledger = MemoryLedger()
    lived = a_manager(ledger)
    for request in steps:
        lived.decide(request)

    successor = restore_manager(a_manager(ledger), ledger)

    assert successor.decide(later) == lived.decide(later)


amounts = st.floats(1e-6, 1e9)


@examples(30)
@given(st.lists(st.tuples(amounts, amounts, amounts), min_size=1, max_size=5))
def test_money_comes_back_to_the_last_bit(fills: list[tuple[float, float, float]]) -> None:
    with a_mortal() as mortal:
        gate = RiskGate(RiskLimits(max_order_notional=1e30, max_position_notional=1e30, max_gross_notional=1e30))
        lived = OrderManager(SESSION, gate, mortal.ledger, SimulatedVenue())
        lived.decide(Request([an_intent(quantity=1e10)]))
        for number, (quantity, price, fee) in enumerate(fills, 1):
            lived.decide(Request(reports=[a_fill(quantity, number, price, fee=fee)]))

        mortal.die()

        assert msgspec.json.encode(mortal.manager.events_after({})) == msgspec.json.encode(lived.events_after({}))
        assert mortal.manager.summary() == lived.summary()
        assert mortal.manager.positions() == lived.positions()


def test_events_tell_what_they_answer_and_at_which_mark_they_were_given() -> None:
    manager = a_manager(MemoryLedger())
    manager.decide(Request([an_intent(1)], mark_ns=5))
    manager.decide(Request([CancelIntent(an_id(), "s", "X", 9)], [a_fill(1.0, 3)], mark_ns=6))
    manager.close(7)

    events = manager.events_after({})

    assert [(event.status, event.report, event.given_ns) for event in events] == [
        ("accepted", 0, 5),
        ("partially_filled", 3, 6),
        ("pending_cancel", 0, 6),
        ("expired", 0, 7),
    ]


def test_a_repeat_at_a_later_mark_gives_the_old_event_unchanged() -> None:
    manager = a_manager(MemoryLedger())
    first = manager.decide(Request([an_intent()], mark_ns=5))

    assert manager.decide(Request([an_intent()], mark_ns=6)) == first


def test_a_closed_session_without_open_orders_stays_closed() -> None:
    ledger = MemoryLedger()
    a_manager(ledger).close(99)

    successor = restore_manager(a_manager(ledger), ledger)

    assert successor.decide(Request([an_intent()]))[0].reason == "session closed"


def test_a_diverged_pair_stays_stopped_and_the_problem_named() -> None:
    ledger = MemoryLedger()
    manager = a_manager(ledger)
    manager.decide(Request([an_intent(strategy="a b", symbol="BRK B")]))
    manager.decide(Request([an_intent(strategy="a b", symbol="BRK B", side="sell")]))

    successor = restore_manager(a_manager(ledger), ledger)

    assert successor.diverged == {("a b", "BRK B")}
    assert successor.problems == manager.problems != []


class Wire:
    """A venue that remembers what it was told."""

    simulated = False
    kinds: frozenset[OrderKind] = frozenset({"market"})

    def __init__(self) -> None:
        self.told: list[tuple[str, bool] | str] = []

    def submit(self, approved: Approved) -> None:
        self.told.append((approved.intent.client_order_id, approved.is_exit))

    def cancel(self, client_order_id: str) -> None:
        self.told.append(client_order_id)


def test_a_venue_gets_open_orders_and_cancels_again_after_a_restart() -> None:
    ledger = MemoryLedger()
    manager = a_manager(ledger)
    manager.decide(Request([an_intent(1), an_intent(2)]))
    manager.decide(Request([an_intent(3, side="sell")], [a_fill(10.0, of=1)]))
    manager.decide(Request([CancelIntent(an_id(2), "s", "X", 9)]))
    venue = Wire()

    restore_manager(OrderManager(SESSION, RiskGate(RiskLimits()), ledger, venue), ledger)

    assert venue.told == [(an_id(2), False), (an_id(3), True), an_id(2)]


def test_an_event_without_its_decision_is_reported() -> None:
    ledger = MemoryLedger()
    a_manager(ledger).decide(Request([an_intent()]))
    ledger.verdicts.clear()

    with pytest.raises(LedgerError, match="order event 1 of X on day-s-X-1, whose decision is missing"):
        restore_manager(a_manager(ledger), ledger)
