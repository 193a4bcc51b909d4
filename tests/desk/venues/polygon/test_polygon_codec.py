"""Frames become ticks and notices; messages from the vendor's documents."""

from typing import Any

import msgspec
import pytest

from desk.model.block_rows import BlockFeedCounts
from desk.model.notices import PriceBands, TradingStatus, VenueBar
from desk.model.ticks import Event, Quote, Trade
from desk.venues.polygon.codec import PolygonCodec

NOW_NS = 1_800_000_000_000_000_000
MS = 1_000_000
TRADE = {"ev": "T", "sym": "MSFT", "x": 4, "i": "12345", "z": 3, "p": 114.125, "s": 100, "c": [0, 12],
         "t": 1536036818784, "q": 3681328}  # fmt: skip
QUOTE = {"ev": "Q", "sym": "MSFT", "bx": 4, "bp": 114.125, "bs": 100, "ax": 7, "ap": 114.128, "as": 160, "c": 0,
         "i": [604], "t": 1536036818784, "q": 50385480, "z": 3}  # fmt: skip
MINUTE = {"ev": "AM", "sym": "GTE", "v": 4110, "av": 9470157, "op": 0.4372, "vw": 0.4488, "o": 0.4488, "c": 0.4486,
          "h": 0.4489, "l": 0.4486, "a": 0.4352, "z": 685, "s": 1610144640000, "e": 1610144700000}  # fmt: skip
SECOND = MINUTE | {"ev": "A", "e": 1610144641000}
BANDS = {"ev": "LULD", "T": "MSFT", "h": 492.99, "l": 446.04, "i": [16], "z": 3, "t": 1764086430905642800,
         "q": 5925769}  # fmt: skip


def decoded(*messages: Any) -> tuple[list[Event], BlockFeedCounts, PolygonCodec]:
    counts, events = BlockFeedCounts(), []
    codec = PolygonCodec("here", counts)
    codec.decode(msgspec.json.encode(messages), NOW_NS, events)
    return events, counts, codec


def test_every_kind_of_the_documents_is_read() -> None:
    events, counts, codec = decoded(TRADE, QUOTE, MINUTE, SECOND, BANDS)

    assert events == [
        Trade(1, "MSFT", 1536036818784 * MS, NOW_NS, 114.125, 100.0, "@T", "D", 12345, "C"),
        Quote(2, "MSFT", 1536036818784 * MS, NOW_NS, 114.125, 100.0, 114.128, 160.0, "D/J", "R"),
        VenueBar(3, "GTE", 1610144640000 * MS, NOW_NS, 0.4488, 0.4489, 0.4486, 0.4486, 4110.0, vwap=0.4488),
        PriceBands(4, "MSFT", 1764086430905642800, NOW_NS, 446.04, 492.99, "C", "C"),
    ]
    assert counts.received == {"trades": 1, "quotes": 1, "notices": 2}
    assert codec.codes.unmapped == {}
    assert codec.unknown == {}


def test_halts_and_resumptions_are_trading_statuses() -> None:
    events, _, _ = decoded(BANDS | {"i": [17]}, BANDS | {"i": [18]})

    statuses = [event for event in events if isinstance(event, TradingStatus)]
    assert [status.halted for status in statuses] == [True, False]
    assert [event.ordinal for event in events] == [1, 2, 3, 4]


def test_a_size_with_a_fraction_of_a_share_is_exact() -> None:
    events, _, _ = decoded(TRADE | {"s": 0, "ds": "0.25"})

    assert events[0].size == 0.25  # type: ignore[union-attr]


def test_ids_are_unique_per_trade_reporting_facility() -> None:
    events, _, _ = decoded(TRADE | {"trfi": 201}, TRADE | {"trfi": 202}, TRADE)

    assert len({event.trade_id for event in events}) == 3  # type: ignore[union-attr]


def test_an_empty_side_of_a_quote_has_price_and_size_0() -> None:
    events, _, _ = decoded({"ev": "Q", "sym": "A", "bx": 4, "bp": 1.0, "bs": 100, "t": 1536036818784})

    assert (events[0].ask, events[0].ask_size) == (0.0, 0.0)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("fault", "kind", "cause"),
    [
        (TRADE | {"p": 0}, "trades", "price"),
        (TRADE | {"p": "1"}, "trades", "price"),
        (TRADE | {"s": 0}, "trades", "size"),
        (TRADE | {"ds": "nan"}, "trades", "size"),
        (TRADE | {"ds": "much"}, "trades", "size"),
        (TRADE | {"sym": ""}, "trades", "symbol"),
        (TRADE | {"sym": "A\u202e"}, "trades", "symbol"),
        (TRADE | {"t": 0}, "trades", "time"),
        (TRADE | {"c": ["@"]}, "trades", "message"),
        (QUOTE | {"bp": -1}, "quotes", "price"),
        (QUOTE | {"as": -1}, "quotes", "size"),
        (MINUTE | {"h": None}, "notices", "message"),
        (BANDS | {"T": 7}, "notices", "message"),
        ({"sym": "A"}, "trades", "kind"),
        (17, "trades", "kind"),
    ],
)
def test_a_malformed_message_is_rejected_and_the_rest_of_its_frame_delivered(fault: Any, kind: str, cause: str) -> None:
    events, counts, _ = decoded(TRADE, fault, QUOTE)

    assert [event.ordinal for event in events] == [1, 2]
    assert counts.rejected[kind] == {cause: 1}
    assert sum(counts.received.values()) == 3
    assert counts.examples == [f"here: frame 1, message 2: {cause}"]


def test_unknown_kinds_are_counted_and_known_unused_ones_are_not_unknown() -> None:
    events, _, codec = decoded({"ev": "ZZ"}, TRADE, {"ev": "NOI", "T": "A"})

    assert [event.symbol for event in events] == ["MSFT"]
    assert codec.ignored == {"ZZ": 1, "NOI": 1}
    assert codec.unknown == {"ZZ": 1}


@pytest.mark.parametrize("frame", [b"", b"{", b"{}", b"\xff", b"[" * 5_000])
def test_a_frame_that_is_no_array_is_one_rejected(frame: bytes) -> None:
    counts = BlockFeedCounts()
    events: list[Event] = []

    PolygonCodec("here", counts).decode(frame, NOW_NS, events)

    assert events == []
    assert counts.rejected["trades"] == {"frame": 1}
