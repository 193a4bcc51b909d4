"""Bars, statuses and bands of the venue: in order with the ticks, and what a feed tells of single symbols by them."""

from typing import Any

import pytest
from alpaca_feeds import START_NS, ManualClock, make_feed, until
from alpaca_server import NS, AlpacaServer, Client, stamp, trade

from desk.feeds.frames import frames_of
from desk.model.block_rows import BlockFeedCounts
from desk.model.notices import PriceBands, TradingStatus, VenueBar
from desk.model.ticks import Event, Trade
from desk.venues.alpaca.market.codec import Codec
from desk.venues.alpaca.market.factory import HELPERS

MINUTE_NS = 60 * NS


def bar(symbol: str, minute_ns: int, kind: str = "b", **more: Any) -> dict[str, Any]:
    values = {"o": 10.0, "h": 11.0, "l": 9.0, "c": 10.5, "v": 1200, "n": 7, "vw": 10.25}
    return {"T": kind, "S": symbol, **values, "t": stamp(minute_ns), **more}


def halt(symbol: str, ts_ns: int) -> dict[str, Any]:
    texts = {"sc": "H", "sm": "Trading Halt", "rc": "T12", "rm": "Trading Halted; For information", "z": "C"}
    return {"T": "s", "S": symbol, **texts, "t": stamp(ts_ns)}


def bands(symbol: str, ts_ns: int) -> dict[str, Any]:
    return {"T": "l", "S": symbol, "u": 3.24, "d": 2.65, "i": "B", "z": "C", "t": stamp(ts_ns)}


def decoded(*messages: dict[str, Any]) -> tuple[list[Event], BlockFeedCounts]:
    counts, events = BlockFeedCounts(), list[Event]()
    codec = Codec("msgpack", "venue", counts)
    codec.decode(codec.encode(messages), 7, events)
    return events, counts


def test_notices_stand_where_they_came_between_the_ticks_and_number_on_with_them() -> None:
    events, counts = decoded(
        trade("A", 1 * NS), bar("A", NS), halt("B", 2 * NS), bands("A", 3 * NS), bar("A", NS, "u"), trade("A", 4 * NS)
    )

    assert [type(event) for event in events] == [Trade, VenueBar, TradingStatus, PriceBands, VenueBar, Trade]
    assert [event.ordinal for event in events] == [1, 2, 3, 4, 5, 6]
    assert events[1] == VenueBar(2, "A", NS, 7, 10.0, 11.0, 9.0, 10.5, 1200.0, 7, 10.25)
    assert events[2] == TradingStatus(
        3, "B", 2 * NS, 7, "H", "Trading Halt", "T12", "Trading Halted; For information", "C"
    )
    assert events[3] == PriceBands(4, "A", 3 * NS, 7, 2.65, 3.24, "B", "C")
    assert [event.updated for event in events if isinstance(event, VenueBar)] == [False, True]
    assert counts.received == {"trades": 2, "quotes": 0, "notices": 4}


@pytest.mark.parametrize(
    ("message", "cause"),
    [
        (bar("A", NS, o=0), "message"),
        (bar("A", NS, v=-1), "message"),
        (bar("A", NS, t="soon"), "time"),
        (bar("", NS), "symbol"),
        ({"T": "s", "S": "A", "t": stamp(NS)}, "message"),
        ({**halt("A", NS), "sm": "x" * 1_000}, "message"),
        ({**bands("A", NS), "u": -1.0}, "message"),
    ],
)
def test_a_malformed_notice_is_rejected_as_one_and_affects_no_other_message(
    message: dict[str, Any], cause: str
) -> None:
    events, counts = decoded(trade("A", NS), message, trade("A", 2 * NS))

    assert [type(event) for event in events] == [Trade, Trade]
    assert counts.rejected["notices"] == {cause: 1}
    assert counts.received == {"trades": 2, "quotes": 0, "notices": 1}


def test_a_feed_tells_which_symbols_traded_and_what_the_venue_said_of_them() -> None:
    async def script(client: Client) -> None:
        await client.greet()
        await client.acknowledge()
        await client.send(bar("B", START_NS - MINUTE_NS), halt("B", START_NS), trade("A", START_NS))
        await client.stay()

    with AlpacaServer(script) as server:
        feed = make_feed(server, ManualClock(), helpers=HELPERS)
        frames = frames_of(feed, feed._clock)
        until(frames, bool)
        activity, later = feed.take_activity(), feed.take_activity()
        frames.close()

    assert activity.traded == {"A"}
    assert [(each.symbol, each.ts_ns) for each in activity.bars] == [("B", START_NS - MINUTE_NS)]
    assert [(each.symbol, each.halted) for each in activity.statuses] == [("B", True)]
    assert (later.traded, later.bars) == (set(), [])
    assert {name: server.received[1].get(name) for name in HELPERS} == {name: ["A", "B"] for name in HELPERS}
