"""Errors that answer one request (405, 410): the subscription that stands is kept, and everything else adapts."""

from collections.abc import Iterable
from typing import Any

import msgspec
import pytest
from alpaca_server import quote, trade
from hypothesis import given
from hypothesis import strategies as st

from desk.model.block_rows import BlockFeedCounts
from desk.model.errors import RunFailed
from desk.streams.stream_protocol import HangUp
from desk.venues.alpaca.market.protocol import AlpacaProtocol
from desk.venues.alpaca.market.wire import CHANNELS

MOST_REQUESTS = 400


class LimitedVenue:
    """A venue with a limit of trade and quote symbols and without some channels, spoken by hand."""

    def __init__(self, limit: int = 10**9, without: Iterable[str] = (), helpers: Iterable[str] = ()) -> None:
        self.counts = BlockFeedCounts()
        channels = frozenset({"trades", "quotes", *(set(without) - {*helpers, "trades", "quotes"})})
        self.protocol = AlpacaProtocol(
            "key", "secret", place="venue", channels=channels, helpers=frozenset(helpers), counts=self.counts
        )
        self.limit = limit
        self.without = set(without)
        self.stands: dict[str, list[str]] = {}
        self.requests: list[dict[str, Any]] = []

    def connect(self) -> None:
        self.protocol.connected()
        self.say({"T": "success", "msg": "connected"})
        self.protocol.data_to_send()
        self.say({"T": "success", "msg": "authenticated"})
        self.stands = {channel: [] for channel in CHANNELS}
        self.answer_all()

    def say(self, *messages: dict[str, Any]) -> None:
        self.protocol.receive(msgspec.msgpack.encode(list(messages)), 1)

    def answer_all(self) -> None:
        """Answer every request, until none is left or the protocol wants to end the connection."""
        while self.protocol.verdict is None and (data := self.protocol.data_to_send()):
            for request in map(msgspec.msgpack.decode, data):
                self.requests.append(request)
                assert len(self.requests) < MOST_REQUESTS
                self.say(self.answer(request))

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        if any(channel in self.without for channel in request):
            return {"T": "error", "code": 410, "msg": "invalid subscribe action for this feed"}
        asked = {channel: set(request.get(channel, ())) for channel in CHANNELS}
        if request["action"] == "subscribe":
            if sum(len(asked[name].union(self.stands[name])) for name in ("trades", "quotes")) > self.limit:
                return {"T": "error", "code": 405, "msg": "symbol limit exceeded"}
            self.stands = {name: sorted(asked[name].union(symbols)) for name, symbols in self.stands.items()}
        else:
            self.stands = {name: sorted(set(symbols) - asked[name]) for name, symbols in self.stands.items()}
        return {"T": "subscription", **self.stands}


def named(count: int, first: int = 0) -> list[str]:
    return [f"S{number:03d}" for number in range(first, first + count)]


def test_symbols_beyond_the_limit_are_the_least_wanted_and_are_refused_by_name() -> None:
    venue = LimitedVenue(limit=30)
    venue.protocol.subscribe(reversed(named(40)))  # the last is the most wanted

    venue.connect()

    best = sorted(named(15, first=25))
    assert venue.stands["trades"] == venue.stands["quotes"] == best
    assert venue.protocol.refused == {"trades": named(25), "quotes": named(25)}
    assert venue.protocol.settled
    assert venue.protocol.verdict is None
    assert venue.protocol.data_to_send() == []
    notes = [note for note in venue.protocol.take_notes() if note.level == "error"]
    assert "405 symbol limit exceeded: no room for 25 symbols: S000, S001" in notes[0].text
    assert len(notes) == 1


def test_symbols_that_had_no_room_are_requested_again_when_others_leave_the_most_wanted_first() -> None:
    venue = LimitedVenue(limit=20)
    venue.protocol.subscribe(named(14))
    venue.connect()
    before = venue.stands["trades"]

    venue.protocol.unsubscribe(named(3))
    venue.answer_all()

    assert before == named(10)
    assert venue.stands["trades"] == venue.stands["quotes"] == named(10, first=3)
    assert venue.protocol.refused == {"trades": ["S013"], "quotes": ["S013"]}


def test_a_subscription_that_stands_is_not_given_up_for_a_more_wanted_symbol() -> None:
    venue = LimitedVenue(limit=4)
    venue.protocol.subscribe(["A", "B"])
    venue.connect()

    venue.protocol.subscribe(["C", "A", "B"])
    venue.answer_all()

    assert venue.stands["trades"] == ["A", "B"]
    assert venue.protocol.refused == {"trades": ["C"], "quotes": ["C"]}


def test_a_new_connection_finds_the_limit_anew() -> None:
    venue = LimitedVenue(limit=4)
    venue.protocol.subscribe(named(5))
    venue.connect()
    venue.limit = 8

    venue.connect()

    assert venue.stands["trades"] == named(4)


def test_an_account_that_may_subscribe_to_nothing_asked_for_ends_the_feed() -> None:
    venue = LimitedVenue(limit=30)
    venue.protocol.subscribe(["*"])
    venue.limit = 0

    venue.connect()

    assert isinstance(venue.protocol.verdict, RunFailed)
    assert "405 symbol limit exceeded" in str(venue.protocol.verdict)


@given(st.integers(2, 60), st.lists(st.integers(1, 30), min_size=1, max_size=4), st.data())
def test_whatever_the_limit_as_many_symbols_as_it_allows_are_subscribed(
    limit: int, counts: list[int], data: st.DataObject
) -> None:
    venue = LimitedVenue(limit=limit)
    wanted: list[str] = []
    for number, count in enumerate(counts):
        wanted += [f"W{number}{symbol}" for symbol in named(count)]
    venue.protocol.subscribe(wanted)
    venue.connect()
    leaving = data.draw(st.lists(st.sampled_from(wanted), unique=True, max_size=5))

    venue.protocol.unsubscribe(leaving)
    venue.answer_all()

    left = len(set(wanted) - set(leaving))
    assert len(venue.stands["trades"]) == len(venue.stands["quotes"]) == min(left, limit // 2)
    assert len(venue.protocol.refused.get("trades", ())) == max(0, left - limit // 2)
    assert len(venue.requests) <= 40


def test_helpers_take_no_room_and_are_subscribed_for_the_symbols_that_stand() -> None:
    venue = LimitedVenue(limit=4, helpers=["bars"])
    venue.protocol.subscribe(["A", "B", "C"])

    venue.connect()

    assert venue.stands["trades"] == ["A", "B"]
    assert venue.stands["bars"] == ["A", "B"]


def test_a_channel_that_the_feed_does_not_have_is_left_out_by_name() -> None:
    venue = LimitedVenue(without=["lulds"])
    venue.protocol.subscribe(["A", "B"])

    venue.connect()

    assert venue.stands["trades"] == venue.stands["quotes"] == ["A", "B"]
    assert venue.protocol.dropped == {"lulds": "the venue says 410 invalid subscribe action for this feed"}
    assert venue.protocol.dropped_helpers == {}
    assert venue.protocol.settled
    assert "lulds" in venue.protocol.take_notes()[-1].text


def test_a_channel_that_was_left_out_is_not_requested_on_a_later_connection() -> None:
    venue = LimitedVenue(without=["bars"], helpers=["bars", "statuses"])
    venue.protocol.subscribe(["A"])
    venue.connect()
    venue.requests.clear()

    venue.connect()

    assert not [request for request in venue.requests if "bars" in request]
    assert venue.stands["statuses"] == ["A"]
    assert list(venue.protocol.dropped_helpers) == ["bars"]


@pytest.mark.parametrize("channel", ["trades", "quotes"])
def test_a_feed_without_the_plans_trades_or_quotes_ends(channel: str) -> None:
    venue = LimitedVenue(without=[channel])
    venue.protocol.subscribe(["A"])

    venue.connect()

    assert isinstance(venue.protocol.verdict, RunFailed)
    assert "410" in venue.protocol.verdict.found


@pytest.mark.parametrize("code", [405, 410])
def test_such_an_error_that_answers_no_request_leaves_the_subscription_as_it_is(code: int) -> None:
    venue = LimitedVenue()
    venue.protocol.subscribe(["A"])
    venue.connect()

    venue.say({"T": "error", "code": code, "msg": "odd"})
    venue.say(trade("A", 1), quote("A", 1))

    assert venue.protocol.verdict is None
    assert len(venue.protocol.ticks) == 2
    assert "in answer to no request" in venue.protocol.take_notes()[-1].text


@pytest.mark.parametrize("code", [400, 401, 403])
def test_errors_of_the_dialogue_pass_once_a_subscription_stood(code: int) -> None:
    venue = LimitedVenue()
    venue.protocol.subscribe(["A"])
    venue.connect()

    venue.say({"T": "error", "code": code, "msg": "odd"})

    assert isinstance(venue.protocol.verdict, HangUp)


def test_a_symbol_can_be_subscribed_anew() -> None:
    venue = LimitedVenue()
    venue.protocol.subscribe(["A", "B"])
    venue.connect()
    venue.requests.clear()

    venue.protocol.resubscribe(["B", "Z"])
    venue.answer_all()

    lists = {"trades": ["B"], "quotes": ["B"]}
    assert venue.requests == [{"action": "unsubscribe", **lists}, {"action": "subscribe", **lists}]
    assert venue.stands["trades"] == ["A", "B"]


def test_helpers_are_requested_once_and_are_no_refused_symbols() -> None:
    venue = LimitedVenue(helpers=["bars", "statuses"])
    venue.protocol.subscribe(["A"])
    venue.protocol.connected()
    venue.say({"T": "success", "msg": "connected"})
    venue.protocol.data_to_send()
    venue.say({"T": "success", "msg": "authenticated"})
    (request,) = map(msgspec.msgpack.decode, venue.protocol.data_to_send())

    venue.say({"T": "subscription", "trades": ["A"], "quotes": ["A"], "bars": []})

    assert request == {"action": "subscribe", "trades": ["A"], "quotes": ["A"], "bars": ["A"], "statuses": ["A"]}
    assert venue.protocol.data_to_send() == []
    assert (venue.protocol.settled, venue.protocol.refused) == (True, {})
