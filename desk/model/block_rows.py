"""A block's rows as plain lists: handed over, skipped, or rejected.

Rows are classified and converted once per block; frames then only slice and count.

Tests: tests/desk/venues/alpaca/test_alpaca_codec.py
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice, repeat
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from desk.model.block_checks import CAUSES, rejection_causes, row_classes
from desk.model.blocks import CANCEL, QUOTE, TRADE, Block, Originals
from desk.model.feed_health import FeedHealth
from desk.model.feed_position import FeedPosition
from desk.model.notices import Notice
from desk.model.ticks import CLASSES, Cancel, Correction, Trade

Original = tuple[int, float, float, str]
"""Id, price, size and conditions of the trade that a correction or cancel changes."""
Row = tuple[int, int, str, int, float, float, float, float, str, str, int, str, Original | Notice | None]
"""The last value is that of a correction or cancel, or of a notice."""

EXAMPLES: Final = 5


@dataclass(slots=True)
class BlockFeedCounts:
    """The totals of a feed by class. `received` includes rejected rows, not skipped ones."""

    received: dict[str, int] = field(default_factory=lambda: dict.fromkeys(CLASSES, 0))
    rejected: dict[str, dict[str, int]] = field(default_factory=lambda: {kind: {} for kind in CLASSES})
    skipped: dict[str, int] = field(default_factory=lambda: dict.fromkeys(CLASSES, 0))
    examples: list[str] = field(default_factory=list)

    def reject(self, kind: str, cause: str, place: str) -> None:
        """Count a rejected row; the first few are named in `examples`."""
        self.received[kind] += 1
        causes_of = self.rejected[kind]
        causes_of[cause] = causes_of.get(cause, 0) + 1
        if len(self.examples) < EXAMPLES:
            self.examples.append(f"{place}: {cause}")

    def skip(self, block: Block) -> None:
        """Count all rows of a block as skipped."""
        for kind, rows in zip(CLASSES, np.bincount(row_classes(block), minlength=len(CLASSES)).tolist(), strict=True):
            self.skipped[kind] += rows

    def restore(self, position: FeedPosition) -> None:
        """Continue the totals of another feed."""
        self.received |= position.received
        self.rejected |= {kind: dict(causes_of) for kind, causes_of in position.rejected.items()}
        self.skipped |= position.skipped
        self.examples = list(position.examples)

    def position(self, mark_ns: int, health: FeedHealth | None = None) -> FeedPosition:
        """A copy of these totals as the position of their feed at a mark."""
        rejected = {kind: dict(causes_of) for kind, causes_of in self.rejected.items()}
        return FeedPosition(mark_ns, dict(self.received), rejected, dict(self.skipped), list(self.examples), health)


class BlockRows:
    """The rows of a block from `start` on, taken in order; row numbers are the block's.

    `wanted` says by symbol index whether its ticks are handed over (null symbols: the last entry), `classes` which of
    "trades" and "quotes" are; notices always are. All other rows, and rows received before `from_ns`, are skipped.
    """

    def __init__(
        self, block: Block, start: int, stop: int, wanted: NDArray[np.bool_], classes: frozenset[str], from_ns: int
    ) -> None:
        self.stop = stop
        self.recv_ns: list[int] = block.recv_ns.tolist()
        class_of_row = row_classes(block)
        cause = rejection_causes(block)
        asked = wanted[block.symbol] & (block.recv_ns >= from_ns)
        for number, kind in enumerate(CLASSES):
            if kind not in classes and kind != "notices":
                asked &= class_of_row != number
        ahead = np.zeros(len(block), np.bool_)
        ahead[start:stop] = True
        kept = np.flatnonzero(asked & (cause == 0) & ahead)
        self._kept: Sequence[int] = range(start, stop) if len(kept) == stop - start else kept.tolist()
        self._classes: bytes = class_of_row[kept].tobytes()
        timed = block.originals is None and block.notices is None
        self._timeless: list[bool] | None = None if timed else (block.kind[kept] > QUOTE).tolist()
        self._lag_ns: list[int] = (block.recv_ns[kept] - block.ts_ns[kept]).tolist()
        self._columns = columns_of(block, kept)
        others = ~asked & ahead
        self._skipped = {
            kind: np.flatnonzero(others & (class_of_row == number)).tolist() for number, kind in enumerate(CLASSES)
        }
        self._rejected = [
            (int(row), CLASSES[class_of_row[row]], CAUSES[cause[row]])
            for row in np.flatnonzero(asked & (cause != 0) & ahead)
        ]
        self._first_ordinal = block.first_ordinal
        self._at = 0
        self._skipped_at = dict.fromkeys(CLASSES, 0)
        self._rejected_at = 0

    def limit(self, row: int, upto: int, room: int) -> int:
        """The row up to which at most `room` ticks are taken, from `row` on and not beyond `upto`."""
        end = self._at + room
        if end < len(self._kept) and self._kept[end] < upto:
            return self._kept[end - 1] + 1 if room else row
        return upto

    def take(self, upto: int, counts: BlockFeedCounts, place: str) -> tuple[Iterator[Row], list[int]]:
        """Advance to row `upto` (exclusive) and count the rows; returns the usable rows passed, and their lags."""
        before = self._at
        after = self._at = bisect_left(self._kept, upto, before)
        for number, kind in enumerate(CLASSES):
            counts.received[kind] += self._classes.count(number, before, after)
        for kind, rows in self._skipped.items():
            passed = self._skipped_at[kind]
            if passed < len(rows) and rows[passed] < upto:
                self._skipped_at[kind] = bisect_left(rows, upto, passed)
                counts.skipped[kind] += self._skipped_at[kind] - passed
        while self._rejected_at < len(self._rejected) and self._rejected[self._rejected_at][0] < upto:
            row, kind, cause = self._rejected[self._rejected_at]
            counts.reject(kind, cause, f"{place}: row {self._first_ordinal + row}")
            self._rejected_at += 1
        return islice(self._columns, after - before), self._lags(before, after)

    def _lags(self, before: int, after: int) -> list[int]:
        """The lags of these trades and quotes. The time of a correction or cancel may be that of the original trade."""
        lags = self._lag_ns[before:after]
        if self._timeless is None:
            return lags
        return [lag for lag, timeless in zip(lags, self._timeless[before:after], strict=True) if not timeless]


def tick_of(block: Block, row: int, ordinal: int, ts_ns: int) -> Trade | Correction | Cancel:
    """One sound row as a tick, for rows other than quotes."""
    symbol = block.symbols[block.symbol[row]]
    exchange = (*block.exchanges, "")[block.exchange[row]]
    tape = "" if block.tape is None else (*block.tapes, "")[block.tape[row]]
    price, size, trade_id = float(block.price[row]), float(block.size[row]), int(block.trade_id[row])
    codes = (*block.condition_codes, "")
    if block.kind[row] == TRADE:
        return Trade(ordinal, symbol, ts_ns, ts_ns, price, size, codes[block.conditions[row]], exchange, trade_id, tape)
    assert block.originals is not None, "a correction or cancel in a block without originals"
    original_id = int(block.originals.trade_id[row])
    if block.kind[row] == CANCEL:
        return Cancel(ordinal, symbol, ts_ns, ts_ns, original_id, exchange, tape)
    code = codes[block.conditions[row]]
    return Correction(ordinal, symbol, ts_ns, ts_ns, original_id, price, size, code, exchange, trade_id, tape)


def columns_of(block: Block, kept: NDArray[np.intp]) -> Iterator[Row]:
    """The rows `kept` as tuples; the third and fourth number are meaningful for quotes only."""
    kind = block.kind[kept]
    quote = kind == QUOTE
    return zip(
        kind.tolist(),
        (block.first_ordinal + kept).tolist(),
        _names(block.symbols, block.symbol[kept]),
        block.ts_ns[kept].tolist(),
        np.where(quote, block.bid[kept], block.price[kept]).tolist(),
        np.where(quote, block.bid_size[kept], block.size[kept]).tolist(),
        block.ask[kept].tolist(),
        block.ask_size[kept].tolist(),
        _names(block.condition_codes, block.conditions[kept]),
        _names(block.exchanges, block.exchange[kept]),
        block.trade_id[kept].tolist(),
        repeat("", len(kept)) if block.tape is None else _names(block.tapes, block.tape[kept]),
        _details(block, kept),
        strict=True,
    )


def _details(block: Block, kept: NDArray[np.intp]) -> Iterable[Original | Notice | None]:
    """Per row the original trade of a correction or cancel, or the notice."""
    originals = repeat(None, len(kept)) if block.originals is None else _originals(block, block.originals.only(kept))
    if block.notices is None:
        return originals
    return [notice or original for notice, original in zip(block.notices[kept].tolist(), originals, strict=True)]


def _originals(block: Block, originals: Originals) -> Iterator[Original]:
    return zip(
        originals.trade_id.tolist(),
        np.nan_to_num(originals.price).tolist(),
        np.nan_to_num(originals.size).tolist(),
        _names(block.condition_codes, originals.conditions),
        strict=True,
    )


def _names(table: tuple[str, ...], index: NDArray[np.int32]) -> list[Any]:
    """The strings of these indices; "" for -1."""
    names: list[Any] = np.array((*table, ""), object)[index].tolist()
    return names
