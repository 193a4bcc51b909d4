"""An order book that is kept only for its top: the best bid and offer.

Tests: tests/desk/venues/alpaca/test_order_book.py
"""

from collections.abc import Iterable
from heapq import nlargest, nsmallest
from typing import Final, NamedTuple

from desk.venues.alpaca.crypto.wire import WireLevel

MAX_LEVELS: Final = 20_000
"""Levels of a side; the better half is kept when there are more."""


class BookTop(NamedTuple):
    """Best bid and offer with their sizes; 0 where a side is empty."""

    bid: float = 0.0
    bid_size: float = 0.0
    ask: float = 0.0
    ask_size: float = 0.0


class OrderBook:
    """Sizes by price, for each side."""

    def __init__(self) -> None:
        self.bids: dict[float, float] = {}
        self.asks: dict[float, float] = {}

    def apply(self, bids: Iterable[WireLevel], asks: Iterable[WireLevel], *, reset: bool) -> BookTop:
        """Apply changed levels, or replace the book; return its top."""
        if reset:
            self.bids.clear()
            self.asks.clear()
        for side, levels in ((self.bids, bids), (self.asks, asks)):
            for level in levels:
                if level.size > 0:
                    side[level.price] = level.size
                else:
                    side.pop(level.price, None)
        self._limit()
        bid, ask = max(self.bids, default=0.0), min(self.asks, default=0.0)
        return BookTop(bid, self.bids.get(bid, 0.0), ask, self.asks.get(ask, 0.0))

    def _limit(self) -> None:
        if len(self.bids) > MAX_LEVELS:
            self.bids = {price: self.bids[price] for price in nlargest(MAX_LEVELS // 2, self.bids)}
        if len(self.asks) > MAX_LEVELS:
            self.asks = {price: self.asks[price] for price in nsmallest(MAX_LEVELS // 2, self.asks)}
