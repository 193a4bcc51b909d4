"""Times of streams, MessagePack timestamps, RFC 3339 text and epoch numbers, as nanoseconds since the epoch.

Tests: tests/desk/venues/alpaca/test_alpaca_timestamps.py
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from operator import attrgetter
from struct import unpack
from typing import Final

import numpy as np
from msgspec.msgpack import Ext

from desk.model.units import MS_NS, SECOND_NS

EXT_TIMESTAMP: Final = -1
SECONDS_MASK: Final = (1 << 34) - 1
LIMIT_64: Final = SECOND_NS << 34
MAX_CACHED: Final = 1024
MAX_DIGITS: Final = 9
SCALE: Final[tuple[int, ...]] = tuple(10 ** (MAX_DIGITS - digits) for digits in range(MAX_DIGITS + 1))
NUMPY_FROM: Final = 24
EPOCH_UNITS: Final = ((10**11, SECOND_NS), (10**14, MS_NS), (10**17, 1_000))

_data: Callable[[Ext], bytes] = attrgetter("data")
_code = attrgetter("code")


def ext_ns(ext: Ext) -> int:
    """The time in a timestamp extension of 4, 8 or 12 bytes.

    Raises ValueError for anything else. Source: MessagePack specification, "Timestamp extension type".
    """
    data = bytes(ext.data)
    if ext.code == EXT_TIMESTAMP:
        if len(data) == 8:
            value = int.from_bytes(data)
            seconds, nanos = value & SECONDS_MASK, value >> 34
        elif len(data) == 4:
            seconds, nanos = int.from_bytes(data), 0
        elif len(data) == 12:
            nanos, seconds = unpack(">Iq", data)
        else:
            nanos = SECOND_NS
        if nanos < SECOND_NS:
            return seconds * SECOND_NS + nanos
    raise ValueError(f"extension {ext.code} of {len(data)} bytes is not a timestamp")


def exts_ns(exts: Sequence[Ext]) -> list[int]:
    """The times in many timestamp extensions. Numpy is faster from NUMPY_FROM on."""
    if len(exts) >= NUMPY_FROM:
        data = list(map(_data, exts))
        if set(map(len, data)) == {8} and set(map(_code, exts)) == {EXT_TIMESTAMP}:
            values = np.frombuffer(b"".join(data), ">u8").astype(np.uint64)
            if values.max() < LIMIT_64:
                times_ns: list[int] = ((values & SECONDS_MASK) * SECOND_NS + (values >> 34)).tolist()
                return times_ns
    return [ext_ns(ext) for ext in exts]


class _SecondsCache(dict[str, int]):
    """A cache of times like 2023-04-06T11:54:21 in ns: most ticks share their second with others."""

    def __missing__(self, text: str) -> int:
        if len(self) >= MAX_CACHED:
            self.clear()
        if len(text) != 19 or text[10] not in "Tt ":
            raise ValueError(f"{text!r} is not an RFC 3339 time")
        found = int(datetime.fromisoformat(text + "+00:00").timestamp()) * SECOND_NS
        self[text] = found
        return found


_seconds = _SecondsCache()


def rfc3339_ns(text: str) -> int:
    """The time in RFC 3339 text with at most nine digits of a second. Raises ValueError.

    datetime parses only microseconds, so the fraction is parsed here.
    """
    rest = text[19:]
    if rest[:1] != ".":
        return _seconds[text[:19]] - _offset_ns(rest, text)
    digits = rest[1:-1] if rest[-1] == "Z" else rest[1 : -1 if rest[-1] == "z" else -6]
    if not (0 < len(digits) <= MAX_DIGITS and digits.isdigit() and digits.isascii()):
        raise ValueError(f"{text!r} has no fraction of one to nine digits")
    second_ns: int = _seconds[text[:19]]
    found = second_ns + int(digits) * SCALE[len(digits)]
    zone = rest[1 + len(digits) :]
    return found if zone == "Z" else found - _offset_ns(zone, text)


def texts_ns(texts: Sequence[str]) -> list[int]:
    """The times in many RFC 3339 texts."""
    return [rfc3339_ns(text) for text in texts]


def epoch_ns(number: int) -> int:
    """The time in a number since the epoch: seconds, milliseconds, microseconds or nanoseconds, by its size.

    Times from 1973 to 5138 have different sizes in the four units.
    """
    for limit, factor in EPOCH_UNITS:
        if number < limit:
            return number * factor
    return number


def _offset_ns(offset: str, text: str) -> int:
    """The offset of "Z" or "+05:30" from UTC."""
    if offset in {"Z", "z"}:
        return 0
    sign, hours, colon, minutes = offset[:1], offset[1:3], offset[3:4], offset[4:]
    is_valid = sign in {"+", "-"} and colon == ":" and len(offset) == 6 and (hours + minutes).isdigit()
    if not is_valid or int(hours) > 23 or int(minutes) > 59:
        raise ValueError(f"{text!r} ends in no time zone")
    return (int(hours) * 3600 + int(minutes) * 60) * SECOND_NS * (1 if sign == "+" else -1)
