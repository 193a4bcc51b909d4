"""No exception leaves a protocol, whatever a venue sends; all that is read is counted."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from desk.config import FeedPlan
from desk.config.kinds import FEED_KINDS
from desk.model.block_rows import BlockFeedCounts
from desk.model.errors import DeskError
from desk.model.ticks import class_of
from desk.streams.stream_protocol import HangUp, StreamProtocol
from desk.venues.alpaca.crypto.protocol import CryptoProtocol
from desk.venues.alpaca.market.protocol import AlpacaProtocol
from desk.venues.json.protocol import JsonProtocol
from desk.venues.polygon.protocol import PolygonProtocol

NOW_NS = 1_800_000_000_000_000_000
AT = "2026-01-05T14:30:01.670905508Z"
AT_MS = 1_767_623_401_670
BOTH = frozenset({"trades", "quotes"})
Frames = list[list[dict[str, Any]] | dict[str, Any]]

ALPACA: Frames = [
    [{"T": "success", "msg": "connected"}],
    [{"T": "success", "msg": "authenticated"}],
    [{"T": "subscription", "trades": ["A"], "quotes": ["A"], "bars": [], "statuses": []}],
    [
        {"T": "t", "S": "A", "i": 628, "x": "K", "p": 162.92, "s": 3, "c": ["@", "I"], "z": "C", "t": AT},
        {"T": "q", "S": "A", "bx": "K", "bp": 1.0, "bs": 2, "ax": "Q", "ap": 1.1, "as": 1, "c": ["R"], "z": "C",
         "t": AT},
        {"T": "c", "S": "A", "x": "M", "oi": 1, "op": 39.1, "os": 4, "oc": ["7"], "ci": 2, "cp": 39.2, "cs": 4,
         "cc": ["7"], "z": "B", "t": AT},
        {"T": "x", "S": "A", "i": 465, "x": "D", "p": 105.31, "s": 300, "a": "C", "z": "C", "t": AT},
        {"T": "l", "S": "A", "u": 3.24, "d": 2.65, "i": "B", "t": AT, "z": "C"},
        {"T": "s", "S": "A", "sc": "H", "sm": "halt", "rc": "T12", "rm": "why", "z": "C", "t": AT},
        {"T": "b", "S": "A", "o": 1.0, "h": 1.1, "l": 0.9, "c": 1.0, "v": 131, "n": 3, "vw": 1.0, "t": AT},
    ],
    [{"T": "error", "code": 500, "msg": "internal error"}],
]  # fmt: skip
CRYPTO: Frames = [
    *ALPACA[:2],
    [{"T": "subscription", "trades": ["A/B"], "orderbooks": ["A/B"]}],
    [
        {"T": "t", "S": "A/B", "p": 27_539.4, "s": 0.26, "t": AT, "i": 35, "tks": "B"},
        {"T": "q", "S": "A/B", "bp": 1.0, "bs": 2.0, "ap": 1.1, "as": 1.0, "t": AT},
        {"T": "o", "S": "A/B", "t": AT, "r": True, "b": [{"p": 10.0, "s": 1.0}], "a": [{"p": 11.0, "s": 3.0}]},
    ],
]
POLYGON: Frames = [
    [{"ev": "status", "status": "connected", "message": "Connected Successfully"}],
    [{"ev": "status", "status": "auth_success", "message": "authenticated"}],
    [{"ev": "status", "status": "success", "message": "subscribed to: T.A"}],
    [
        {"ev": "T", "sym": "A", "x": 4, "i": "12345", "z": 3, "p": 114.1, "s": 100, "ds": "100.5", "c": [0, 12],
         "t": AT_MS, "trfi": 202},
        {"ev": "Q", "sym": "A", "bx": 4, "bp": 1.0, "bs": 100, "ax": 7, "ap": 1.1, "as": 160, "c": 1, "t": AT_MS,
         "z": 3},
        {"ev": "AM", "sym": "A", "v": 41, "vw": 0.4, "o": 0.4, "c": 0.4, "h": 0.4, "l": 0.4, "s": AT_MS, "e": AT_MS},
        {"ev": "A", "sym": "A", "v": 41, "c": 0.4, "s": AT_MS},
        {"ev": "LULD", "T": "A", "h": 492.9, "l": 446.0, "i": [16, 17], "z": 3, "t": 1_764_086_430_905_642_800, "q": 5},
    ],
    [{"ev": "status", "status": "error", "message": "not authorized"}],
]  # fmt: skip
TICK = {"symbol": "A", "timestamp": AT, "bid": 1.0, "ask": "1.1", "bid_size": 3, "ask_size": 2, "volume": 9, "last": 1}
JSON: Frames = [{"id": 1, "result": "ok"}, TICK, [TICK | {"volume": 12}, TICK], {"error": {"code": 1}}]
JSON_MAP = {"bid_size": "bid_size", "volume": "volume", "volume_is": "cumulative", "price": "last"}


def alpaca() -> AlpacaProtocol:
    return AlpacaProtocol("key", "secret", place="venue", channels=BOTH, counts=BlockFeedCounts())


def crypto() -> AlpacaProtocol:
    channels = frozenset({"trades", "orderbooks"})
    return CryptoProtocol("key", "secret", place="venue", channels=channels, counts=BlockFeedCounts())


def polygon() -> PolygonProtocol:
    channels = ("trades", "quotes", "bars", "lulds")
    return PolygonProtocol("key", place="venue", channels=channels, counts=BlockFeedCounts())


def generic() -> JsonProtocol:
    feed = FeedPlan.model_validate({"kind": "json", "url": "wss://stream.example/v1", "map": JSON_MAP})
    return JsonProtocol(feed, "", place="venue", counts=BlockFeedCounts())


KINDS: dict[str, tuple[Callable[[], Any], Frames]] = {
    "alpaca": (alpaca, ALPACA),
    "alpaca_crypto": (crypto, CRYPTO),
    "polygon": (polygon, POLYGON),
    "json": (generic, JSON),
}


def test_every_registered_stream_is_tried_here() -> None:
    assert set(KINDS) == {name for name, kind in FEED_KINDS.items() if kind.is_live}


def started(kind: str) -> Any:
    protocol = KINDS[kind][0]()
    protocol.subscribe(["*"])
    protocol.connected()
    return protocol


def receive(protocol: StreamProtocol, message: bytes, *, text: bool) -> None:
    protocol.receive(message, NOW_NS, text=text)
    for data in protocol.data_to_send():
        assert isinstance(data, bytes)
    protocol.take_notes()
    assert isinstance(protocol.verdict, HangUp | DeskError | None)
    assert isinstance(protocol.refused | protocol.unknown | protocol.unmapped, dict)
    assert protocol.awaiting is not None
    protocol.verdict = None


def require_counted(protocol: Any) -> None:
    """Every tick is counted as received, once, with an ordinal of its own; the rest is rejected or skipped."""
    ticks, counts = protocol.ticks, protocol.counts
    received = {kind: sum(class_of(tick) == kind for tick in ticks) for kind in counts.received}
    rejected = {kind: sum(causes.values()) for kind, causes in counts.rejected.items()}
    assert {kind: number - rejected[kind] for kind, number in counts.received.items()} == received
    assert all(number >= 0 for number in counts.skipped.values())
    ordinals = [tick.ordinal for tick in ticks]
    assert ordinals == sorted(set(ordinals))
    assert all(tick.symbol.isprintable() and 0 < tick.ts_ns < 2**63 for tick in ticks)


@pytest.mark.parametrize("kind", KINDS)
def test_a_sound_dialogue_gives_ticks_and_rejects_nothing(kind: str) -> None:
    protocol = started(kind)

    for frame in KINDS[kind][1]:
        receive(protocol, msgspec.json.encode(frame), text=True)

    require_counted(protocol)
    assert {"trades", "quotes"} <= {class_of(tick) for tick in protocol.ticks}
    assert not any(protocol.counts.rejected.values())


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from([10**400, -1]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)  # fmt: skip


@st.composite
def mutated_frame(draw: st.DrawFn, frames: Frames) -> bytes:
    """A frame with one field replaced, removed or renamed; then some of its bytes."""
    frame = json.loads(json.dumps(draw(st.sampled_from(frames))))
    message = frame if isinstance(frame, dict) else draw(st.sampled_from(frame))
    field = draw(st.sampled_from(sorted(message)))
    match draw(st.sampled_from(["replace", "remove", "rename", "repeat", "nothing"])):
        case "replace":
            message[field] = draw(VALUES)
        case "remove":
            del message[field]
        case "rename":
            message[draw(st.text(max_size=4))] = message.pop(field)
        case "repeat" if isinstance(frame, list):
            frame += frame
    data = bytearray(json.dumps(frame).encode())
    for _ in range(draw(st.integers(0, 2))):
        data[draw(st.integers(0, len(data) - 1))] = draw(st.integers(0, 255))
    return bytes(data[: draw(st.integers(1, len(data)))] if draw(st.booleans()) else data)


@pytest.mark.parametrize("kind", KINDS)
@given(st.data())
def test_no_exception_leaves_a_protocol_on_mutated_frames(kind: str, data: st.DataObject) -> None:
    protocol = started(kind)
    for frame in KINDS[kind][1][:3]:
        receive(protocol, msgspec.json.encode(frame), text=True)

    for _ in range(data.draw(st.integers(1, 4))):
        receive(protocol, data.draw(mutated_frame(KINDS[kind][1])), text=data.draw(st.booleans()))
    receive(protocol, msgspec.json.encode(KINDS[kind][1][3 if kind != "json" else 1]), text=True)

    require_counted(protocol)
    assert protocol.ticks


@pytest.mark.parametrize("kind", KINDS)
@given(st.binary(max_size=60), st.booleans())
def test_no_exception_leaves_a_protocol_on_any_bytes(kind: str, message: bytes, text: bool) -> None:
    protocol = started(kind)

    receive(protocol, message, text=text)

    require_counted(protocol)


def test_all_recorded_frames_are_read_or_named_as_unknown(shared_data: Path) -> None:
    lines = [json.loads(line) for line in (shared_data / "alpaca-wire-frames.jsonl").read_text().splitlines()]
    frames = [line["frame"] for line in lines if line["dir"] == "<" and isinstance(line["frame"], list)]
    protocol = started("alpaca")

    for frame in frames:
        receive(protocol, msgspec.json.encode(frame), text=True)

    messages = [message for frame in frames for message in frame]
    read = len(protocol.ticks) + sum(message["T"] in {"success", "subscription"} for message in messages)
    assert not any(protocol.counts.rejected.values())
    assert read + sum(protocol.codec.ignored.values()) + sum(protocol.counts.skipped.values()) == len(messages)
