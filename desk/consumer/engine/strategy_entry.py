"""An entry of the plan's strategies, as the engine runs it.

Tests: tests/desk/consumer/engine/test_engine_watching.py
"""

from collections.abc import Callable, Mapping

import msgspec

from desk.model.timeframes import Timeframe
from desk.strategy import Strategy


class StrategyEntry(msgspec.Struct, frozen=True):
    """A `[[strategies]]` entry: the symbols on which its instances run, and its factory.

    `symbols` is None for all of the desk's symbols; `scanner` names the scanner that chooses them instead. `bars` are
    the timeframes that come to on_bar. `history` is the number of bars of before the exchange day that it needs, by
    timeframe.
    """

    name: str
    create: Callable[[], Strategy]
    symbols: frozenset[str] | None = None
    scanner: str | None = None
    bars: tuple[Timeframe, ...] = ("1m",)
    history: Mapping[Timeframe, int] = {}

    @property
    def longer(self) -> tuple[Timeframe, ...]:
        """The timeframes above a minute that come to on_bar."""
        return tuple(timeframe for timeframe in self.bars if timeframe != "1m")

    def wants(self, symbol: str, scanners: list[str]) -> bool:
        """Whether an instance should run on this symbol, given the scanners that want it now."""
        if self.scanner is not None:
            return self.scanner in scanners
        return self.symbols is None or symbol in self.symbols
