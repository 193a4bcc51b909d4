"""Identities of trades as one integer, and as they are encoded.

Tests: tests/desk/bars/test_minute_repair.py
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping

import msgspec
import numpy as np


class _Venues(dict[tuple[str, str], int]):
    """A small number for each exchange and tape, of this process alone."""

    def __missing__(self, venue: tuple[str, str]) -> int:
        number = self[venue] = len(self)
        return number


venues = _Venues()


def identity(trade_id: int, exchange: str, tape: str) -> int:
    """A key that is unique among the trades of the symbol, in this process. A `trade_id` of 0 is no identity."""
    return trade_id << 16 | venues[exchange, tape]


class PackedIdentities(msgspec.Struct, array_like=True):
    """Identities of one exchange and tape that are remembered until `until_ns`; `ids` are unsigned 64-bit numbers."""

    until_ns: int
    exchange: str
    tape: str
    ids: bytes


def pack_identities(until_ns: Mapping[int, int]) -> list[PackedIdentities]:
    """Encode identities, by key with the time until which each is remembered."""
    grouped: defaultdict[tuple[int, int], list[int]] = defaultdict(list)
    for key, limit_ns in until_ns.items():
        grouped[limit_ns, key & 0xFFFF].append(key >> 16)
    names = list(venues)
    return [
        PackedIdentities(limit_ns, *names[venue], np.array(ids, "<u8").tobytes())
        for (limit_ns, venue), ids in grouped.items()
    ]


def unpack_identities(packed: Iterable[PackedIdentities]) -> dict[int, int]:
    """Decode identities encoded by `pack_identities`."""
    return {
        identity(trade_id, group.exchange, group.tape): group.until_ns
        for group in packed
        for trade_id in np.frombuffer(group.ids, "<u8").tolist()
    }
