"""The ledger returns the state that a restarted broker needs: verdicts, events in recorded order, notes."""

from collections.abc import Callable

import msgspec
import pytest

from desk.ledger import SqlLedger
from desk.ledger.ledger_tables import metadata
from desk.model.errors import LedgerError
from desk.model.orders import Intent, OrderEvent
from desk.model.records import Decision

Opened = Callable[..., SqlLedger]


def decision(number: int, symbol: str = "SPY", verdict: str = "accepted") -> Decision:
    return Decision(Intent(f"s-{symbol}-{number}", "a", symbol, number, "buy", 1.0, number, 0, False, 1.0), verdict)


def event(number: int, symbol: str = "SPY", **changes: object) -> OrderEvent:
    fields = {"status": "filled", "side": "buy", "kind": "market", "tif": "day", "quantity": 1.0, "ts_ns": 9} | changes
    return OrderEvent(number, symbol, "a", f"s-{symbol}-1", **fields)


def test_decisions_come_with_their_verdict_and_events_in_the_order_of_their_recording(opened: Opened, url: str) -> None:
    ledger = opened(url)
    ledger.record([decision(2, "Z")], [event(1, "Z", report=7, given_ns=2**62), event(1, "A")])
    ledger.record([decision(1, "A", "refused: why")], [event(2, "A"), event(2, "Z")])

    decisions, events = opened(url).history()

    assert decisions == [decision(1, "A", "refused: why"), decision(2, "Z")]
    assert [(one.symbol, one.number) for one in events] == [("Z", 1), ("A", 1), ("A", 2), ("Z", 2)]
    assert (events[0].report, events[0].given_ns) == (7, 2**62)


def test_a_repeat_keeps_the_order_and_a_successor_continues_behind_it(opened: Opened, url: str) -> None:
    first, later = [event(1, "Z"), event(1, "A")], [event(2, "A"), event(2, "Z")]
    ledger = opened(url)
    ledger.record([], first)
    ledger.close()

    successor = opened(url)
    successor.record([], first)
    successor.record([], later)
    successor.record([], later)

    assert successor.history() == ([], [*first, *later])


def test_a_note_takes_the_place_of_the_last_of_its_name(opened: Opened, url: str) -> None:
    ledger = opened(url)
    ledger.record([], [], {"price X": "1.5", "closed": "true"})
    ledger.record([], [], {"price X": "2.5"})
    ledger.record([], [])

    assert opened(url).notes() == {"price X": "2.5", "closed": "true"}


def test_notes_are_written_with_the_events_or_not_at_all(opened: Opened, url: str) -> None:
    ledger = opened(url)
    ledger.record([decision(1)], [event(1)], {"price X": "1.5"})

    with pytest.raises(LedgerError, match="order_events SPY/1"):
        ledger.record([], [event(1, fee=1.0)], {"price X": "2.5"})

    assert ledger.notes() == {"price X": "1.5"}


def test_a_session_sees_its_own_history_and_notes_only(opened: Opened, url: str) -> None:
    monday, tuesday = opened(url, session="mon"), opened(url, session="tue")
    monday.record([decision(1)], [event(1)], {"closed": "true"})

    assert tuesday.history() == ([], [])
    assert tuesday.notes() == {}


LATER = [(table, column) for table in metadata.sorted_tables for column in table.columns if column.server_default]


def test_a_ledger_of_an_earlier_release_gets_the_columns_that_came_later(opened: Opened, url: str) -> None:
    ledger = opened(url)
    ledger.record([decision(1)], [event(1)])
    with ledger._engine.connect() as connection, connection.begin():
        for table, column in LATER:
            connection.exec_driver_sql(f"ALTER TABLE {table.name} DROP COLUMN {column.name}")
    ledger.close()

    later = opened(url)
    later.record([decision(1)], [event(1)])
    late_order = msgspec.structs.replace(decision(2).intent, extended_hours=True)
    later.record([Decision(late_order, "accepted")], [event(2, extended_hours=True)])

    assert {column.name for _, column in LATER} == {"extended_hours", "halted"}
    assert opened(url).history() == (
        [decision(1), Decision(late_order, "accepted")],
        [event(1), event(2, extended_hours=True)],
    )


def test_a_ledger_of_another_release_is_reported_at_the_opening(opened: Opened, url: str) -> None:
    ledger = opened(url)
    with ledger._engine.connect() as connection, connection.begin():
        connection.exec_driver_sql("ALTER TABLE order_events DROP COLUMN line")
    ledger.close()

    with pytest.raises(LedgerError, match="order_events without line"):
        opened(url)
