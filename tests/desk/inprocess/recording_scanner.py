"""A scanner and a strategy that record what happens to them, for a test in the same process."""

import time

from desk.model.ticks import Trade
from desk.scanner import MarketSnapshot, Scanner
from desk.strategy import Context, Strategy

HAPPENED: list[tuple[str, str, float]] = []
"""What, the symbol, and when (monotonic, s)."""


def happen(what: str, symbol: str) -> None:
    """Record the first time that something happens to a symbol."""
    if not any((what, symbol) == each[:2] for each in HAPPENED):
        HAPPENED.append((what, symbol, time.monotonic()))


class Climbers(Scanner):
    """Picks the symbols above their open."""

    def scan(self, market: MarketSnapshot) -> list[str]:
        picked = [symbol for symbol, up in zip(market.symbols, market.price > market.open, strict=True) if up]
        for symbol in picked:
            happen("picked", symbol)
        return picked


class Witness(Strategy):
    """Records the first trade of each symbol."""

    def on_trade(self, ctx: Context, trade: Trade) -> None:
        happen("traded", trade.symbol)
