"""The exchange days before a day, and the day of a bar.

Tests: tests/desk/history/test_session_history.py
"""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Final, Protocol
from zoneinfo import ZoneInfo

from desk.model.hours import TradingDay
from desk.model.timeframes import INTRADAY_NS, Timeframe
from desk.model.units import SECOND_NS

ONE_DAY: Final = timedelta(1)
MOST_CLOSED_DAYS: Final = 40


class TradingDays(Protocol):
    """The trading days of an exchange."""

    zone: ZoneInfo

    def hours(self, day: date) -> TradingDay | None:
        """The hours of a date; None if it is not a trading day."""
        ...


class PastDays:
    """The trading days before `day`, newest first as far as they are needed."""

    def __init__(self, days: TradingDays, day: date) -> None:
        self._days = days
        self._day = day
        self._found: list[TradingDay] = []
        self._more = self._before()

    def date_of(self, time_ns: int) -> date:
        """The date of a time on the exchange."""
        return datetime.fromtimestamp(time_ns // SECOND_NS, self._days.zone).date()

    def open_ns(self, day: date) -> int | None:
        """The regular open of a date; None if it is not a trading day."""
        hours = self._days.hours(day)
        return None if hours is None else hours.open_ns

    def start_ns(self, days: int) -> int:
        """The start of the trading day so many trading days before; of the first known one, if there are fewer."""
        while len(self._found) < days and (hours := next(self._more, None)) is not None:
            self._found.append(hours)
        return self._found[min(days, len(self._found)) - 1].start_ns

    def with_bars(self, timeframe: Timeframe, count: int) -> int:
        """The number of trading days that have at least so many bars in regular hours, counted by the last one."""
        if timeframe == "1d":
            return count
        self.start_ns(1)
        last = self._found[0]
        per_day = max((last.close_ns - last.open_ns) // INTRADAY_NS[timeframe], 1)
        return -(-count // per_day)

    def _before(self) -> Iterator[TradingDay]:
        day, closed = self._day, 0
        while closed < MOST_CLOSED_DAYS:
            day -= ONE_DAY
            hours = self._days.hours(day)
            closed = closed + 1 if hours is None else 0
            if hours is not None:
                yield hours
