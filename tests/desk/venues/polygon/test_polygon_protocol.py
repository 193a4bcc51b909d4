"""The protocol without a socket: its messages, its reactions to answers, and texts that it never shows."""

from typing import Any

import msgspec
import pytest
from test_polygon_codec import BANDS, MINUTE, QUOTE, TRADE

from desk.model.block_rows import BlockFeedCounts
from desk.model.errors import CredentialsError
from desk.streams.stream_protocol import HangUp
from desk.venues.polygon.protocol import PolygonProtocol
from desk.venues.polygon.subscription import MAX_ATTEMPTS, MAX_PER_REQUEST

KEY = "the-key-itself"
BOTH = ("trades", "quotes")


class Vendor:
    """The other side, spoken by hand."""

    def __init__(self, channels: tuple[str, ...] = BOTH) -> None:
        self.counts = BlockFeedCounts()
        self.protocol = PolygonProtocol(KEY, place="venue", channels=channels, counts=self.counts)

    def say(self, *messages: dict[str, Any]) -> None:
        self.protocol.receive(msgspec.json.encode(list(messages)), 1, text=True)

    def status(self, status: str, message: str = "") -> None:
        self.say({"ev": "status", "status": status, "message": message})

    def heard(self) -> list[dict[str, Any]]:
        return [msgspec.json.decode(data) for data in self.protocol.data_to_send()]

    def log_in(self) -> None:
        self.protocol.connected()
        self.status("connected", "Connected Successfully")
        self.heard()
        self.status("auth_success", "authenticated")

    def answer_all(self) -> list[dict[str, Any]]:
        """Consent to every request until none is left; return those for trades and quotes."""
        requests = []
        while heard := self.heard():
            topics = heard[0]["params"].split(",")
            if ticks := [topic for topic in topics if topic.startswith(("T.", "Q."))]:
                requests.append(heard[0] | {"params": ",".join(ticks)})
            for topic in topics:
                self.status("success", f"{heard[0]['action']}d to: {topic}")
        return requests


def test_the_dialogue_goes_greeting_authentication_subscription() -> None:
    vendor = Vendor()
    protocol = vendor.protocol
    protocol.subscribe(["SPY"])
    protocol.connected()

    assert protocol.awaiting == "the greeting"
    assert vendor.heard() == []
    vendor.status("connected")
    assert vendor.heard() == [{"action": "auth", "params": KEY}]
    assert protocol.awaiting == "the answer to the authentication"
    vendor.status("auth_success")
    assert vendor.heard() == [{"action": "subscribe", "params": "T.SPY"}]
    assert protocol.awaiting == "the answer to subscription request 1"
    vendor.status("success", "subscribed to: T.SPY")
    assert not protocol.settled
    assert vendor.heard() == [{"action": "subscribe", "params": "Q.SPY"}]
    vendor.status("success", "subscribed to: Q.SPY")

    assert protocol.settled
    assert protocol.listening
    assert protocol.awaiting == ""
    assert vendor.heard() == [{"action": "subscribe", "params": "AM.SPY"}]
    vendor.status("success", "subscribed to: AM.SPY")
    assert vendor.heard() == [{"action": "subscribe", "params": "LULD.SPY"}]
    vendor.status("success", "subscribed to: LULD.SPY")
    assert vendor.heard() == []


def test_many_symbols_go_out_in_chunks_and_changes_follow() -> None:
    vendor = Vendor(("trades",))
    vendor.log_in()
    vendor.protocol.subscribe([f"S{number:04d}" for number in range(MAX_PER_REQUEST + 7)])

    first = vendor.answer_all()
    vendor.protocol.unsubscribe(["S0001"])
    then = vendor.answer_all()

    assert [len(request["params"].split(",")) for request in first] == [MAX_PER_REQUEST, 7]
    assert then == [{"action": "unsubscribe", "params": "T.S0001"}]


def test_quotes_of_hot_symbols_are_dropped_and_restored() -> None:
    vendor = Vendor()
    vendor.log_in()
    vendor.protocol.subscribe(["A", "B"])
    vendor.answer_all()

    vendor.protocol.drop_quotes(["B"])
    dropped = vendor.answer_all()
    vendor.protocol.restore_quotes(["B"])

    assert dropped == [{"action": "unsubscribe", "params": "Q.B"}]
    assert vendor.answer_all() == [{"action": "subscribe", "params": "Q.B"}]


def test_a_refused_topic_is_named_and_not_requested_again() -> None:
    vendor = Vendor(("trades",))
    vendor.log_in()
    vendor.protocol.subscribe(["A", "B"])
    vendor.heard()

    vendor.status("error", "You are not authorized to subscribe to T.B")
    vendor.status("success", "subscribed to: T.A")

    assert vendor.protocol.refused == {"trades": ["B"]}
    assert vendor.protocol.settled
    assert vendor.answer_all() == []
    vendor.protocol.unsubscribe(["B"])
    assert vendor.protocol.refused == {}


def test_a_refusal_that_names_nothing_refuses_the_channel_that_was_requested() -> None:
    vendor = Vendor()
    vendor.log_in()
    vendor.protocol.subscribe(["A", "B"])
    vendor.heard()
    for symbol in "AB":
        vendor.status("success", f"subscribed to: T.{symbol}")
    vendor.heard()

    vendor.status("error", "not authorized")

    assert vendor.protocol.refused == {"quotes": ["A", "B"]}
    assert vendor.protocol.settled
    assert [note.level for note in vendor.protocol.take_notes()] == ["error"]


def test_a_topic_without_an_answer_is_refused_after_some_connections() -> None:
    vendor = Vendor(("trades",))
    vendor.protocol.subscribe(["A"])

    for _ in range(MAX_ATTEMPTS):
        vendor.log_in()
        assert vendor.heard() == [{"action": "subscribe", "params": "T.A"}]
        assert vendor.protocol.awaiting
    vendor.log_in()

    assert vendor.answer_all() == []
    assert vendor.protocol.refused == {"trades": ["A"]}


def test_the_desk_does_without_bars_and_bands_that_are_refused_or_not_answered() -> None:
    vendor = Vendor(("trades",))
    vendor.log_in()
    vendor.protocol.subscribe(["A"])
    vendor.heard()
    vendor.status("success", "subscribed to: T.A")
    vendor.heard()

    vendor.status("error", "not authorized")

    assert vendor.heard() == [{"action": "subscribe", "params": "LULD.A"}]
    assert (vendor.protocol.awaiting, vendor.protocol.refused) == ("", {})
    assert [note.level for note in vendor.protocol.take_notes()] == ["warning"]
    vendor.protocol.subscribe(["B"])
    assert vendor.heard() == [{"action": "subscribe", "params": "T.B"}]
    assert vendor.protocol.awaiting


def test_halts_and_bars_of_a_subscribed_symbol_are_notices() -> None:
    vendor = Vendor()
    vendor.log_in()
    vendor.protocol.subscribe(["GTE", "MSFT"])
    vendor.answer_all()

    vendor.say(MINUTE, BANDS | {"i": [17]}, MINUTE | {"sym": "X"})

    assert [type(tick).__name__ for tick in vendor.protocol.ticks] == ["VenueBar", "TradingStatus", "PriceBands"]
    assert vendor.counts.skipped["notices"] == 1


def test_consent_to_what_was_not_requested_changes_nothing() -> None:
    vendor = Vendor(("trades",))
    vendor.log_in()

    vendor.status("success", "subscribed to: T.X")
    vendor.status("success", "unsubscribed to: T.X,,")
    vendor.status("success", "of another kind")

    assert vendor.heard() == []
    assert vendor.protocol.verdict is None


def test_ticks_of_what_is_not_wanted_any_more_are_skipped() -> None:
    vendor = Vendor()
    vendor.log_in()
    vendor.protocol.subscribe(["MSFT"])
    vendor.answer_all()
    vendor.protocol.drop_quotes(["MSFT"])

    vendor.say(TRADE, QUOTE, TRADE | {"sym": "X"})

    assert [type(tick).__name__ for tick in vendor.protocol.ticks] == ["Trade"]
    assert vendor.counts.received == {"trades": 1, "quotes": 0, "notices": 0}
    assert vendor.counts.skipped == {"trades": 1, "quotes": 1, "notices": 0}


@pytest.mark.parametrize("status", ["auth_failed", "error"])
def test_a_refused_key_is_a_fault_without_the_key_in_it(status: str) -> None:
    vendor = Vendor()
    vendor.protocol.connected()

    vendor.status(status, f"authentication failed for {KEY}")

    assert isinstance(vendor.protocol.verdict, CredentialsError)
    assert KEY not in f"{vendor.protocol.verdict} {vendor.protocol!r}"


@pytest.mark.parametrize(
    ("status", "at_once"),
    [
        ("auth_timeout", False),
        ("max_connections", False),
        ("slow_consumer", True),
        ("force_disconnect", False),
        ("zz", False),
    ],
)
def test_other_statuses_ask_for_a_new_connection(status: str, at_once: bool) -> None:
    vendor = Vendor()
    vendor.log_in()

    vendor.status(status, "why")

    verdict = vendor.protocol.verdict
    assert isinstance(verdict, HangUp)
    assert verdict.at_once == at_once
    assert status in verdict.reason
    assert vendor.protocol.slow_clients == (status == "slow_consumer")


def test_unknown_codes_and_kinds_are_noted_once() -> None:
    vendor = Vendor()
    vendor.log_in()
    vendor.protocol.subscribe(["MSFT"])
    vendor.answer_all()

    for _ in range(2):
        vendor.say(TRADE | {"x": 99, "c": [999]}, {"ev": "ZZ"})

    assert len(vendor.protocol.take_notes()) == 3
    assert vendor.protocol.take_notes() == []
    assert vendor.protocol.unmapped == {"exchange 99": 2, "sale condition 999": 2}
    assert vendor.protocol.unknown == {"ZZ": 2}
