"""A frame of the venue as messages that are passed on as they came, or transcoded to JSON.

Tests: tests/desk/local_venue/test_relay_frames.py
"""

from datetime import UTC, datetime
from functools import cached_property
from typing import Any, Final

import msgspec
from msgspec.msgpack import Ext

from desk.model.units import SECOND_NS

CHANNEL_OF_KIND: Final = {
    "t": "trades",
    "c": "trades",
    "x": "trades",
    "q": "quotes",
    "o": "orderbooks",
    "b": "bars",
    "u": "updatedBars",
    "d": "dailyBars",
    "s": "statuses",
    "l": "lulds",
}
TIMESTAMP: Final = -1
MALFORMED: Final = (msgspec.MsgspecError, ValueError, RecursionError)

_Value = Ext | str | int | float | bool | None | list[Any]
_decode_values = msgspec.msgpack.Decoder(dict[str, _Value]).decode


class MessageHead(msgspec.Struct):
    """The keys by which a message is passed on."""

    kind: str = msgspec.field(name="T", default="")
    symbol: str = msgspec.field(name="S", default="")
    code: int = 0
    msg: str = ""


_decode_parts = msgspec.msgpack.Decoder(list[msgspec.Raw]).decode
_decode_head = msgspec.msgpack.Decoder(MessageHead).decode


class MessagePart:
    """One message: its head, its bytes in MessagePack, and as JSON where a client needs it."""

    __slots__ = ("__dict__", "binary", "channel", "head")

    def __init__(self, raw: msgspec.Raw) -> None:
        self.binary = bytes(raw)
        self.head = _decode_head(self.binary)
        self.channel = CHANNEL_OF_KIND.get(self.head.kind, "")

    @cached_property
    def text(self) -> bytes:
        """The message as JSON; times as text with all of their digits."""
        return msgspec.json.encode({key: _plain(value) for key, value in _decode_values(self.binary).items()})


def split_frame(frame: bytes) -> list[MessagePart]:
    """The messages of a frame. Raises one of MALFORMED."""
    return [MessagePart(raw) for raw in _decode_parts(frame)]


def join_parts(parts: list[MessagePart], *, binary: bool) -> bytes:
    """The messages as the payload of one frame."""
    if not binary:
        return b"[" + b",".join(part.text for part in parts) + b"]"
    count = len(parts)
    head = bytes((0x90 | count,)) if count < 16 else b"\xdd" + count.to_bytes(4, "big")
    return head + b"".join(part.binary for part in parts)


def _plain(value: _Value) -> Any:
    if not isinstance(value, Ext) or value.code != TIMESTAMP:
        return value
    seconds, nanos = divmod(_time_ns(bytes(value.data)), SECOND_NS)
    fraction = f".{nanos:09d}" if nanos else ""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}{fraction}Z"


def _time_ns(data: bytes) -> int:
    """A timestamp of 4, 8 or 12 bytes. Source: MessagePack specification, "Timestamp extension type"."""
    if len(data) == 4:
        return int.from_bytes(data) * SECOND_NS
    if len(data) == 8:
        both = int.from_bytes(data)
        return (both & (1 << 34) - 1) * SECOND_NS + (both >> 34)
    return int.from_bytes(data[4:], signed=True) * SECOND_NS + int.from_bytes(data[:4])
