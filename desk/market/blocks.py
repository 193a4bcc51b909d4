"""Blocks: consecutive rows of market data as numpy columns, in arrival order."""

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

TRADE, QUOTE, UNKNOWN = 0, 1, 2


@dataclass(frozen=True, slots=True)
class Block:
    """`n` consecutive rows; row i has ordinal `first_ordinal + i`. Every array has length n.

    `kind` holds TRADE, QUOTE or UNKNOWN; `symbol`, `exchange` and `conditions` are indices into the
    tables of the same name (-1: null). Price columns are NaN where the kind has none or the row is null.
    Times are ns since the epoch, UTC; `recv_ns` never goes back within and across blocks.
    """

    first_ordinal: int
    recv_ns: NDArray[np.int64]
    ts_ns: NDArray[np.int64]
    kind: NDArray[np.int8]
    symbol: NDArray[np.int32]
    price: NDArray[np.float64]
    size: NDArray[np.float64]
    bid: NDArray[np.float64]
    bid_size: NDArray[np.float64]
    ask: NDArray[np.float64]
    ask_size: NDArray[np.float64]
    exchange: NDArray[np.int32]
    conditions: NDArray[np.int32]
    trade_id: NDArray[np.int64]
    symbols: tuple[str, ...]
    exchanges: tuple[str, ...]
    condition_codes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.recv_ns)

    def part(self, first: int, stop: int) -> "Block":
        """The rows from `first` to `stop`, exclusive."""
        if (first, stop) == (0, len(self)):
            return self
        changed: dict[str, Any] = {"first_ordinal": self.first_ordinal + first}
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, np.ndarray):
                changed[field.name] = value[first:stop]
        return replace(self, **changed)


class BlockSource(Protocol):
    """Something that can be read from the start, again and again, with the same rows each time."""

    place: str
    symbols: tuple[str, ...]
    start_ns: int
    end_ns: int

    def blocks(self) -> Iterator[Block]:
        """The rows in arrival order; every call begins anew."""
        ...
