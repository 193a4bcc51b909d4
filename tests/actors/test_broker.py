"""The broker actor restores its state from the ledger. Its calls take and return bytes."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from actors.broker import Broker
from actors.calls.order_encoding import decode_events, encode
from desk.config import Plan
from desk.ledger import SqlLedger
from desk.model.orders import Intent, OrderEvent, Request, client_order_id
from desk.process.clock import SystemClock
from desk.wiring import markets, plan_session

PLAN = Plan.model_validate({"session": {"name": "plain"}, "feed": {"synthetic": {"symbols": 2, "minutes": 1}}})
SESSION = plan_session.derive_session(PLAN, markets.market_source(PLAN), SystemClock())


class Inbox:
    """A producer that takes events."""

    def __init__(self) -> None:
        self.events: list[OrderEvent] = []

    def deliver(self, events: bytes) -> None:
        self.events += decode_events(events)


@pytest.fixture
def begin(tmp_path: Path) -> Iterator[Callable[[Inbox], Broker]]:
    """Starts brokers on one ledger, each of which finds it as the one before left it."""
    ledgers: list[SqlLedger] = []

    def begin_(inbox: Inbox) -> Broker:
        ledgers.append(SqlLedger(f"sqlite:///{tmp_path}/ledger.db", SESSION.id))
        return Broker(PLAN, SESSION, ledgers[-1], inbox)

    yield begin_
    for ledger in ledgers:
        ledger.close()


def a_request(number: int, symbol: str = "X") -> bytes:
    key = client_order_id(SESSION.id, "s", symbol, number)
    return encode(Request([Intent(key, "s", symbol, number, "buy", 1.0, number, 0, False, 10.0)]))


def brief(events: list[OrderEvent]) -> list[tuple[str, int]]:
    return [(event.symbol, event.number) for event in events]


def test_a_successor_that_is_asked_again_delivers_the_same_events(begin: Callable[[Inbox], Broker]) -> None:
    first, second = Inbox(), Inbox()
    begin(first).submit(a_request(1))

    successor = begin(second)
    successor.submit(a_request(1))
    successor.submit(a_request(2))

    assert second.events[:1] == first.events
    assert brief(second.events) == [("X", 1), ("X", 2)]


def test_a_repeated_close_gives_the_same_events(begin: Callable[[Inbox], Broker]) -> None:
    broker = begin(Inbox())
    broker.submit(a_request(1))
    closing = broker.close(99)

    assert begin(Inbox()).close(100) == closing
    assert [event.status for event in decode_events(closing)] == ["expired"]


def test_events_above_given_numbers_are_requested_as_bytes(begin: Callable[[Inbox], Broker]) -> None:
    broker = begin(Inbox())
    for request in (a_request(1), a_request(2), a_request(1, "Y")):
        broker.submit(request)

    assert brief(decode_events(broker.events_after(encode({"X": 1})))) == [("X", 2), ("Y", 1)]
