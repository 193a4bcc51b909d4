from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from memory_ledger import MemoryLedger
from order_makers import SESSION, a_fill, a_quote, a_report, a_trade, an_id, an_intent

from desk.bars.reference_price import Pricing
from desk.consumer.matching import Matcher, MatchingRules
from desk.model.errors import LedgerError
from desk.model.orders import TERMINAL, CancelIntent, Intent, OrderEvent, OrderKind, Report, Request
from desk.model.units import SECOND_NS
from desk.orders import OrderManager, OrderSummary
from desk.strategy import Position
from desk.trading.order_life import FILLS
from desk.trading.risk_gate import Approved, RiskGate
from desk.trading.risk_limits import RiskLimits
from desk.venues.simulated import SimulatedVenue


class MarketOnlyVenue:
    """A venue behind a wire: it remembers what it was told, and when it was told."""

    simulated = False
    kinds: frozenset[OrderKind] = frozenset({"market"})

    def __init__(self, ledger: MemoryLedger) -> None:
        self._ledger = ledger
        self.told: list[tuple[str, int]] = []

    def submit(self, approved: Approved) -> None:
        self.told.append((approved.intent.client_order_id, self._ledger.commits))

    def cancel(self, client_order_id: str) -> None:
        self.told.append((f"cancel {client_order_id}", self._ledger.commits))


def a_manager(**limits: Any) -> tuple[OrderManager, MemoryLedger]:
    ledger = MemoryLedger()
    return OrderManager(SESSION, RiskGate(RiskLimits(**limits)), ledger, SimulatedVenue()), ledger


def a_cancel(number: int = 1, at_ns: int = 9) -> CancelIntent:
    return CancelIntent(an_id(number), "s", "X", at_ns)


def brief(events: list[OrderEvent]) -> list[tuple[Any, ...]]:
    return [(event.number, event.status, event.filled) for event in events]


def test_an_intent_is_accepted_recorded_and_given_for_the_shard_to_match() -> None:
    manager, ledger = a_manager()

    events = manager.decide(Request([an_intent(kind="limit", limit_price=99.0, tif="gtc")]))

    assert brief(events) == [(1, "accepted", 0.0)]
    assert events[0].simulated
    assert (events[0].kind, events[0].limit_price, events[0].tif) == ("limit", 99.0, "gtc")
    assert [decision.outcome for decision in ledger.decisions()] == ["accepted"]
    assert list(ledger.events.values()) == events


def test_a_refused_intent_is_recorded_and_its_shard_learns_why() -> None:
    manager, ledger = a_manager()

    events = manager.decide(Request([an_intent(quantity=120.0)]))

    assert [(event.status, event.reason) for event in events] == [
        ("refused", "max_order_notional: 12000.00 > 10000.00")
    ]
    assert ledger.decisions()[0].outcome == "refused: max_order_notional: 12000.00 > 10000.00"


def test_fills_move_position_profit_and_the_running_total() -> None:
    manager, _ = a_manager()
    manager.decide(Request([an_intent()]))

    events = manager.decide(Request(reports=[a_fill(4.0, 1, fee=0.5), a_fill(6.0, 2, 105.0)], prices={"X": 110.0}))

    assert brief(events) == [(2, "partially_filled", 4.0), (3, "filled", 10.0)]
    assert (events[1].fill_quantity, events[1].fill_price) == (6.0, 105.0)
    assert manager.positions() == {("s", "X"): Position(10.0, 103.0, fees=0.5)}
    assert manager.summary() == OrderSummary(submitted=1, filled=1, unrealized=70.0, fees=0.5, gross=1100.0, net=1100.0)


def test_a_fill_does_not_tell_what_the_symbol_is_worth() -> None:
    manager, _ = a_manager()
    manager.decide(Request([an_intent(reference_price=100.0)]))

    manager.decide(Request(reports=[a_fill(10.0, price=60.0)]))

    assert manager.summary().unrealized == 400.0


def test_an_orders_hours_go_with_all_its_events() -> None:
    manager, ledger = a_manager()

    manager.decide(Request([an_intent(kind="limit", limit_price=99.0, extended_hours=True)]))
    manager.decide(Request([a_cancel()]))

    assert [event.extended_hours for event in ledger.events.values()] == [True, True]
    assert ledger.decisions()[0].intent.extended_hours


def test_all_of_a_request_is_one_commit() -> None:
    manager, ledger = a_manager()
    manager.decide(Request([an_intent(1)]))

    manager.decide(Request([an_intent(2), an_intent(3), a_cancel()], [a_fill(4.0)]))

    assert ledger.commits == 2


def test_nothing_new_is_no_commit() -> None:
    manager, ledger = a_manager()
    manager.decide(Request(prices={"X": 5.0}))

    assert manager.decide(Request(prices={"X": 5.0})) == []
    assert ledger.commits == 1


def test_the_order_of_decisions_does_not_depend_on_the_order_of_arrival() -> None:
    intents: list[Intent | CancelIntent] = [
        an_intent(1, strategy=strategy, symbol=symbol, decision_ns=at)
        for at in (2, 1)
        for strategy in ("b", "a")
        for symbol in ("Z", "Y")
    ]
    (one, ledger), (other, _) = a_manager(max_gross_notional=3_500.0), a_manager(max_gross_notional=3_500.0)

    events = one.decide(Request(intents))

    assert events == other.decide(Request(intents[::-1]))
    assert [(event.ts_ns, event.strategy, event.symbol) for event in list(ledger.events.values())[:4]] == [
        (1, "a", "Y"),
        (1, "a", "Z"),
        (1, "b", "Y"),
        (1, "b", "Z"),
    ]


def test_reports_come_before_cancels_and_cancels_before_intents() -> None:
    manager, _ = a_manager()
    manager.decide(Request([an_intent(1)]))

    events = manager.decide(Request([an_intent(2), a_cancel(1)], [a_fill(4.0)]))

    assert [event.status for event in events] == ["partially_filled", "pending_cancel", "accepted"]


def test_an_order_can_be_taken_back_in_the_request_that_asks_for_it() -> None:
    manager, _ = a_manager()
    request = Request([a_cancel(1), an_intent(1)])

    events = manager.decide(request)

    assert brief(events) == [(1, "accepted", 0.0), (2, "pending_cancel", 0.0)]
    assert manager.decide(request) == events


def test_the_same_question_has_the_same_answer_and_is_written_once() -> None:
    manager, ledger = a_manager()
    requests = [
        Request([an_intent(1), an_intent(2, quantity=1000.0)]),
        Request([a_cancel()], [a_fill(4.0)]),
        Request(reports=[a_report("canceled", 2)]),
    ]
    first = [manager.decide(request) for request in requests]
    written, summary = dict(ledger.events), manager.summary()

    again = [manager.decide(request) for request in requests]

    assert again == first
    assert ledger.events == written
    assert ledger.commits == len(requests)
    assert manager.summary() == summary


def test_an_older_age_of_the_data_is_no_other_decision() -> None:
    manager, _ = a_manager()
    manager.decide(Request([an_intent()]))

    manager.decide(Request([an_intent(data_age_ns=5, degraded=True)]))

    assert manager.problems == []


@pytest.mark.parametrize("changed", [{"side": "sell"}, {"extended_hours": True}], ids=str)
def test_another_decision_under_a_used_id_is_divergence_and_stops_the_pair(changed: dict[str, Any]) -> None:
    manager, ledger = a_manager()
    first = manager.decide(Request([an_intent()]))

    events = manager.decide(Request([an_intent(**changed), an_intent(2)]))

    assert events[0] == first[0]
    assert [(event.status, event.reason) for event in events[1:]] == [
        ("refused", "divergence: the strategy is stopped for this symbol")
    ]
    assert manager.problems == [f"divergence: {an_id()} was decided before, and differently"]
    assert manager.diverged == {("s", "X")}
    assert ledger.verdicts[an_id()].intent.side == "buy"


def test_an_id_of_another_session_is_refused() -> None:
    ledger = MemoryLedger()
    manager = OrderManager("tomorrow", RiskGate(RiskLimits()), ledger, SimulatedVenue())

    events = manager.decide(Request([an_intent()]))

    assert events[0].reason == "client_order_id: expected tomorrow-s-X-1"


@pytest.mark.parametrize(
    ("request_", "problem"),
    [
        (Request(reports=[a_fill(1.0, of=7)]), "report 1 on day-s-X-7 (X): no such order"),
        (Request(reports=[a_fill(1.0, symbol="Y")]), "report 1 on day-s-X-1 (Y): no such order"),
        (Request(reports=[a_fill(11.0)]), "report 1 on day-s-X-1: 1 shares too many"),
        (Request(reports=[a_report("refused")]), "report 1: day-s-X-1: no step from accepted to refused"),
        (Request([a_cancel(7)]), "cancel of day-s-X-7 by s on X: no such order"),
    ],
)
def test_what_should_not_happen_is_a_named_problem(request_: Request, problem: str) -> None:
    manager, _ = a_manager()
    manager.decide(Request([an_intent()]))

    manager.decide(request_)

    assert manager.problems == [problem]


def test_a_fill_that_raced_the_cancel_is_not_lost() -> None:
    manager, _ = a_manager()
    manager.decide(Request([an_intent()]))
    manager.decide(Request([a_cancel()], [a_report("canceled", 2)]))

    events = manager.decide(Request(reports=[a_fill(4.0, 1)]))

    assert [(event.status, event.fill_quantity) for event in events] == [("canceled", 4.0)]
    assert manager.positions()["s", "X"].quantity == 4.0


def test_a_cancel_of_what_is_done_does_nothing() -> None:
    manager, _ = a_manager()
    manager.decide(Request([an_intent()]))
    manager.decide(Request(reports=[a_fill(10.0)]))

    assert manager.decide(Request([a_cancel()])) == []
    assert manager.problems == []


def test_a_cancel_of_what_the_venue_is_taking_back_already_does_nothing() -> None:
    manager, _ = a_manager()
    manager.decide(Request([an_intent()]))
    manager.decide(Request(reports=[a_report("pending_cancel")]))

    assert manager.decide(Request([a_cancel()])) == []
    assert manager.problems == []


def test_the_close_of_the_session_ends_every_order_and_refuses_what_comes_later() -> None:
    manager, ledger = a_manager()
    manager.decide(Request([an_intent(1), an_intent(2, tif="gtc"), an_intent(3)]))
    manager.decide(Request(reports=[a_fill(10.0, of=1)]))

    closing = manager.close(99)
    later = manager.decide(Request([an_intent(4)], [a_fill(1.0, of=2), a_report("expired", of=3)]))

    assert [(event.client_order_id, event.status) for event in closing] == [
        (an_id(2), "canceled"),
        (an_id(3), "expired"),
    ]
    assert [(event.status, event.fill_quantity, event.reason) for event in later] == [
        ("canceled", 1.0, ""),
        ("refused", 0.0, "session closed"),
    ]
    assert manager.close(100) == closing
    assert len(ledger.events) == 8
    assert (manager.summary().filled, manager.summary().canceled) == (1, 2)


def test_a_failing_ledger_is_fatal_and_nothing_leaves_the_desk() -> None:
    ledger = MemoryLedger()
    venue = MarketOnlyVenue(ledger)
    manager = OrderManager(SESSION, RiskGate(RiskLimits()), ledger, venue)
    ledger.broken = True

    with pytest.raises(LedgerError, match="disk is full"):
        manager.decide(Request([an_intent()]))

    ledger.broken = False
    with pytest.raises(LedgerError, match="disk is full"):
        manager.decide(Request())
    with pytest.raises(LedgerError, match="disk is full"):
        manager.events_after({})
    assert venue.told == []


def test_a_venue_gets_orders_after_the_commit_and_only_what_it_can_do() -> None:
    ledger = MemoryLedger()
    venue = MarketOnlyVenue(ledger)
    manager = OrderManager(SESSION, RiskGate(RiskLimits()), ledger, venue)

    events = manager.decide(Request([an_intent(1), an_intent(2, kind="stop", stop_price=9.0)]))
    manager.decide(Request([a_cancel()]))

    assert venue.told == [(an_id(1), 1), (f"cancel {an_id(1)}", 2)]
    assert not events[0].simulated
    assert events[1].reason == "stop orders are not taken by this venue"


def test_a_restored_shard_is_given_its_events_again() -> None:
    manager, _ = a_manager()
    events = manager.decide(Request([an_intent(1), an_intent(2), an_intent(1, symbol="W")]))

    assert [(event.symbol, event.number) for event in manager.events_after({"X": 1})] == [("W", 1), ("X", 2)]
    assert manager.events_after({"X": 2, "W": 1}) == []
    assert sorted(manager.events_after({}), key=str) == sorted(events, key=str)


ticks = st.one_of(
    st.tuples(st.just("quote"), st.integers(98, 101), st.sampled_from([5.0, 20.0])),
    st.tuples(st.just("trade"), st.integers(98, 101), st.sampled_from([5.0, 20.0])),
)
wishes = st.tuples(
    st.just("intent"),
    st.sampled_from(["s", "t"]),
    st.sampled_from(["buy", "sell"]),
    st.sampled_from(["market", "limit", "stop"]),
    st.sampled_from([3.0, 10.0, 25.0]),
    st.integers(98, 101),
    st.booleans(),
)
cancels = st.tuples(st.just("cancel"), st.integers(0, 5))
LIMITS: dict[str, Any] = {
    "max_order_notional": 2_000.0,
    "max_position_notional": 4_000.0,
    "max_gross_notional": 5_000.0,
    "max_orders_per_minute": 6,
    "max_daily_loss": 30.0,
}


class Session:
    """One symbol's shard and the manager, joined as the lanes join them."""

    def __init__(self) -> None:
        self.manager, self.ledger = a_manager(**LIMITS)
        self.matcher = Matcher(MatchingRules(slippage_bps=1.0, fee_per_share=0.01))
        self.pricing = Pricing()
        self.intents: list[Intent] = []
        self.bought: dict[str, float] = {"s": 0.0, "t": 0.0}
        self.events: list[OrderEvent] = []
        self.ordinal = 0

    def play(self, step: tuple[Any, ...]) -> None:
        self.ordinal += 1
        if step[0] == "quote":
            quote = a_quote(self.ordinal, step[1] - 0.5, step[1] + 0.5, step[2], step[2])
            self.pricing.on_quote(quote)
            self.give(self.matcher.on_quote(quote, self.pricing))
        elif step[0] == "trade":
            trade = a_trade(self.ordinal, float(step[1]), step[2])
            self.pricing.on_trade(trade)
            self.give(self.matcher.on_trade(trade, self.pricing))
        elif step[0] == "intent":
            self.wish(*step[1:])
        elif step[1] < len(self.intents):
            intent = self.intents[step[1]]
            self.ask(Request([CancelIntent(intent.client_order_id, intent.strategy, "X", self.ordinal * SECOND_NS)]))

    def wish(self, strategy: str, side: str, kind: str, quantity: float, price: float, degraded: bool) -> None:
        prices = {"limit": {"limit_price": float(price)}, "stop": {"stop_price": float(price)}}.get(kind, {})
        intent = an_intent(
            len(self.intents) + 1,
            strategy=strategy,
            side=side,
            kind=kind,
            quantity=quantity,
            degraded=degraded,
            decision_ns=self.ordinal * SECOND_NS,
            **prices,
        )
        self.intents.append(intent)
        self.ask(Request([intent]))

    def give(self, reports: list[Report]) -> None:
        for report in reports:
            intent = next(intent for intent in self.intents if intent.client_order_id == report.client_order_id)
            self.bought[intent.strategy] += report.quantity if intent.side == "buy" else -report.quantity
        if reports:
            self.ask(Request(reports=reports))

    def room_to_exit(self, strategy: str, side: str) -> float:
        """Shares that the strategy may still ask to trade on this side without turning its position."""
        last = {event.client_order_id: event for event in self.events if event.strategy == strategy}
        asked = sum(e.quantity - e.filled for e in last.values() if e.side == side and e.status not in TERMINAL)
        held = self.manager.positions().get((strategy, "X"), Position()).quantity
        return (held if side == "sell" else -held) - asked

    def ask(self, request: Request) -> None:
        for event in self.manager.decide(request):
            if event.number <= len(self.events):
                continue
            self.events.append(event)
            if event.status == "accepted":
                self.give(self.matcher.open(event, self.ordinal, self.pricing))
            elif event.status == "pending_cancel" and not event.fill_quantity:
                self.give(self.matcher.cancel(event.client_order_id, event.ts_ns))


@given(st.lists(st.one_of(ticks, wishes, cancels), max_size=40))
def test_what_the_matcher_fills_is_what_the_book_holds_and_every_order_ends_once(steps: list[tuple[Any, ...]]) -> None:
    session = Session()

    for step in steps:
        session.play(step)
    session.give(session.matcher.expire(10**12))
    closing = session.manager.close(10**12)

    positions = session.manager.positions()
    for strategy, quantity in session.bought.items():
        assert positions.get((strategy, "X"), Position()).quantity == pytest.approx(quantity)
    assert [event.number for event in session.events] == list(range(1, len(session.events) + 1))
    assert list(session.ledger.events.values()) == session.events
    last = {event.client_order_id: event for event in session.events}
    assert all(event.status in TERMINAL and event.filled <= event.quantity for event in last.values())
    assert session.matcher.empty
    assert closing == []
    assert session.manager.problems == []
    assert session.manager.summary().fees == pytest.approx(sum(event.fee for event in session.events))


@given(st.lists(st.one_of(ticks, wishes), max_size=40))
def test_no_sequence_of_orders_and_fills_leads_beyond_a_limit(steps: list[tuple[Any, ...]]) -> None:
    session = Session()

    for step in steps:
        room = session.room_to_exit(step[1], step[2]) if step[0] == "intent" else 0.0
        session.play(step)

        if step[0] == "intent" and step[4] > room and session.events[-1].status == "accepted":
            assert step[4] * 100.0 <= LIMITS["max_order_notional"]
        shares = sum(abs(position.quantity) for position in session.manager.positions().values())
        assert shares * 100.0 <= LIMITS["max_position_notional"]

    accepted = [event for event in session.events if event.status == "accepted"]
    for event in accepted:
        recent = [other for other in accepted if event.ts_ns - 60 * SECOND_NS < other.ts_ns <= event.ts_ns]
        assert len(recent) <= LIMITS["max_orders_per_minute"]


@given(st.lists(st.one_of(ticks, wishes), max_size=40))
def test_stale_data_refuses_every_entry_and_no_exit(steps: list[tuple[Any, ...]]) -> None:
    session = Session()

    for step in steps:
        room = session.room_to_exit(step[1], step[2]) if step[0] == "intent" else 0.0
        session.play(step)

        if step[0] == "intent" and step[6]:
            verdict = session.events[-1]
            allowed = {"stale data"} if step[4] > room else {""}
            assert verdict.reason in allowed or verdict.reason.startswith("max_orders_per_minute")


def test_every_step_with_shares_is_a_fill_whatever_its_status() -> None:
    manager, _ = a_manager()
    manager.decide(Request([an_intent()]))
    manager.decide(Request([a_cancel()]))

    events = manager.decide(Request(reports=[a_fill(4.0)]))

    assert [(event.status in FILLS, event.fill_quantity) for event in events] == [(False, 4.0)]


def test_what_earlier_sessions_of_the_day_lost_counts_towards_the_daily_loss() -> None:
    manager = OrderManager("day", RiskGate(RiskLimits(max_daily_loss=100.0)), MemoryLedger(), SimulatedVenue())
    manager.carry(100.0)

    (refused,) = manager.decide(Request([an_intent()]))

    assert refused.status == "refused"
    assert refused.reason == "max_daily_loss: 100.00 >= 100.00"
