"""A session gets its name once, and a start after a crash finds it."""

from collections.abc import Callable

import msgspec
import pytest

from desk.ledger import SqlLedger
from desk.model.orders import Intent, OrderEvent, Request, client_order_id
from desk.model.records import Decision
from desk.orders import OrderManager, restore_manager
from desk.orders.broker_notes import CLOSED, NoteChanges
from desk.trading.risk_gate import RiskGate
from desk.trading.risk_limits import RiskLimits
from desk.venues.simulated import SimulatedVenue

Opened = Callable[..., SqlLedger]


def test_a_start_after_a_crash_continues_with_the_unclosed_session(opened: Opened, url: str) -> None:
    opened(url).open_session("first", plan="orb", mode="paper", day="2025-05-02", now_ns=1)

    resumed = opened(url).open_session("second", plan="orb", mode="paper", day="2025-05-02", now_ns=2)

    assert resumed == "first"


def test_a_start_after_an_orderly_end_begins_a_session(opened: Opened, url: str) -> None:
    ledger = opened(url)
    ledger.open_session("first", plan="orb", mode="paper", day="2025-05-02", now_ns=1)
    ledger.close_session(5)

    begun = ledger.open_session("second", plan="orb", mode="paper", day="2025-05-02", now_ns=6)

    assert begun == ledger.session == "second"


def test_sessions_of_other_days_modes_and_plans_are_not_resumed(opened: Opened, url: str) -> None:
    ledger = opened(url)
    ledger.open_session("first", plan="orb", mode="paper", day="2025-05-02", now_ns=1)

    assert ledger.open_session("a", plan="orb", mode="paper", day="2025-05-05", now_ns=2) == "a"
    assert ledger.open_session("b", plan="orb", mode="live", day="2025-05-02", now_ns=2) == "b"
    assert ledger.open_session("c", plan="other", mode="paper", day="2025-05-02", now_ns=2) == "c"


def test_a_closed_session_of_the_same_name_is_opened_again(opened: Opened, url: str) -> None:
    ledger = opened(url)
    ledger.open_session("orb-2013-10-07", plan="orb", mode="replay", day="2013-10-07", now_ns=1)
    ledger.close_session(5)

    again = ledger.open_session("orb-2013-10-07", plan="orb", mode="replay", day="2013-10-07", now_ns=9)

    assert again == "orb-2013-10-07"
    assert opened(url).open_session("x", plan="orb", mode="replay", day="2013-10-07", now_ns=10) == again


def test_a_session_that_is_still_open_is_opened_again_under_its_name(opened: Opened, url: str) -> None:
    opened(url).open_session("first", plan="orb", mode="paper", day="2025-05-02", now_ns=1)

    assert opened(url).open_session("first", plan="orb", mode="paper", day="2025-05-02", now_ns=2) == "first"


def test_a_named_session_is_resumed_whatever_else_was_left_open(opened: Opened, url: str) -> None:
    ledger = opened(url)
    ledger.open_session("first", plan="orb", mode="paper", day="2025-05-02", now_ns=1)
    ledger.close_session(2)
    ledger.open_session("second", plan="orb", mode="paper", day="2025-05-02", now_ns=3)

    assert ledger.open_session("first", plan="orb", mode="paper", day="2025-05-02", now_ns=4) == "first"


def cut_close(ledger: SqlLedger) -> None:
    """Let a session have an open order, and die after its close but before its end."""
    ledger.open_session("first", plan="orb", mode="paper", day="2025-05-02", now_ns=1)
    manager = OrderManager("first", RiskGate(RiskLimits()), ledger, SimulatedVenue())
    manager.decide(Request([an_intent("first", 1)]))
    manager.begin_close(6)
    manager.close(6)


def an_intent(session: str, number: int) -> Intent:
    return Intent(client_order_id(session, "s", "X", number), "s", "X", number, "buy", 10.0, 5, 0, False, 100.0)


def test_a_new_run_takes_back_the_close_of_a_session_that_did_not_end(opened: Opened, url: str) -> None:
    cut_close(opened(url))

    ledger = opened(url)
    name = ledger.open_session(
        "second", plan="orb", mode="paper", day="2025-05-02", now_ns=9, undo_interrupted_close=True
    )
    again = restore_manager(OrderManager(name, RiskGate(RiskLimits()), ledger, SimulatedVenue()), ledger)

    assert (name, ledger.close_undone) == ("first", True)
    (event,) = again.decide(Request([an_intent("first", 2)]))
    assert (event.number, event.status) == (2, "accepted")
    assert [decision.outcome for decision in ledger.decisions()] == ["accepted", "accepted"]


@pytest.mark.parametrize("take_back", [True, False])
def test_a_close_stands_for_a_successor_in_the_same_run_and_after_an_orderly_end(
    opened: Opened, url: str, take_back: bool
) -> None:
    cut_close(opened(url))
    ledger = opened(url)
    if take_back:
        ledger.open_session("first", plan="orb", mode="paper", day="2025-05-02", now_ns=9)
        ledger.close_session(10)

    ledger.open_session(
        "first", plan="orb", mode="paper", day="2025-05-02", now_ns=11, undo_interrupted_close=take_back
    )

    assert not ledger.close_undone
    assert CLOSED in ledger.notes()
    assert [decision.outcome for decision in ledger.decisions()] == ["expired"]


def lost(ledger: SqlLedger, session: str, day: str, price: float, mode: str = "paper") -> None:
    """Let a session buy 10 at 100 for a fee of 1, note this price, and end."""
    ledger.open_session(session, plan="orb", mode=mode, day=day, now_ns=1)
    key = client_order_id(session, "s", "X", 1)
    intent = Intent(key, "s", "X", 1, "buy", 10.0, 5, 0, False, 100.0)
    filled = OrderEvent(2, "X", "s", key, "filled", "buy", "market", "day", 10.0, 5)
    events = [
        msgspec.structs.replace(filled, number=1, status="accepted"),
        msgspec.structs.replace(filled, filled=10.0, fill_quantity=10.0, fill_price=100.0, fee=1.0),
    ]
    notes = NoteChanges()
    notes.price("X", price)
    ledger.record([Decision(intent, "accepted")], events, notes.texts)
    ledger.close_session(9)


def test_what_other_sessions_of_the_day_lost_is_known_and_what_those_of_other_days_lost_is_not(
    opened: Opened, url: str
) -> None:
    ledger = opened(url)
    lost(ledger, "morning", "2025-05-02", price=70.0)
    lost(ledger, "noon", "2025-05-02", price=110.0)
    lost(ledger, "yesterday", "2025-05-01", price=10.0)
    lost(ledger, "for-real", "2025-05-02", price=10.0, mode="live")

    ledger.open_session("afternoon", plan="orb", mode="paper", day="2025-05-02", now_ns=20)
    of_the_day = ledger.earlier_loss()
    ledger.open_session("tomorrow", plan="orb", mode="paper", day="2025-05-03", now_ns=30)

    assert of_the_day == pytest.approx(301 - 99)
    assert ledger.earlier_loss() == 0
