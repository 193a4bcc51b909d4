"""Blocks: consecutive rows of market data as numpy columns, in arrival order.

Tests: tests/desk/tape/test_tape_reader.py
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from desk.model.notices import PriceBands, TradingStatus, VenueBar

TRADE, QUOTE, UNKNOWN, CORRECTION, CANCEL, STATUS, LULD, BAR = range(8)
KINDS: Final = BAR + 1
"""The number of kinds."""
KIND_OF_NOTICE: Final = {TradingStatus: STATUS, PriceBands: LULD, VenueBar: BAR}


def are_revisions(kind: NDArray[np.int8]) -> NDArray[np.bool_]:
    """Per row whether it is a correction or cancel."""
    mask: NDArray[np.bool_] = (kind == CORRECTION) | (kind == CANCEL)
    return mask


def are_notices(kind: NDArray[np.int8]) -> NDArray[np.bool_]:
    """Per row whether it is a notice."""
    mask: NDArray[np.bool_] = kind >= STATUS
    return mask


@dataclass(frozen=True, slots=True)
class Originals:
    """The original trades that corrections and cancels name, one entry for each row of a block.

    `trade_id` names the trade; the other columns are its original values, NaN and -1 if the row has none.
    """

    trade_id: NDArray[np.uint64]
    price: NDArray[np.float64]
    size: NDArray[np.float64]
    conditions: NDArray[np.int32]

    def only(self, rows: NDArray[np.intp]) -> "Originals":
        """The entries of some of the rows."""
        return Originals(self.trade_id[rows], self.price[rows], self.size[rows], self.conditions[rows])


@dataclass(frozen=True, slots=True)
class Block:
    """`n` consecutive rows; row i has ordinal `first_ordinal + i`. Every array has length n.

    `kind` holds TRADE, QUOTE, CORRECTION, CANCEL, STATUS, LULD, BAR or UNKNOWN; `symbol`, `exchange`, `conditions` and
    `tape` are indices into the tables of the same name (-1: null); `tape` is None where no row has one. Price columns
    are NaN where the kind has none or the row is null. `trade_id` is 0 where a row has none. `originals` is
    None where no row is a correction or cancel; a correction's own columns are those of the corrected trade. `notices`
    has the `Notice` of each STATUS, LULD and BAR row, which has null in the other columns, and None elsewhere; its
    ordinal and received time are not set. It is None where no row is a notice. Times are ns since the epoch, UTC;
    `recv_ns` never decreases within and across blocks.
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
    trade_id: NDArray[np.uint64]
    symbols: tuple[str, ...]
    exchanges: tuple[str, ...]
    condition_codes: tuple[str, ...]
    tapes: tuple[str, ...] = ()
    tape: NDArray[np.int32] | None = None
    originals: Originals | None = None
    notices: NDArray[np.object_] | None = None

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
    """A source that can be read repeatedly from the start, with the same rows each time."""

    place: str
    symbols: tuple[str, ...]
    start_ns: int
    end_ns: int

    def blocks(self) -> Iterator[Block]:
        """The rows in arrival order; every call starts from the beginning."""
        ...
