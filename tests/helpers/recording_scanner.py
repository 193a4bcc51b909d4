"""A scanner and a strategy that record what happens to symbols in a file, whatever process they run in."""

import time
from pathlib import Path

from desk import strategy
from desk.model.ticks import Trade
from desk.scanner import MarketSnapshot, Scanner


class Happenings:
    """What happened first to which symbol, and when: lines of a file. Times are monotonic, of this machine, in s."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._own: set[tuple[str, str]] = set()

    def add(self, what: str, symbol: str) -> None:
        """Record that something happens to a symbol, once per process."""
        if (what, symbol) not in self._own:
            self._own.add((what, symbol))
            with self._path.open("a") as file:
                file.write(f"{what} {symbol} {time.monotonic()}\n")

    def when(self, what: str, symbol: str) -> float:
        """The first time that this happened; 0 if it did not."""
        lines = [line.split() for line in self._path.read_text().splitlines()] if self._path.exists() else []
        return min((float(at_s) for other, name, at_s in lines if (other, name) == (what, symbol)), default=0.0)


class Recording(strategy.Params, frozen=True):
    """The file."""

    path: str


class Climbers(Scanner):
    """Picks the symbols above their open."""

    Params = Recording
    params: Recording

    def scan(self, market: MarketSnapshot) -> list[str]:
        picked = [symbol for symbol, up in zip(market.symbols, market.price > market.open, strict=True) if up]
        for symbol in picked:
            Happenings(Path(self.params.path)).add("picked", symbol)
        return picked


class Witness(strategy.Strategy):
    """Records the first trade of each symbol."""

    Params = Recording
    params: Recording
    seen = False

    def on_trade(self, ctx: strategy.Context, trade: Trade) -> None:
        if not self.seen:
            self.seen = True
            Happenings(Path(self.params.path)).add("traded", trade.symbol)
