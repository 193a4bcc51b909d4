"""Frames of the crypto stream become ticks; the top of an order book becomes a quote when it changes."""

from typing import Any

import msgspec
import pytest
from alpaca_server import stamp

from desk.model.block_rows import BlockFeedCounts
from desk.model.ticks import Event, Quote, Trade
from desk.venues.alpaca.crypto.codec import CryptoCodec
from desk.venues.timestamps import rfc3339_ns

NOW_NS = 1_800_000_000_000_000_000
AT = "2023-03-18T13:01:12.349238Z"
TRADE = {"T": "t", "S": "BTC/USD", "p": 27_539.494, "s": 0.2632414, "t": AT, "i": 35_447_483, "tks": "B"}
QUOTE = {"T": "q", "S": "ETH/USD", "bp": 1_800.5, "bs": 3.25, "ap": 1_801.0, "as": 0.5, "t": AT}
BOOK = {"T": "o", "S": "BTC/USD", "t": AT, "r": True, "b": [{"p": 10.0, "s": 1.0}, {"p": 9.0, "s": 2.0}],
        "a": [{"p": 11.0, "s": 3.0}]}  # fmt: skip


def a_codec(encoding: Any = "json", *, uses_books: bool = False) -> tuple[CryptoCodec, BlockFeedCounts]:
    counts = BlockFeedCounts()
    return CryptoCodec(encoding, "here", counts, uses_books=uses_books), counts


def decoded(codec: CryptoCodec, *messages: Any) -> list[Event]:
    events: list[Event] = []
    if codec.encoding == "msgpack":
        messages = tuple({**m, "t": stamp(rfc3339_ns(m["t"]))} if "t" in m else m for m in messages)
    codec.decode(codec.encode(list(messages)), NOW_NS, events)
    return events


@pytest.mark.parametrize("encoding", ["json", "msgpack"])
def test_trades_quotes_and_books_are_read_in_both_encodings(encoding: Any) -> None:
    codec, counts = a_codec(encoding)

    events = decoded(codec, TRADE, QUOTE, BOOK)

    at_ns = rfc3339_ns(AT)
    assert events == [
        Trade(1, "BTC/USD", at_ns, NOW_NS, 27_539.494, 0.2632414, trade_id=35_447_483),
        Quote(2, "ETH/USD", at_ns, NOW_NS, 1_800.5, 3.25, 1_801.0, 0.5),
        Quote(3, "BTC/USD", at_ns, NOW_NS, 10.0, 1.0, 11.0, 3.0),
    ]
    assert counts.received == {"trades": 1, "quotes": 2, "notices": 0}


def test_only_a_change_of_the_top_is_a_quote() -> None:
    codec, _ = a_codec()
    changes = [
        {"b": [{"p": 8.0, "s": 5.0}], "a": []},
        {"b": [{"p": 10.0, "s": 0}], "a": []},
        {"b": [], "a": [{"p": 10.5, "s": 1.0}]},
    ]

    events = decoded(codec, BOOK, *({"T": "o", "S": "BTC/USD", "t": AT} | change for change in changes))

    tops = [(event.bid, event.bid_size, event.ask, event.ask_size) for event in events]  # type: ignore[union-attr]
    assert tops == [(10.0, 1.0, 11.0, 3.0), (9.0, 2.0, 11.0, 3.0), (9.0, 2.0, 10.5, 1.0)]
    assert [event.ordinal for event in events] == [1, 2, 3]


def test_a_new_connection_sends_the_books_anew() -> None:
    codec, _ = a_codec()
    decoded(codec, BOOK)

    codec.forget_books()

    assert len(decoded(codec, BOOK)) == 1


def test_books_are_subscribed_in_place_of_quotes() -> None:
    codec, _ = a_codec(uses_books=True)

    request = codec.encode({"action": "subscribe", "trades": ["A/B"], "quotes": ["A/B"]})
    answer = {"T": "subscription", "trades": ["A/B"], "quotes": [], "orderbooks": ["A/B"], "bars": []}
    (control,) = codec.decode(msgspec.json.encode([answer]), NOW_NS, [])

    assert msgspec.json.decode(request) == {"action": "subscribe", "trades": ["A/B"], "orderbooks": ["A/B"]}
    assert (control.trades, control.quotes) == (["A/B"], ["A/B"])


@pytest.mark.parametrize(
    ("fault", "kind", "cause"),
    [
        (TRADE | {"p": 0}, "trades", "price"),
        (TRADE | {"i": 2**64}, "trades", "id"),
        (TRADE | {"t": "soon"}, "trades", "time"),
        (QUOTE | {"as": -1}, "quotes", "size"),
        (BOOK | {"b": 7}, "quotes", "book"),
        (BOOK | {"t": 7}, "quotes", "time"),
    ],
)
def test_a_malformed_message_is_rejected_and_the_rest_of_its_frame_delivered(fault: Any, kind: str, cause: str) -> None:
    codec, counts = a_codec()

    events = decoded(codec, TRADE, fault, QUOTE)

    assert [event.ordinal for event in events] == [1, 2]
    assert counts.rejected[kind] == {cause: 1}


def test_a_book_in_a_frame_with_a_malformed_message_is_applied_once() -> None:
    codec, counts = a_codec()

    events = decoded(codec, BOOK, TRADE | {"p": -1}, {"T": "o", "S": "BTC/USD", "t": AT, "b": [{"p": 10.5, "s": 1}]})

    assert [event.bid for event in events] == [10.0, 10.5]  # type: ignore[union-attr]
    assert counts.received == {"trades": 1, "quotes": 2, "notices": 0}
