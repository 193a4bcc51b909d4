"""Messages of a JSON stream become quotes, and trades where the volume is cumulative."""

from typing import Any

import msgspec
import pytest

from desk.config import JsonMap
from desk.model.block_rows import BlockFeedCounts
from desk.model.ticks import Event, Quote, Trade
from desk.venues.json.codec import UNKNOWN_SIZE, JsonCodec

NOW_NS = 1_800_000_000_000_000_000
S = 1_000_000_000
AT_NS = 1_767_623_400 * S
TICK = {"symbol": "AAPL", "timestamp": "2026-01-05T14:30:00.25Z", "bid": 100.0, "ask": "100.5", "bid_size": 300,
        "ask_size": 200.0, "volume": 1_000}  # fmt: skip
SIZES = {"bid_size": "bid_size", "ask_size": "ask_size"}


def a_codec(**fields: Any) -> tuple[JsonCodec, BlockFeedCounts]:
    counts = BlockFeedCounts()
    return JsonCodec(JsonMap.model_validate(SIZES | fields), "here", counts), counts


def decoded(codec: JsonCodec, *messages: Any) -> list[Event]:
    events: list[Event] = []
    for message in messages:
        codec.decode(msgspec.json.encode(message), NOW_NS, events)
    return events


def test_an_object_is_a_quote() -> None:
    codec, counts = a_codec()

    assert decoded(codec, TICK) == [Quote(1, "AAPL", AT_NS + 250_000_000, NOW_NS, 100.0, 300.0, 100.5, 200.0)]
    assert counts.received == {"trades": 0, "quotes": 1, "notices": 0}


def test_a_list_and_a_field_with_ticks_are_read() -> None:
    codec, _ = a_codec(ticks="data.rows", bid="best.0.0", ask="best.1.0")
    row = {"symbol": "A", "timestamp": "2026-01-05T14:30:00", "best": [[1.5], [1.6]]}

    events = decoded(codec, {"data": {"rows": [row, row | {"symbol": "B"}]}}, {"data": {"rows": row}})

    assert [(event.symbol, event.bid, event.ask) for event in events] == [  # type: ignore[union-attr]
        ("A", 1.5, 1.6), ("B", 1.5, 1.6), ("A", 1.5, 1.6)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("time_format", "value"),
    [
        ("iso", "2026-01-05T14:30:00Z"),
        ("iso", "2026-01-05T14:30:00"),
        ("iso", "2026-01-05T09:30:00-05:00"),
        ("s", 1_767_623_400),
        ("s", "1767623400.0"),
        ("ms", 1_767_623_400_000),
        ("us", 1_767_623_400_000_000),
        ("ns", AT_NS),
    ],
)
def test_times_are_read_in_the_plan_s_format(time_format: str, value: Any) -> None:
    codec, _ = a_codec(time_format=time_format)

    assert [event.ts_ns for event in decoded(codec, TICK | {"timestamp": value})] == [AT_NS]


def test_sizes_that_the_venue_does_not_send_are_a_round_lot() -> None:
    codec, _ = a_codec(bid_size="", ask_size="")

    (quote,) = decoded(codec, TICK | {"ask": None})

    assert (quote.bid_size, quote.ask, quote.ask_size) == (UNKNOWN_SIZE, 0.0, 0.0)  # type: ignore[union-attr]


def test_the_increase_of_a_cumulative_volume_is_a_trade_at_the_mapped_price() -> None:
    codec, counts = a_codec(volume="volume", volume_is="cumulative", price="last")
    volumes = (1_000, 1_000, 1_250, 40, 70)

    events = decoded(codec, *(TICK | {"volume": volume, "last": 100.25} for volume in volumes))

    trades = [event for event in events if isinstance(event, Trade)]
    assert [(trade.price, trade.size) for trade in trades] == [(100.25, 250.0), (100.25, 30.0)]
    assert [event.ordinal for event in events] == list(range(1, 8))
    assert counts.received == {"trades": 2, "quotes": 5, "notices": 0}


def test_what_was_traded_while_there_was_no_connection_is_no_trade() -> None:
    codec, _ = a_codec(volume="volume", volume_is="cumulative", price="last")
    decoded(codec, TICK | {"last": 1.0})

    codec.forget_volumes()

    assert [type(event) for event in decoded(codec, TICK | {"volume": 9_000, "last": 1.0})] == [Quote]


def test_a_volume_without_a_price_is_activity_only() -> None:
    codec, _ = a_codec(volume="volume", volume_is="cumulative")

    events = decoded(codec, TICK, TICK | {"volume": 1_400})

    assert [type(event) for event in events] == [Quote, Quote]
    assert codec.activity == 400.0


def test_an_ignored_volume_makes_no_trade() -> None:
    codec, _ = a_codec(volume="volume", price="last")

    assert [type(event) for event in decoded(codec, TICK | {"last": 1.0}, TICK | {"volume": 2_000, "last": 1.0})] == [
        Quote, Quote
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("fault", "cause"),
    [
        (TICK | {"symbol": 7}, "symbol"),
        (TICK | {"symbol": "A" * 100}, "symbol"),
        (TICK | {"symbol": "A\n"}, "symbol"),
        (TICK | {"timestamp": "soon"}, "time"),
        (TICK | {"timestamp": None}, "time"),
        (TICK | {"timestamp": 17}, "time"),
        (TICK | {"bid": -1}, "price"),
        (TICK | {"bid": True}, "price"),
        (TICK | {"bid": [1]}, "price"),
        (TICK | {"bid": "nan"}, "price"),
        (TICK | {"bid": None, "ask": 0}, "price"),
        (TICK | {"bid_size": "many"}, "size"),
        (17, "symbol"),
        ([17], "symbol"),
    ],
)
def test_a_malformed_tick_is_rejected_by_its_cause(fault: Any, cause: str) -> None:
    codec, counts = a_codec()

    events = decoded(codec, TICK, fault, TICK)

    assert [event.ordinal for event in events] == [1, 2]
    assert counts.rejected["quotes"] == {cause: 1}
    assert counts.examples == [f"here: message 2, tick 1: {cause}"]


@pytest.mark.parametrize("number", [10**400, -(10**400)])
def test_a_number_beyond_any_float_is_rejected(number: int) -> None:
    codec, counts = a_codec()

    codec.decode(f'{{"symbol": "A", "timestamp": "2026-01-05T14:30:00Z", "bid": {number}}}'.encode(), NOW_NS, [])

    assert counts.rejected["quotes"] == {"price": 1}


def test_objects_without_a_symbol_are_no_ticks() -> None:
    codec, counts = a_codec()
    events: list[Event] = []

    others = codec.decode(b'[{"id": 1}, {"symbol": null}]', NOW_NS, events)

    assert others == [{"id": 1}, {"symbol": None}]
    assert events == []
    assert counts.rejected["quotes"] == {}
