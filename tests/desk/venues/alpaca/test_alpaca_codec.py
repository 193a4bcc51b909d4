"""Frames become ticks: exactly, in order, and a malformed message affects no other message."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from alpaca_server import quote, stamp, trade
from hypothesis import given
from hypothesis import strategies as st
from test_alpaca_timestamps import text_of

from desk.model.block_rows import BlockFeedCounts
from desk.model.notices import PriceBands, TradingStatus, VenueBar
from desk.model.ticks import Cancel, Correction, Event, Quote, Trade
from desk.venues.alpaca.market.codec import Codec
from desk.venues.alpaca.market.wire import Acknowledgement, Success
from desk.venues.timestamps import rfc3339_ns

NOW_NS = 1_800_000_000_000_000_000


def decoded(codec: Codec, frame: bytes) -> list[Event]:
    ticks: list[Event] = []
    codec.decode(frame, NOW_NS, ticks)
    return ticks


def recorded(folder: Path) -> list[list[dict[str, Any]]]:
    lines = [json.loads(line) for line in (folder / "alpaca-wire-frames.jsonl").read_text().splitlines()]
    return [line["frame"] for line in lines if line["dir"] == "<" and isinstance(line["frame"], list)]


def as_tick(ordinal: int, m: dict[str, Any]) -> Event:
    ts_ns = rfc3339_ns(m["t"])
    if m["T"] in "bu":
        prices = (m["o"], m["h"], m["l"], m["c"])
        return VenueBar(ordinal, m["S"], ts_ns, NOW_NS, *prices, m["v"], m["n"], m["vw"], m["T"] == "u")
    if m["T"] == "l":
        return PriceBands(ordinal, m["S"], ts_ns, NOW_NS, m["d"], m["u"], m["i"], m["z"])
    if m["T"] == "s":
        return TradingStatus(ordinal, m["S"], ts_ns, NOW_NS, m["sc"], m["sm"], m["rc"], m["rm"], m["z"])
    if m["T"] == "c":
        old, new = ("".join(m[key]).replace(" ", "") for key in ("oc", "cc"))
        now = (m["cp"], m["cs"], new, m["x"], m["ci"], m["z"])
        return Correction(ordinal, m["S"], ts_ns, NOW_NS, m["oi"], *now, m["op"], m["os"], old)
    if m["T"] == "x":
        return Cancel(ordinal, m["S"], ts_ns, NOW_NS, m["i"], m["x"], m["z"], m["p"], m["s"])
    conditions = "".join(m["c"]).replace(" ", "")
    if m["T"] == "t":
        return Trade(ordinal, m["S"], ts_ns, NOW_NS, m["p"], m["s"], conditions, m["x"], m["i"], m["z"])
    exchange = m["bx"] if m["bx"] == m["ax"] else f"{m['bx']}/{m['ax']}"
    return Quote(ordinal, m["S"], ts_ns, NOW_NS, m["bp"], m["bs"], m["ap"], m["as"], exchange, conditions)


MESSAGES = (
    {"T": "q", "S": "BAC", "bx": "K", "bp": 14.02, "bs": 2, "ax": "Q", "ap": 14.03, "as": 1, "c": ["R"], "z": "A",
     "t": "2026-01-05T14:30:01.670905508Z"},
    {"T": "t", "S": "BAC", "i": 52_983_525_033_527, "x": "P", "p": 14.025, "s": 71, "c": [" ", "F", "T", "I"],
     "z": "A", "t": "2026-01-05T14:30:01.83915973Z"},
    {"T": "c", "S": "BAC", "x": "M", "oi": 1, "op": 14.0, "os": 10, "oc": ["@"], "ci": 2, "cp": 14.1, "cs": 10,
     "cc": ["@"], "z": "A", "t": "2026-01-05T14:30:02Z"},
    {"T": "x", "S": "BAC", "i": 465, "x": "D", "p": 14.0, "s": 300, "a": "C", "z": "A", "t": "2026-01-05T14:30:03Z"},
    {"T": "l", "S": "BAC", "u": 15.4, "d": 12.6, "i": "B", "z": "A", "t": "2026-01-05T14:30:04Z"},
    {"T": "i", "S": "BAC", "p": 14.0, "z": "A", "t": "2026-01-05T14:30:05Z"},
    {"T": "b", "S": "BAC", "o": 14.0, "h": 14.1, "l": 13.9, "c": 14.0, "v": 131, "n": 3, "vw": 14.02,
     "t": "2026-01-05T14:30:00Z"},
)  # fmt: skip
"""One message of each kind, written by hand."""


@pytest.mark.parametrize("encoding", ["json", "msgpack"])
def test_a_frame_with_every_kind_of_message_gives_its_trades_and_quotes(encoding: Any) -> None:
    codec = Codec(encoding, "every kind", BlockFeedCounts())

    if encoding == "json":
        found = decoded(codec, msgspec.json.encode(MESSAGES))
    else:
        found = decoded(codec, msgspec.msgpack.encode([{**m, "t": stamp(rfc3339_ns(m["t"]))} for m in MESSAGES]))

    second_ns = 1_767_623_401 * 10**9
    assert [tick for tick in found if isinstance(tick, Trade | Quote)] == [
        Quote(1, "BAC", second_ns + 670_905_508, NOW_NS, 14.02, 2, 14.03, 1, "K/Q", "R"),
        Trade(2, "BAC", second_ns + 839_159_730, NOW_NS, 14.025, 71, "FTI", "P", 52_983_525_033_527, "A"),
    ]


@pytest.mark.parametrize("encoding", ["json", "msgpack"])
def test_recorded_frames_decode_to_what_they_say(shared_data: Path, encoding: Any) -> None:
    codec = Codec(encoding, "recorded", BlockFeedCounts())
    expected, found, controls = [], [], []

    for frame in recorded(shared_data):
        expected += [
            as_tick(len(expected) + number, m) for number, m in enumerate([m for m in frame if m["T"] in "tqcxbusl"], 1)
        ]
        if encoding == "json":
            data = msgspec.json.encode(frame)
        else:
            data = msgspec.msgpack.encode([{**m, "t": stamp(rfc3339_ns(m["t"]))} if "t" in m else m for m in frame])
        controls += codec.decode(data, NOW_NS, found)

    assert found == expected
    assert len(found) == 14
    prints = [tick for tick in found if isinstance(tick, Trade)]
    assert prints[-1].trade_id == 52983625699126
    assert prints[-1].conditions == "FTI"
    assert [type(control) for control in controls] == [Success, Success, Acknowledgement]
    assert codec.ignored == {"i": 1}


numbers = st.floats(0.0001, 1e6)
letters = st.lists(st.sampled_from(["@", "F", "T", "I", " ", "7"]), max_size=4)
names = st.text(min_size=1, max_size=6).filter(str.isprintable)
times = st.integers(1, 4_000_000_000 * 1_000_000_000)
wire_trades = st.builds(
    lambda s, p, z, c, t, i: {"T": "t", "S": s, "p": p, "s": z, "c": c, "t": t, "i": i, "x": "V", "z": "B"},
    names, numbers, st.integers(1, 10**6), letters, times, st.integers(0, 2**47),
)  # fmt: skip
wire_quotes = st.builds(
    lambda s, p, z, c, t, x: {"T": "q", "S": s, "bp": p, "bs": z, "ap": 0, "as": 0, "c": c, "t": t, "bx": "V", "ax": x},
    names, numbers, st.integers(0, 10**6), letters, times, st.sampled_from("VQ"),
)  # fmt: skip


@given(st.lists(wire_trades | wire_quotes, max_size=60), st.sampled_from(["msgpack", "json"]))
def test_what_is_encoded_is_decoded_to_the_nanosecond(messages: list[dict[str, Any]], encoding: Any) -> None:
    counts = BlockFeedCounts()
    codec = Codec(encoding, "round trip", counts)
    dressed = [{**m, "t": stamp(m["t"]) if encoding == "msgpack" else text_of(m["t"])} for m in messages]

    found = decoded(codec, codec.encode(dressed))

    assert found == [as_tick(number, {**m, "t": text_of(m["t"])}) for number, m in enumerate(messages, 1)]
    assert sum(counts.received.values()) == len(messages)


@pytest.mark.parametrize(
    ("fault", "kind", "cause"),
    [
        (trade("A", 1, price=0), "trades", "price"),
        (trade("A", 1, price=float("nan")), "trades", "price"),
        (trade("A", 1, price=float("inf")), "trades", "price"),
        (trade("A", 1, price="1"), "trades", "price"),
        (trade("A", 1, s=-1), "trades", "size"),
        (trade("A", 1, s=0), "trades", "size"),
        (trade("", 1), "trades", "symbol"),
        (trade("A", 0), "trades", "time"),
        (trade("A", 1, t="soon"), "trades", "time"),
        (trade("A", 1, c=[1]), "trades", "message"),
        ({"T": "t", "S": "A", "p": 1, "s": 1}, "trades", "time"),
        (quote("A", 1, bp=-1), "quotes", "price"),
        (quote("A", 1, **{"as": None}), "quotes", "size"),
        ({"S": "A"}, "trades", "kind"),
        (17, "trades", "kind"),
    ],
)
def test_a_malformed_message_is_rejected_and_the_rest_of_its_frame_delivered(fault: Any, kind: str, cause: str) -> None:
    counts = BlockFeedCounts()
    codec = Codec("msgpack", "here", counts)

    found = decoded(codec, codec.encode([trade("A", 5), fault, quote("B", 6)]))

    assert [(tick.ordinal, tick.symbol) for tick in found] == [(1, "A"), (2, "B")]
    assert counts.rejected[kind] == {cause: 1}
    assert sum(counts.received.values()) == 3
    assert counts.examples == [f"here: frame 1, message 2: {cause}"]


def test_kinds_that_are_unknown_are_counted_and_passed_over() -> None:
    codec = Codec("msgpack", "here", counts := BlockFeedCounts())

    found = decoded(codec, codec.encode([{"T": "zz"}, trade("A", 5), {"T": "d", "S": "A"}]))

    assert [tick.symbol for tick in found] == ["A"]
    assert codec.ignored == {"zz": 1, "d": 1}
    assert codec.unknown == {"zz": 1}
    assert counts.rejected == {"trades": {}, "quotes": {}, "notices": {}}


@pytest.mark.parametrize("frame", [b"", b"\xc1", b"\x93\x01", msgspec.msgpack.encode({"T": "t"})])
def test_a_frame_that_is_no_array_of_messages_is_one_rejected(frame: bytes) -> None:
    codec = Codec("msgpack", "here", counts := BlockFeedCounts())

    found = decoded(codec, frame)

    assert found == []
    assert counts.rejected["trades"] == {"frame": 1}
    assert counts.examples == ["here: frame 1: frame"]


U64 = 2**64 - 1


def a_message(kind: str, **more: Any) -> dict[str, Any]:
    plain = {"S": "A", "x": "V", "z": "C", "t": "2026-03-02T14:30:00Z"}
    of_kind = {
        "t": {"p": 1.0, "s": 1.0},
        "c": {"oi": 1, "op": 1.0, "os": 1.0, "oc": ["@"], "ci": 2, "cp": 1.0, "cs": 1.0, "cc": ["@"]},
        "x": {"i": 1, "p": 1.0, "s": 1.0, "a": "C"},
    }
    return {"T": kind, **plain, **of_kind[kind], **more}


def decoded_of(encoding: Any, *messages: dict[str, Any]) -> tuple[list[Any], BlockFeedCounts]:
    counts, ticks = BlockFeedCounts(), []
    if encoding == "json":
        data = msgspec.json.encode(messages)
    else:
        data = msgspec.msgpack.encode([{**m, "t": stamp(rfc3339_ns(m["t"]))} for m in messages])
    Codec(encoding, "venue", counts).decode(data, NOW_NS, ticks)
    return ticks, counts


@pytest.mark.parametrize("encoding", ["json", "msgpack"])
def test_ids_have_64_bits_and_null_is_none(encoding: Any) -> None:
    ticks, counts = decoded_of(
        encoding,
        a_message("t", i=U64),
        a_message("t", i=None),
        a_message("t"),
        a_message("c", oi=U64 - 1, ci=None),
        a_message("x", i=U64),
    )

    assert [getattr(tick, "trade_id", None) for tick in ticks] == [U64, 0, 0, 0, None]
    assert [tick.original_id for tick in ticks[3:]] == [U64 - 1, U64]
    assert counts.received == {"trades": 5, "quotes": 0, "notices": 0}
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(ticks[0]), type=Trade) == ticks[0]


@pytest.mark.parametrize("message", [a_message("t", i=U64 + 1), a_message("c", ci=10**30), a_message("x", i=-1)])
def test_a_number_that_is_no_id_is_counted_and_the_others_of_its_frame_are_read(message: dict[str, Any]) -> None:
    ticks, counts = decoded_of("json", a_message("t", i=1), message, a_message("t", i=2))

    assert [tick.trade_id for tick in ticks] == [1, 2]
    assert counts.rejected["trades"] == {"message": 1}
    assert counts.received["trades"] == 3


@pytest.mark.parametrize("encoding", ["json", "msgpack"])
@pytest.mark.parametrize(
    ("message", "cause"),
    [
        (a_message("c", cp=-1.0), "price"),
        (a_message("c", cs=-1.0), "size"),
        (a_message("c", S=""), "symbol"),
        (a_message("x", S=7), "symbol"),
    ],
)
def test_a_malformed_correction_or_cancel_counts_as_a_trade(encoding: Any, message: dict[str, Any], cause: str) -> None:
    ticks, counts = decoded_of(encoding, message)

    assert ticks == []
    assert counts.rejected["trades"] == {cause: 1}
