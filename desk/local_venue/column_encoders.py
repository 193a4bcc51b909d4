"""The two encodings of the stream, column-wise: JSON text and MessagePack.

Times and looped trade ids have a fixed width in both, so that they can be rewritten in place.

Tests: tests/desk/local_venue/test_local_venue_messages.py
"""

from collections.abc import Sequence
from typing import Any, Final, Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from desk.local_venue.byte_fields import Bytes, Field, Ints, chosen, constant, fixed
from desk.model.units import SECOND_NS

FIRST_FRESH_ID: Final = 10**13
ID_DIGITS: Final = 14
"""Fresh ids have 14 digits, like those of the consolidated tape (52983525033527)."""

_JSON_NUMBERS: Final = msgspec.json.Encoder()


class Wire(Protocol):
    """The interface of an encoding. `is_single`: every message is a frame of its own."""

    opcode: int
    array_close: bytes
    separator: bytes
    is_single: bool

    def array_open(self, count: int) -> bytes:
        """The bytes before the messages of a frame."""
        ...

    def keyed(self, fields: Sequence[tuple[str, Field]]) -> list[Field]:
        """A map of the keys, in order."""
        ...

    def texts(self, table: Sequence[Any], index: NDArray[Any]) -> Field:
        """Strings, or lists of them, chosen from a table."""
        ...

    def floats(self, values: NDArray[np.float64]) -> Field:
        """Prices and sizes."""
        ...

    def ids(self, values: NDArray[np.uint64]) -> Field:
        """Trade ids, unchanged."""
        ...

    def id_items(self, values: Ints) -> NDArray[Any]:
        """Fresh trade ids, to be written over a place holder."""
        ...

    def stamp_items(self, ts_ns: Ints) -> NDArray[Any]:
        """Times, to be written over a place holder."""
        ...

    def place_holder(self, mark: str) -> Field:
        """Room for a fresh id ("i") or a time ("t")."""
        ...


class JsonWire:
    """JSON text; times are RFC 3339 with nine decimals."""

    opcode = 0x1
    array_close = b"]"
    separator = b","
    is_single = False

    def array_open(self, count: int) -> bytes:  # noqa: ARG002  MessagePack needs it
        return b"["

    def keyed(self, fields: Sequence[tuple[str, Field]]) -> list[Field]:
        parts = []
        for number, (key, field) in enumerate(fields):
            parts += [constant(f'{"," if number else "{"}"{key}":'.encode()), field]
        return [*parts, constant(b"}")]

    def texts(self, table: Sequence[Any], index: NDArray[Any]) -> Field:
        return chosen([msgspec.json.encode(entry) for entry in table], index)

    def floats(self, values: NDArray[np.float64]) -> Field:
        distinct, index = np.unique(values, return_inverse=True)
        table = [int(value) if value.is_integer() else value for value in distinct.tolist()]
        return chosen([_JSON_NUMBERS.encode(value) for value in table], index)

    def ids(self, values: NDArray[np.uint64]) -> Field:
        return chosen([b"%d" % value for value in values.tolist()], np.arange(len(values)))

    def id_items(self, values: Ints) -> NDArray[Any]:
        return digits(values, ID_DIGITS).view(f"V{ID_DIGITS}").ravel()

    def stamp_items(self, ts_ns: Ints) -> NDArray[Any]:
        seconds, nanos = np.divmod(ts_ns, SECOND_NS)
        distinct, index = np.unique(seconds, return_inverse=True)
        days = np.datetime_as_string(distinct.astype("M8[s]"), unit="s").astype("S19")
        out = np.empty((len(ts_ns), 32), np.uint8)
        out[:, :1] = ord('"')
        out[:, 1:20] = days.view(np.uint8).reshape(-1, 19)[index]
        out[:, 20] = ord(".")
        out[:, 21:30] = digits(nanos, 9)
        out[:, 30:] = np.frombuffer(b'Z"', np.uint8)
        return out.view("V32").ravel()

    def place_holder(self, mark: str) -> Field:
        return constant(b" " * (ID_DIGITS if mark == "i" else 32), mark)


class MsgpackWire:
    """MessagePack; times are extension -1 in its 8-byte form (msgpack specification, timestamp 64)."""

    opcode = 0x2
    array_close = b""
    separator = b""
    is_single = False

    def array_open(self, count: int) -> bytes:
        if count < 16:
            return bytes((0x90 | count,))
        if count < 65_536:
            return b"\xdc" + count.to_bytes(2, "big")
        return b"\xdd" + count.to_bytes(4, "big")

    def keyed(self, fields: Sequence[tuple[str, Field]]) -> list[Field]:
        parts = []
        for number, (key, field) in enumerate(fields):
            opening = b"" if number else bytes((0x80 | len(fields),))
            parts += [constant(opening + msgspec.msgpack.encode(key)), field]
        return parts

    def texts(self, table: Sequence[Any], index: NDArray[Any]) -> Field:
        return chosen([msgspec.msgpack.encode(entry) for entry in table], index)

    def floats(self, values: NDArray[np.float64]) -> Field:
        return fixed(_tagged(b"\xcb", values, ">f8"))

    def ids(self, values: NDArray[np.uint64]) -> Field:
        return fixed(_tagged(b"\xcf", values, ">u8"))

    def id_items(self, values: Ints) -> NDArray[Any]:
        return _tagged(b"\xcf", values, ">u8").view("V9").ravel()

    def stamp_items(self, ts_ns: Ints) -> NDArray[Any]:
        seconds, nanos = np.divmod(ts_ns, SECOND_NS)
        return _tagged(b"\xd7\xff", nanos << 34 | seconds, ">u8").view("V10").ravel()

    def place_holder(self, mark: str) -> Field:
        return constant(bytes(9 if mark == "i" else 10), mark)


def _tagged(tag: bytes, values: NDArray[Any], dtype: str) -> Bytes:
    """The values as eight bytes each, behind a tag; shape (values, tag + 8)."""
    out = np.empty((len(values), len(tag) + 8), np.uint8)
    out[:, : len(tag)] = np.frombuffer(tag, np.uint8)
    out[:, len(tag) :] = values.astype(dtype).view(np.uint8).reshape(-1, 8)
    return out


_TRIPLES: Final = np.frombuffer("".join(f"{number:03d}" for number in range(1000)).encode(), np.uint8).reshape(-1, 3)


def digits(values: Ints, width: int) -> Bytes:
    """Decimal digits with leading zeros, three at a time; shape (values, width)."""
    triples = -(-width // 3)
    out = np.empty((len(values), 3 * triples), np.uint8)
    for place in range(triples - 1, -1, -1):
        values, low = np.divmod(values, 1000)
        out[:, 3 * place : 3 * place + 3] = _TRIPLES[low]
    return np.ascontiguousarray(out[:, 3 * triples - width :])


JSON: Final[Wire] = JsonWire()
MSGPACK: Final[Wire] = MsgpackWire()
