"""Longer bars of the past from a history that has minutes only, divided as those of the session are.

Tests: tests/desk/history/test_session_history.py
"""

from collections.abc import Iterator, Sequence
from datetime import date
from itertools import groupby
from typing import Final

from desk.bars.longer import longer_bars
from desk.bars.session_grid import SessionGrid
from desk.history.past_days import ExchangeHours, PastDays
from desk.model.bars import Bar
from desk.model.corporate_actions import CorporateAction
from desk.model.ticks import Trade
from desk.model.timeframes import Timeframe
from desk.venues.market_history import MarketHistory

EPOCH: Final = date(1970, 1, 1)


class MinuteHistory:
    """A `MarketHistory` that makes longer bars of another one's minutes, by each day's own hours."""

    def __init__(self, minutes: MarketHistory, days: ExchangeHours) -> None:
        self.place = minutes.place
        self._minutes = minutes
        self._days = days
        self._dates = PastDays(days, EPOCH)

    def trades(self, symbols: Sequence[str], from_ns: int, to_ns: int) -> Iterator[list[Trade]]:
        """Those of the other history."""
        return self._minutes.trades(symbols, from_ns, to_ns)

    def bars(self, symbols: Sequence[str], timeframe: Timeframe, from_ns: int, to_ns: int) -> dict[str, list[Bar]]:
        """The bars by symbol, oldest first."""
        minutes = self._minutes.bars(symbols, "1m", from_ns, to_ns)
        if timeframe == "1m":
            return minutes
        return {symbol: list(self._longer(bars, timeframe)) for symbol, bars in minutes.items()}

    def actions(self, symbols: Sequence[str], from_day: date, to_day: date) -> list[CorporateAction]:
        """Those of the other history."""
        return self._minutes.actions(symbols, from_day, to_day)

    def _longer(self, minutes: Sequence[Bar], timeframe: Timeframe) -> Iterator[Bar]:
        priced = [bar for bar in minutes if bar.priced]
        for day, bars in groupby(priced, lambda bar: self._dates.date_of(bar.minute_ns)):
            hours = self._days.hours(day)
            if hours is not None:
                for bar in longer_bars(bars, timeframe, SessionGrid(hours)):
                    yield Bar(*(getattr(bar, name) for name in Bar.__struct_fields__))
