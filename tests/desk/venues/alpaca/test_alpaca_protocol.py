"""The protocol without a socket: its messages, its reactions to answers, and texts that it never shows."""

from typing import Any

import msgspec
import pytest
from alpaca_server import quote, trade

from desk.model.block_rows import BlockFeedCounts
from desk.model.errors import CredentialsError, DeskError, RunFailed
from desk.streams.stream_protocol import HangUp
from desk.venues.alpaca.market.protocol import AlpacaProtocol
from desk.venues.alpaca.market.subscription import MAX_ATTEMPTS, MAX_SYMBOLS_PER_REQUEST

BOTH = frozenset({"trades", "quotes"})
KEY, SECRET = "the-key-itself", "the-secret-itself"


class Venue:
    """The other side, spoken by hand."""

    def __init__(self, channels: frozenset[str] = BOTH) -> None:
        self.counts = BlockFeedCounts()
        self.protocol = AlpacaProtocol(KEY, SECRET, place="venue", channels=channels, counts=self.counts)
        self.stands: dict[str, list[str]] = {"trades": [], "quotes": []}
        self.requests: list[dict[str, Any]] = []

    def say(self, *messages: dict[str, Any]) -> None:
        self.protocol.receive(msgspec.msgpack.encode(list(messages)), 1)

    def heard(self) -> list[dict[str, Any]]:
        return [msgspec.msgpack.decode(data) for data in self.protocol.data_to_send()]

    def log_in(self) -> None:
        self.protocol.connected()
        self.say({"T": "success", "msg": "connected"})
        self.heard()
        self.say({"T": "success", "msg": "authenticated"})
        self.stands = {"trades": [], "quotes": []}

    def answer_all(self, never: frozenset[str] = frozenset()) -> None:
        """Acknowledge subscription requests until none is left; `never` is left out of the answers."""
        while requests := self.heard():
            self.requests += requests
            for request in requests:
                for channel, symbols in self.stands.items():
                    asked = set(request.get(channel, ()))
                    if request["action"] == "subscribe":
                        self.stands[channel] = sorted(set(symbols) | (asked - never))
                    else:
                        self.stands[channel] = sorted(set(symbols) - asked)
                self.say({"T": "subscription", **self.stands})


def test_the_dialogue_goes_greeting_authentication_subscription() -> None:
    venue = Venue()
    protocol = venue.protocol
    protocol.subscribe(["SPY"])
    protocol.connected()

    assert protocol.awaiting == "the greeting"
    assert venue.heard() == []
    venue.say({"T": "success", "msg": "connected"})
    assert venue.heard() == [{"action": "auth", "key": KEY, "secret": SECRET}]
    assert venue.heard() == []
    assert protocol.awaiting == "the answer to the authentication"
    venue.say({"T": "success", "msg": "authenticated"})
    assert venue.heard() == [{"action": "subscribe", "trades": ["SPY"], "quotes": ["SPY"]}]
    assert protocol.awaiting == "the answer to subscription request 1"
    venue.say({"T": "subscription", "trades": ["SPY"], "quotes": ["SPY"]})

    assert protocol.settled
    assert protocol.listening
    assert protocol.awaiting == ""
    assert venue.heard() == []


def test_many_symbols_go_out_in_chunks_each_after_the_answer_to_the_last() -> None:
    venue = Venue(frozenset({"trades"}))
    venue.log_in()
    symbols = [f"S{number:04d}" for number in range(2 * MAX_SYMBOLS_PER_REQUEST + 7)]

    venue.protocol.subscribe(symbols)
    venue.answer_all()

    assert [len(request["trades"]) for request in venue.requests] == [
        MAX_SYMBOLS_PER_REQUEST,
        MAX_SYMBOLS_PER_REQUEST,
        7,
    ]
    assert venue.stands["trades"] == symbols
    assert all("quotes" not in request for request in venue.requests)


def test_symbols_missing_from_the_answer_are_asked_again_and_then_reported() -> None:
    venue = Venue()
    venue.log_in()

    venue.protocol.subscribe(["A", "B"])
    venue.answer_all(never=frozenset({"B"}))

    assert [request["trades"] for request in venue.requests] == [["A", "B"]] + [["B"]] * (MAX_ATTEMPTS - 1)
    assert venue.protocol.settled
    assert venue.protocol.refused == {"trades": ["B"], "quotes": ["B"]}
    venue.protocol.unsubscribe(["B"])
    assert venue.protocol.refused == {}


def test_everything_is_subscribed_again_on_a_new_connection() -> None:
    venue = Venue()
    venue.log_in()
    venue.protocol.subscribe(["A", "B"])
    venue.protocol.drop_quotes(["B"])
    venue.answer_all(never=frozenset({"A"}))
    venue.requests.clear()

    venue.log_in()
    venue.answer_all()

    assert venue.requests == [{"action": "subscribe", "trades": ["A", "B"], "quotes": ["A"]}]
    assert venue.protocol.refused == {}


def test_quotes_of_hot_symbols_are_given_up_and_taken_again() -> None:
    venue = Venue()
    venue.log_in()
    venue.protocol.subscribe(["A", "B"])
    venue.answer_all()
    venue.requests.clear()

    venue.protocol.drop_quotes(["B"])
    venue.answer_all()
    venue.protocol.restore_quotes(["B"])
    venue.answer_all()

    assert venue.requests == [{"action": "unsubscribe", "quotes": ["B"]}, {"action": "subscribe", "quotes": ["B"]}]


def test_ticks_of_what_is_not_wanted_any_more_are_skipped() -> None:
    venue = Venue()
    venue.log_in()
    venue.protocol.subscribe(["A", "B"])
    venue.answer_all()

    venue.protocol.unsubscribe(["B"])
    venue.protocol.drop_quotes(["A"])
    venue.say(trade("A", 1), quote("A", 1), trade("B", 1), quote("B", 1))

    assert [(type(tick).__name__, tick.symbol) for tick in venue.protocol.ticks] == [("Trade", "A")]
    assert venue.counts.received == {"trades": 1, "quotes": 0, "notices": 0}
    assert venue.counts.skipped == {"trades": 1, "quotes": 2, "notices": 0}


def test_a_symbol_forgotten_before_its_answer_came_is_skipped_too() -> None:
    venue = Venue()
    venue.log_in()
    venue.protocol.subscribe(["A"])
    venue.heard()

    venue.protocol.unsubscribe(["A"])
    venue.say(trade("A", 1))

    assert venue.protocol.ticks == []
    assert venue.counts.skipped["trades"] == 1


def test_a_star_is_the_whole_channel() -> None:
    venue = Venue()
    venue.log_in()

    venue.protocol.subscribe(["*"])
    venue.answer_all()
    venue.protocol.drop_quotes(["A"])
    venue.say(trade("A", 1), quote("A", 1), quote("B", 1))

    assert venue.requests == [{"action": "subscribe", "trades": ["*"], "quotes": ["*"]}]
    assert [(type(tick).__name__, tick.symbol) for tick in venue.protocol.ticks] == [("Trade", "A"), ("Quote", "B")]


@pytest.mark.parametrize(
    ("code", "fault"),
    [
        (400, RunFailed),
        (401, CredentialsError),
        (402, CredentialsError),
        (403, RunFailed),
        (405, RunFailed),
        (409, CredentialsError),
        (410, RunFailed),
    ],
)
def test_what_no_new_connection_can_heal_is_a_fault_with_a_remedy(code: int, fault: type[DeskError]) -> None:
    venue = Venue()
    venue.protocol.connected()

    venue.say({"T": "error", "code": code, "msg": "no"})

    verdict = venue.protocol.verdict
    assert type(verdict) is fault
    assert verdict.found == f"the venue says {code} no"
    assert verdict.expected
    assert verdict.remedy


@pytest.mark.parametrize(("code", "at_once"), [(404, False), (406, False), (407, True), (500, False), (599, False)])
def test_other_errors_ask_for_a_new_connection(code: int, at_once: bool) -> None:
    venue = Venue()
    venue.protocol.connected()

    venue.say({"T": "error", "code": code, "msg": "later"})

    verdict = venue.protocol.verdict
    assert isinstance(verdict, HangUp)
    assert verdict.at_once == at_once
    assert str(code) in verdict.reason
    assert venue.protocol.slow_clients == (code == 407)


def test_secrets_are_in_no_representation_and_no_message() -> None:
    venue = Venue()
    venue.log_in()

    venue.say({"T": "error", "code": 402, "msg": f"auth failed for {KEY} with {SECRET}"})

    text = f"{venue.protocol!r} {venue.protocol} {venue.protocol.verdict!r} {venue.protocol.verdict}"
    assert KEY not in text
    assert SECRET not in text
