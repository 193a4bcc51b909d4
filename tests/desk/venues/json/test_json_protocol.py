"""The protocol of a JSON stream without a socket: headers, requests, answers."""

from typing import Any

import msgspec
import pytest
from test_json_codec import TICK

from desk.config import FeedPlan
from desk.model.block_rows import BlockFeedCounts
from desk.streams.limits import MAX_MALFORMED
from desk.venues.json.protocol import MAX_PER_REQUEST, JsonProtocol

KEY = 'the-"key"-itself'
SUBSCRIBE = '{"method":"subscribe","params":{"symbols":{symbols}},"id":1}'


def a_protocol(**options: Any) -> JsonProtocol:
    feed = {"kind": "json", "url": "wss://stream.example/v1", "key_env": "SOME_API_KEY", "symbols": ["A"]}
    feed |= {"headers": {"X-API-Key": "{key}"}, "subscribe": SUBSCRIBE} | options
    return JsonProtocol(FeedPlan.model_validate(feed), KEY, place="venue", counts=BlockFeedCounts())


def say(protocol: JsonProtocol, message: Any) -> None:
    protocol.receive(msgspec.json.encode(message), 1, text=True)


def test_the_key_is_in_the_headers_and_the_request_lists_the_symbols() -> None:
    protocol = a_protocol()
    protocol.subscribe(["B", "A"])

    assert protocol.headers == {"X-API-Key": KEY}
    assert protocol.data_to_send() == []
    assert not protocol.settled
    protocol.connected()
    (request,) = protocol.data_to_send()

    assert msgspec.json.decode(request) == {"method": "subscribe", "params": {"symbols": ["A", "B"]}, "id": 1}
    assert protocol.data_to_send() == []
    assert protocol.settled
    assert protocol.listening
    assert KEY not in repr(protocol)


def test_a_key_in_the_request_is_escaped() -> None:
    protocol = a_protocol(headers={}, subscribe='{"key":"{key}","symbols":{symbols}}')
    protocol.subscribe(["A"])
    protocol.connected()

    assert msgspec.json.decode(protocol.data_to_send()[0]) == {"key": KEY, "symbols": ["A"]}


def test_changes_are_requested_and_everything_anew_on_a_new_connection() -> None:
    protocol = a_protocol(unsubscribe='{"drop":{symbols}}')
    protocol.subscribe(["A", "B"])
    protocol.connected()
    protocol.data_to_send()

    protocol.subscribe(["C"])
    protocol.unsubscribe(["A"])
    changes = list(map(msgspec.json.decode, protocol.data_to_send()))
    protocol.connected()
    (again,) = map(msgspec.json.decode, protocol.data_to_send())

    assert changes == [{"drop": ["A"]}, {"method": "subscribe", "params": {"symbols": ["C"]}, "id": 1}]
    assert again["params"] == {"symbols": ["B", "C"]}


def test_many_symbols_go_out_in_chunks() -> None:
    protocol = a_protocol()
    protocol.subscribe([f"S{number:04d}" for number in range(MAX_PER_REQUEST + 1)])
    protocol.connected()

    assert [len(msgspec.json.decode(each)["params"]["symbols"]) for each in protocol.data_to_send()] == [500, 1]


def test_a_venue_that_sends_by_itself_is_asked_nothing() -> None:
    protocol = a_protocol(subscribe="")
    protocol.subscribe(["AAPL"])
    protocol.connected()

    assert protocol.data_to_send() == []
    say(protocol, TICK)
    say(protocol, TICK | {"symbol": "X"})
    assert [tick.symbol for tick in protocol.ticks] == ["AAPL"]
    assert protocol.counts.skipped["quotes"] == 1


def test_the_answer_to_a_request_is_expected_and_other_objects_are_counted() -> None:
    protocol = a_protocol()
    protocol.subscribe(["A"])
    protocol.connected()
    protocol.data_to_send()

    say(protocol, {"id": 1, "result": "ok"})
    assert protocol.unknown == {}
    say(protocol, {"status": "maintenance"})

    assert protocol.unknown == {"without a symbol": 1}


def test_an_error_of_the_venue_is_reported_without_the_key() -> None:
    protocol = a_protocol()
    protocol.connected()

    say(protocol, {"error": {"code": 401, "message": f"bad key {KEY}"}})

    notes = protocol.take_notes()
    assert [note.level for note in notes] == ["error", "warning"]
    assert KEY not in str(notes)
    assert "401" in notes[0].text


def test_a_message_with_very_many_malformed_ticks_ends_the_connection() -> None:
    protocol = a_protocol()
    protocol.connected()

    say(protocol, [17] * (MAX_MALFORMED + 1))

    assert protocol.verdict is not None
    assert protocol.counts.rejected["quotes"] == {"symbol": MAX_MALFORMED}


@pytest.mark.parametrize(
    ("options", "found"),
    [
        ({"url": ""}, "missing"),
        ({"url": "wss://a.example/x?token=abc"}, "a key in it"),
        ({"headers": {"X-API-Key": "abc"}}, "a value of its own"),
        ({"headers": {"X Key": "{key}"}}, "cannot be sent"),
        ({"headers": {"Accept": "json"}}, "used nowhere"),
        ({"key_env": ""}, "missing"),
        ({"key_env": "HOME"}, "pattern"),
        ({"subscribe": "{}"}, "without symbols"),
        ({"map": {"bid": ""}}, "the name of a field"),
        ({"map": {"volume_is": "cumulative"}}, "the name of a field"),
        ({"name": "iex"}, "it is an option of"),
    ],
)
def test_a_plan_that_cannot_work_is_refused(options: dict[str, Any], found: str) -> None:
    with pytest.raises(ValueError, match=found):
        a_protocol(**options)
