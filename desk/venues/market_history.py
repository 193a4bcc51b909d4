"""The past of a market, as a feed's vendor or a catalog of recorded data gives it.

Tests: tests/desk/venues/alpaca/test_alpaca_history.py
"""

from collections.abc import Iterator, Sequence
from datetime import date
from typing import Protocol

from desk.model.bars import Bar
from desk.model.corporate_actions import CorporateAction
from desk.model.ticks import Trade
from desk.model.timeframes import Timeframe


class HistoryUnavailable(Exception):
    """There is no history: it does not exist, is not permitted, or the source does not answer. One line says why."""


class MarketHistory(Protocol):
    """Trades, bars and corporate actions of the past. Calls block; each has a time limit. Raises HistoryUnavailable.

    Times are venue times, ns since the epoch; a range includes `from_ns` and excludes `to_ns`. Prices are raw: not
    adjusted for corporate actions.
    """

    place: str

    def trades(self, symbols: Sequence[str], from_ns: int, to_ns: int) -> Iterator[list[Trade]]:
        """Pages of trades, oldest first within a symbol; ordinal and received time are 0."""
        ...

    def bars(self, symbols: Sequence[str], timeframe: Timeframe, from_ns: int, to_ns: int) -> dict[str, list[Bar]]:
        """The bars by symbol, oldest first; `minute_ns` is a bar's start."""
        ...

    def actions(self, symbols: Sequence[str], from_day: date, to_day: date) -> list[CorporateAction]:
        """The corporate actions that are effective within these days, both included."""
        ...
