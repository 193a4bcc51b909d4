import json
from typing import Any

import msgpack
import msgspec
import pytest
from msgspec.msgpack import Ext

from desk.local_venue.relay.frame_parts import MALFORMED, join_parts, split_frame

AT_NS = 1_767_623_400_123_456_789


def stamp(size: int) -> Ext:
    seconds, nanos = divmod(AT_NS, 10**9)
    if size == 4:
        return Ext(-1, seconds.to_bytes(4))
    if size == 8:
        return Ext(-1, (nanos << 34 | seconds).to_bytes(8))
    return Ext(-1, nanos.to_bytes(4) + seconds.to_bytes(8))


def frame(*messages: dict[str, Any]) -> bytes:
    return msgspec.msgpack.encode(list(messages))


@pytest.mark.parametrize("count", [1, 15, 16, 70_000])
def test_messages_are_passed_on_as_they_came(count: int) -> None:
    messages = [{"T": "t", "S": "SPY", "i": 2**63 + 1, "p": 1.25, "c": ["@", "I"], "t": stamp(8)}] * count

    parts = split_frame(frame(*messages))

    assert msgpack.unpackb(join_parts(parts, binary=True)) == msgpack.unpackb(frame(*messages))
    assert {(part.head.kind, part.head.symbol, part.channel) for part in parts} == {("t", "SPY", "trades")}


@pytest.mark.parametrize(("size", "text"), [(4, ""), (8, ".123456789"), (12, ".123456789")])
def test_json_keeps_all_digits(size: int, text: str) -> None:
    book = {"T": "o", "S": "BTC/USD", "b": [{"p": 1.5, "s": 2}], "r": True, "i": 2**64 - 1, "x": None, "t": stamp(size)}

    (part,) = split_frame(frame(book))

    assert json.loads(join_parts([part, part], binary=False)) == [{**book, "t": f"2026-01-05T14:30:00{text}Z"}] * 2


@pytest.mark.parametrize("noise", [b"", b"\x00", b"\x91\x01", b"\x91\x81\xa1T\x01", b"[1]", b"\x91" * 9_000])
def test_noise_is_malformed(noise: bytes) -> None:
    with pytest.raises(MALFORMED):
        split_frame(noise)
