"""The protocol switches to the encoding that the venue uses, in both directions."""

import json
from typing import Any

import msgspec
import pytest
from alpaca_feeds import KEY, SECRET, START_NS, ManualClock, make_feed, until
from alpaca_server import AlpacaServer, Client, trade

from desk.feeds.frames import frames_of
from desk.model.block_rows import BlockFeedCounts
from desk.venues.alpaca.market.encoding import encoding_of
from desk.venues.alpaca.market.protocol import AlpacaProtocol
from desk.venues.frame_codec import Encoding

TRADES = frozenset({"trades"})
TIME = "2023-11-14T22:13:20.000000001Z"


def a_protocol(encoding: Encoding = "msgpack") -> AlpacaProtocol:
    protocol = AlpacaProtocol(KEY, SECRET, place="venue", channels=TRADES, counts=BlockFeedCounts(), encoding=encoding)
    protocol.connected()
    return protocol


def as_json(*messages: dict[str, Any]) -> bytes:
    return json.dumps(messages).encode()


def as_msgpack(*messages: dict[str, Any]) -> bytes:
    return msgspec.msgpack.encode(messages)


def test_json_in_text_frames_is_read_and_answered_in_json_text() -> None:
    protocol = a_protocol()

    protocol.receive(as_json({"T": "success", "msg": "connected"}), 1, text=True)
    (login,) = protocol.data_to_send()

    assert json.loads(login) == {"action": "auth", "key": KEY, "secret": SECRET}
    assert not protocol.binary
    assert protocol.encoding == "JSON in text frames"
    assert [note.level for note in protocol.take_notes()] == ["warning"]


def test_the_encoding_is_reported_once_however_often_it_changes() -> None:
    protocol = a_protocol()
    json_trade = trade("A", 0) | {"t": TIME}

    for number in range(3):
        protocol.receive(as_json(json_trade), 1, text=True)
        protocol.receive(as_msgpack(trade("A", START_NS + number)), 1)
    protocol.connected()
    protocol.receive(as_json(json_trade), 1, text=True)

    assert len(protocol.take_notes()) == 1
    assert [tick.ordinal for tick in protocol.ticks] == [1, 2, 3, 4, 5, 6, 7]
    assert protocol.counts.received["trades"] == 7
    assert protocol.counts.rejected["trades"] == {}


def test_a_new_connection_begins_in_the_encoding_that_is_requested() -> None:
    protocol = a_protocol()
    protocol.receive(as_json({"T": "success", "msg": "connected"}), 1, text=True)

    protocol.connected()
    protocol.receive(as_msgpack({"T": "success", "msg": "connected"}), 1)
    (login,) = protocol.data_to_send()

    assert msgspec.msgpack.decode(login)["action"] == "auth"
    assert protocol.binary


def test_messagepack_is_followed_where_json_was_requested() -> None:
    protocol = a_protocol("json")

    protocol.receive(as_msgpack({"T": "success", "msg": "connected"}), 1)
    (login,) = protocol.data_to_send()

    assert msgspec.msgpack.decode(login)["action"] == "auth"
    assert protocol.encoding == "MessagePack in binary frames"


def test_what_is_in_no_encoding_is_rejected_and_followed_nowhere() -> None:
    protocol = a_protocol()

    protocol.receive(b"text", 1, text=True)
    protocol.receive(b"\xc1\xc1", 1)
    protocol.receive(b"", 1)

    assert protocol.counts.rejected["trades"] == {"frame": 3}
    assert protocol.binary
    assert protocol.take_notes() == []


def test_unknown_kinds_are_named_once_and_counted_over_both_encodings_and_known_ones_are_no_news() -> None:
    protocol = a_protocol()

    protocol.receive(as_msgpack({"T": "zz"}, {"T": "b"}, {"T": "s"}, {"T": "n"}), 1)
    protocol.receive(as_json({"T": "zz"}, {"T": "o"}), 1, text=True)
    notes = protocol.take_notes()
    protocol.receive(as_msgpack({"T": "zz"}), 1)

    assert ["'zz'" in note.text for note in notes] == [False, True]
    assert protocol.take_notes() == []
    assert protocol.unknown == {"zz": 3}


@pytest.mark.parametrize(
    ("message", "text", "expected"),
    [
        (b"[]", True, "json"),
        (b"  [", True, "json"),
        (bytearray(b"[1]"), False, "json"),
        (b"{}", False, "json"),
        (b"\x91\x01", False, "msgpack"),
        (bytearray(b"\xdc\x00\x01"), False, "msgpack"),
        (b"\xdd", False, "msgpack"),
        (b"\x80", False, None),
        (b"x", True, None),
        (b"", True, None),
    ],
)
def test_a_message_tells_its_encoding_by_frame_and_first_byte(
    message: bytes, text: bool, expected: Encoding | None
) -> None:
    assert encoding_of(message, text=text) == expected


@pytest.mark.parametrize("text", [True, False], ids=["text frames", "binary frames"])
def test_a_venue_that_speaks_json_is_a_feed_all_the_same(text: bool) -> None:
    heard: list[bytes | str] = []

    async def speak_json(client: Client) -> None:
        async def say(*messages: dict[str, Any]) -> None:
            spoken = json.dumps(messages)
            await client.websocket.send(spoken if text else spoken.encode())

        await say({"T": "success", "msg": "connected"})
        heard.append(await client.websocket.recv())
        await say({"T": "success", "msg": "authenticated"})
        heard.append(await client.websocket.recv())
        await say({"T": "subscription", "trades": ["A", "B"], "quotes": ["A", "B"]})
        await say(trade("A", 0) | {"t": TIME})
        await client.stay()

    with AlpacaServer(speak_json) as server:
        feed = make_feed(server, ManualClock())
        frames = frames_of(feed, feed._clock)
        (tick,) = until(frames, lambda seen: len(seen) >= 1)
        frames.close()

    assert (tick.symbol, tick.ts_ns) == ("A", START_NS + 1)
    assert {type(message) for message in heard} == {str if text else bytes}
    assert [json.loads(message)["action"] for message in heard] == ["auth", "subscribe"]
    assert feed.health.encoding == f"JSON in {'text' if text else 'binary'} frames"
    assert feed.connection.reconnects == 0
    assert server.errors == []
