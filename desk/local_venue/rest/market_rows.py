"""Trades and quotes of one symbol as columns.

Tests: tests/desk/local_venue/test_market_store.py
"""

from dataclasses import dataclass, fields, replace
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from desk.local_venue.byte_fields import Ints
from desk.local_venue.rest.folded_bars import Floats

STANDS, CANCELED, INCORRECT, CORRECTED = 0, 1, 2, 3
UPDATES: Final = ("", "canceled", "incorrect", "corrected")
"""Texts of the field `u` of a historical trade (docs.alpaca.markets, "Historical trades")."""


@dataclass(frozen=True, slots=True)
class MarketRows:
    """Rows with a venue time; `number` counts the source's events in the order of arrival."""

    ts_ns: Ints
    number: Ints

    def __len__(self) -> int:
        return len(self.ts_ns)

    def keys(self) -> tuple[Ints, Ints]:
        """Venue time and number, by which rows are ordered."""
        return self.ts_ns, self.number

    def only(self, rows: NDArray[Any] | slice) -> Self:
        """Some of the rows."""
        return replace(self, **{field.name: getattr(self, field.name)[rows] for field in fields(self)})

    def in_order(self) -> Self:
        """The rows by (venue time, arrival)."""
        return self.only(np.lexsort((self.number, self.ts_ns)))

    def between(self, from_ns: int, to_ns: int) -> Self:
        """The rows from `from_ns` to `to_ns`, both included; the rows are in order."""
        first, stop = np.searchsorted(self.ts_ns, (from_ns, to_ns + 1)).tolist()
        return self.only(slice(first, stop))


@dataclass(frozen=True, slots=True)
class TradeRows(MarketRows):
    """Trades. `exchange`, `conditions` and `tape` are numbers of the store's tables, `update` one of UPDATES."""

    price: Floats
    size: Floats
    exchange: NDArray[np.int16]
    conditions: NDArray[np.int16]
    tape: NDArray[np.int16]
    trade_id: NDArray[np.uint64]
    update: NDArray[np.int8]

    def standing(self) -> Self:
        """The trades that are neither cancelled nor replaced by a correction."""
        return self.only((self.update == STANDS) | (self.update == CORRECTED))


@dataclass(frozen=True, slots=True)
class QuoteRows(MarketRows):
    """Quotes; likewise."""

    bid: Floats
    bid_size: Floats
    ask: Floats
    ask_size: Floats
    exchange: NDArray[np.int16]
    conditions: NDArray[np.int16]
    tape: NDArray[np.int16]
