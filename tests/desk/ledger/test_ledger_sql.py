"""Rows written once are read back unchanged, after any number and any division of writes."""

import math
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from desk.ledger import SqlLedger
from desk.ledger.ledger_tables import orders
from desk.model.errors import LedgerError
from desk.model.orders import Intent, OrderEvent, OrderStatus, client_order_id
from desk.model.records import Decision

Opened = Callable[..., SqlLedger]


def intent(number: int = 1, symbol: str = "SPY", decision_ns: int = 1_000, **changes: object) -> Intent:
    key = client_order_id("s", "breakout", symbol, number)
    plain = Intent(key, "breakout", symbol, number, "buy", 100.0, decision_ns, 7, False, 10.5)
    return msgspec.structs.replace(plain, **changes)


def event(number: int, status: OrderStatus, of: Intent, **changes: object) -> OrderEvent:
    plain = OrderEvent(
        number, of.symbol, of.strategy, of.client_order_id, status, of.side, of.kind, of.tif, of.quantity, 1_000
    )
    return msgspec.structs.replace(plain, **changes)


def filled_in_two(of: Intent, first: int = 1) -> list[OrderEvent]:
    return [
        event(first, "accepted", of),
        event(first + 1, "partially_filled", of, filled=40.0, fill_quantity=40.0, fill_price=10.0, fee=0.1),
        event(first + 2, "filled", of, filled=100.0, fill_quantity=60.0, fill_price=11.0, fee=0.2),
    ]


def content(ledger: SqlLedger) -> tuple[object, ...]:
    with ledger._engine.connect() as connection:
        rows = connection.execute(orders.select().order_by(orders.c.client_order_id)).all()
    return ledger.decisions(), ledger.fills(), ledger.counts(), [tuple(row) for row in rows]


def test_the_outcome_of_a_decision_is_the_final_status_of_its_order(opened: Opened, url: str) -> None:
    ledger = opened(url)

    ledger.record([Decision(intent(), "accepted")], filled_in_two(intent()))

    assert ledger.decisions() == [Decision(intent(), "filled")]


def test_the_outcome_of_a_refused_decision_is_its_verdict(opened: Opened, url: str) -> None:
    ledger = opened(url)

    ledger.record([Decision(intent(), "refused: max_order_notional")], [event(1, "refused", intent())])

    assert ledger.decisions() == [Decision(intent(), "refused: max_order_notional")]
    assert ledger.counts()["refused_by_risk"] == 1


def test_a_decision_without_events_stands_as_accepted(opened: Opened, url: str) -> None:
    ledger = opened(url)

    ledger.record([Decision(intent(), "accepted")], [])

    assert ledger.decisions() == [Decision(intent(), "accepted")]


def test_everything_is_there_after_the_ledger_was_opened_again(opened: Opened, url: str) -> None:
    every_field = intent(
        kind="stop_limit", limit_price=10.1, stop_price=0.1 + 0.2, tif="gtc", degraded=True, decision_ns=2**62
    )
    events = filled_in_two(every_field)
    ledger = opened(url)
    ledger.record([Decision(every_field, "accepted")], events)
    ledger.close()

    again = opened(url)

    assert again.decisions() == [Decision(every_field, "filled")]
    assert again.fills() == events[1:]


def test_an_unknown_reference_price_is_read_back_as_nan(opened: Opened, url: str) -> None:
    ledger = opened(url)
    unknown = Decision(intent(reference_price=math.nan), "accepted")

    ledger.record([unknown], [])
    ledger.record([unknown], [])

    assert math.isnan(ledger.decisions()[0].intent.reference_price)


def test_decisions_come_in_canonical_order(opened: Opened, url: str) -> None:
    ledger = opened(url)
    given_order = [intent(2, "b", 5), intent(1, "b", 5), intent(3, "a", 9), intent(1, "B", 5), intent(1, "a", 5)]

    ledger.record([Decision(one, "accepted") for one in given_order], [])

    keys = [(d.intent.decision_ns, d.intent.symbol, d.intent.number) for d in ledger.decisions()]
    assert keys == [(5, "B", 1), (5, "a", 1), (5, "b", 1), (5, "b", 2), (9, "a", 3)]


def test_the_average_price_is_weighted_by_quantity(opened: Opened, url: str) -> None:
    ledger = opened(url)

    for one in filled_in_two(intent()):
        ledger.record([], [one])

    with ledger._engine.connect() as connection:
        row = connection.execute(orders.select()).one()
    assert (row.status, row.filled, row.average_price, row.last_number) == ("filled", 100.0, pytest.approx(10.6), 3)


def test_counts_say_how_orders_stand(opened: Opened, url: str) -> None:
    ledger = opened(url)
    statuses: list[OrderStatus] = ["filled", "filled", "canceled", "expired", "rejected", "accepted"]
    intents = [intent(number) for number in range(1, len(statuses) + 2)]
    verdicts = ["accepted"] * len(statuses) + ["refused: why"]

    ledger.record(
        [Decision(one, verdict) for one, verdict in zip(intents, verdicts, strict=True)],
        [event(one.number, status, one) for one, status in zip(intents, statuses, strict=False)],
    )

    assert ledger.counts() == {
        "submitted": 6,
        "filled": 2,
        "canceled": 1,
        "expired": 1,
        "rejected": 1,
        "refused_by_risk": 1,
    }


def test_a_contradicting_decision_is_named_and_nothing_of_the_call_is_written(opened: Opened, url: str) -> None:
    ledger = opened(url)
    ledger.record([Decision(intent(1), "accepted")], [])

    with pytest.raises(LedgerError, match=r"s-breakout-SPY-1 .*quantity 100.0, now 200.0"):
        ledger.record([Decision(intent(2), "accepted"), Decision(intent(1, quantity=200.0), "accepted")], [])

    assert ledger.decisions() == [Decision(intent(1), "accepted")]


def test_another_verdict_for_the_same_intent_is_a_contradiction(opened: Opened, url: str) -> None:
    ledger = opened(url)
    ledger.record([Decision(intent(), "accepted")], [])

    with pytest.raises(LedgerError, match="verdict 'accepted', now 'refused: why'"):
        ledger.record([Decision(intent(), "refused: why")], [])


def test_a_contradicting_event_is_named(opened: Opened, url: str) -> None:
    ledger = opened(url)
    ledger.record([], filled_in_two(intent()))

    with pytest.raises(LedgerError, match=r"order_events SPY/2 .*fill_price 10.0, now 10.25"):
        ledger.record([], [msgspec.structs.replace(filled_in_two(intent())[1], fill_price=10.25)])

    assert ledger.fills() == filled_in_two(intent())[1:]


def test_two_contents_under_one_key_in_one_call_are_a_contradiction(opened: Opened, url: str) -> None:
    ledger = opened(url)

    with pytest.raises(LedgerError, match="degraded False, now True"):
        ledger.record([Decision(intent(), "accepted"), Decision(intent(degraded=True), "accepted")], [])

    assert ledger.decisions() == []


def test_more_rows_than_one_statement_takes_are_written_in_one_call(opened: Opened, url: str) -> None:
    ledger = opened(url)
    intents = [intent(number) for number in range(1, 2_501)]
    call = (
        [Decision(one, "accepted") for one in intents],
        [event(one.number, "filled", one, filled=1.0, fill_quantity=1.0, fill_price=2.0) for one in intents],
    )

    ledger.record(*call)
    ledger.record(*call)

    assert ledger.counts()["filled"] == len(ledger.fills()) == len(intents)


def test_a_session_sees_its_own_orders_only(opened: Opened, url: str) -> None:
    monday, tuesday = opened(url, session="mon"), opened(url, session="tue")
    monday.record([Decision(intent(1), "accepted")], [event(1, "accepted", intent(1))])
    other = intent(1, client_order_id="tue-1")

    tuesday.record([Decision(other, "accepted")], [event(1, "canceled", other)])

    assert monday.decisions() == [Decision(intent(1), "accepted")]
    assert tuesday.decisions() == [Decision(other, "canceled")]
    assert monday.counts()["canceled"] == 0


def orders_of(statuses: list[tuple[OrderStatus, float]]) -> tuple[list[Decision], list[OrderEvent]]:
    """One order per entry, accepted and then brought to its status with an execution of that price."""
    decisions, events = [], []
    for number, (status, price) in enumerate(statuses, 1):
        one = intent(number, decision_ns=number // 3)
        refused = status == "refused"
        decisions.append(Decision(one, "refused: why" if refused else "accepted"))
        if not refused:
            done = 100.0 if status == "filled" else 0.0
            events.append(event(len(events) + 1, "accepted", one))
            events.append(
                event(len(events) + 1, status, one, filled=done, fill_quantity=done, fill_price=price if done else 0.0)
            )
    return decisions, events


@settings(max_examples=15, deadline=None)
@given(
    statuses=st.lists(
        st.tuples(
            st.sampled_from(["refused", "filled", "canceled", "rejected"]),
            st.floats(0.0001, 1e6, allow_nan=False),
        ),
        min_size=1,
        max_size=6,
    ),
    data=st.data(),
)
def test_repeats_in_any_portions_leave_what_one_call_leaves(
    fresh_url: Callable[[], str], statuses: list[tuple[OrderStatus, float]], data: st.DataObject
) -> None:
    decisions, events = orders_of(statuses)
    portions = data.draw(
        st.lists(st.tuples(st.integers(0, len(decisions)), st.integers(0, len(events))), max_size=4), "portions"
    )
    with closing(SqlLedger(fresh_url())) as once, closing(SqlLedger(fresh_url())) as often:
        once.record(decisions, events)
        for upto_decision, upto_event in [*portions, (len(decisions), len(events))]:
            often.record(decisions[:upto_decision], events[:upto_event])

        assert content(once) == content(often)
        assert [decision.intent for decision in once.decisions()] == sorted(
            (decision.intent for decision in decisions), key=lambda one: (one.decision_ns, one.number)
        )


def test_the_ledger_stands_in_one_file_beside_its_log(opened: Opened, tmp_path: Path) -> None:
    ledger = opened(f"sqlite:///{tmp_path}/ledger.db")
    ledger.record([Decision(intent(), "accepted")], [])

    ledger.close()

    assert [path.name for path in tmp_path.iterdir()] == ["ledger.db"]
