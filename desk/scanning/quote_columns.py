"""The newest usable quote of many symbols, from columns of quotes.

Tests: tests/desk/scanning/test_market_view.py
"""

import numpy as np
from numpy.typing import NDArray

from desk.bars.reference_price import usable_rows
from desk.model.blocks import Block


class QuoteColumns:
    """By symbol index the bid and ask of the newest usable quote, NaN before the first."""

    def __init__(self, symbols: int) -> None:
        self.bid = np.full(symbols, np.nan)
        self.ask = np.full(symbols, np.nan)
        self._ts_ns = np.full(symbols, np.iinfo(np.int64).min)

    def fold(self, symbol: NDArray[np.int32], block: Block, rows: NDArray[np.intp]) -> None:
        """Apply these rows of a block in the order of arrival; row i belongs to the symbol with index `symbol[i]`.

        Ordinals rise with the rows, so of quotes with the same venue time the last to arrive is the newest.
        """
        usable = usable_rows(block.bid[rows], block.bid_size[rows], block.ask[rows], block.ask_size[rows])
        symbol, rows = symbol[usable], rows[usable]
        ts_ns = block.ts_ns[rows]
        np.maximum.at(self._ts_ns, symbol, ts_ns)
        newest = ts_ns == self._ts_ns[symbol]
        symbol, rows = symbol[newest], rows[newest]
        # For a repeated index NumPy keeps the last assignment ("Assigning values to indexed arrays").
        self.bid[symbol] = block.bid[rows]
        self.ask[symbol] = block.ask[rows]
