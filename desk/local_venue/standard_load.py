"""The standard load: Zipf rates over the symbols and Poisson arrivals, and no other structure.

Tests: tests/console/test_console_venue.py
"""

from collections.abc import Iterator
from typing import Final

import numpy as np

from desk.model.blocks import QUOTE, TRADE, Block
from desk.model.units import SECOND_NS

ROWS_PER_BLOCK: Final = 20_000
QUOTES_PER_TRADE: Final = 2.0
EXCHANGES: Final = ("V", "Q", "P", "K", "D")
CONDITIONS: Final = ("@", "F", "@I", "FTI")
START_NS: Final = 1_767_623_400 * SECOND_NS


class StandardLoad:
    """A `BlockSource` for measuring: the market's activity never changes, prices walk by a cent or two.

    Symbols are independent Poisson streams whose rates follow Zipf's law with exponent 1. Unlike the synthetic market
    it has no regimes, bursts, late reports or session shape: all periods are alike. `mix_quotes` adds QUOTES_PER_TRADE
    quotes per trade.
    """

    def __init__(self, seed: int, symbols: int, events_per_s: float, events: int, mix_quotes: bool) -> None:
        self.place = f"standard load, seed {seed}"
        self.symbols = tuple(f"LD{number:04d}" for number in range(symbols))
        self.start_ns = START_NS
        # The last arrival is random; ten deviations above its mean bound it.
        self.end_ns = START_NS + int((events + 10 * events**0.5 + 10) / events_per_s * SECOND_NS)
        self._seed = seed
        self._gap_ns = SECOND_NS / events_per_s
        self._events = events
        self._quotes = QUOTES_PER_TRADE / (1 + QUOTES_PER_TRADE) if mix_quotes else 0.0
        weight = 1.0 / np.arange(1, symbols + 1)
        self._share = weight / weight.sum()

    def blocks(self) -> Iterator[Block]:
        """The same rows in every call."""
        rng = np.random.default_rng(self._seed)
        cents = rng.integers(500, 40_000, len(self.symbols))
        reached_ns = self.start_ns
        for first in range(0, self._events, ROWS_PER_BLOCK):
            count = min(ROWS_PER_BLOCK, self._events - first)
            recv_ns = reached_ns + np.cumsum(rng.exponential(self._gap_ns, count)).astype(np.int64)
            reached_ns = int(recv_ns[-1])
            symbol = rng.choice(len(self.symbols), count, p=self._share).astype(np.int32)
            price = (cents[symbol] + rng.integers(-2, 3, count)) / 100
            quote = rng.random(count) < self._quotes
            lots = rng.integers(1, 20, (2, count)) * 100.0
            yield Block(
                first_ordinal=first,
                recv_ns=recv_ns,
                ts_ns=recv_ns,
                kind=np.where(quote, QUOTE, TRADE).astype(np.int8),
                symbol=symbol,
                price=np.where(quote, np.nan, price),
                size=np.where(quote, np.nan, rng.integers(1, 300, count)),
                bid=np.where(quote, price, np.nan),
                bid_size=np.where(quote, lots[0], np.nan),
                ask=np.where(quote, np.round(price + 0.01, 2), np.nan),
                ask_size=np.where(quote, lots[1], np.nan),
                exchange=rng.integers(0, len(EXCHANGES), count).astype(np.int32),
                conditions=np.where(quote, -1, rng.integers(0, len(CONDITIONS), count)).astype(np.int32),
                trade_id=np.zeros(count, np.uint64),
                symbols=self.symbols,
                exchanges=EXCHANGES,
                condition_codes=CONDITIONS,
            )
