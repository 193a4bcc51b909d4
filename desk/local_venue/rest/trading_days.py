"""The days of an exchange, as the history needs them.

Tests: tests/desk/local_venue/test_market_past.py
"""

from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from typing import Final, Protocol
from zoneinfo import ZoneInfo

import numpy as np

from desk.local_venue.byte_fields import Ints
from desk.model.hours import TradingDay
from desk.model.units import SECOND_NS

HOUR_NS: Final = 3600 * SECOND_NS
STOCKS, CRYPTO = "XNYS", "24/7"
FRIDAY: Final = 4
HOURS: Final = (time(4), time(9, 30), time(16), time(20))
"""Start, open, close and end of an ordinary day."""


class TradingDays(Protocol):
    """Dates and hours of an exchange, in its own time zone."""

    @property
    def zone(self) -> ZoneInfo:
        """The exchange's time zone."""
        ...

    def hours(self, day: date) -> TradingDay | None:
        """The hours of a date; None if the exchange is closed."""
        ...


class WeekDays:
    """Monday to Friday, 9:30 to 16:00 in New York; with "24/7" all days, midnight to midnight UTC.

    For venues without a calendar: `desk venue` gives one with holidays and early closes.
    """

    def __init__(self, calendar: str) -> None:
        self._always = calendar == CRYPTO
        self.zone = ZoneInfo("UTC" if self._always else "America/New_York")

    def hours(self, day: date) -> TradingDay | None:
        """The hours of a date."""
        start_ns = midnight_ns(day, self.zone)
        end_ns = midnight_ns(day + timedelta(1), self.zone)
        if self._always:
            return TradingDay(start_ns, start_ns, end_ns, end_ns)
        if day.weekday() > FRIDAY:
            return None
        at = [int(datetime.combine(day, when, self.zone).timestamp()) * SECOND_NS for when in HOURS]
        return TradingDay(*at)


DaysOf = Callable[[str], TradingDays]
"""The days of an exchange by its code; "24/7" is always open, midnight to midnight UTC."""


def calendar_of(symbol: str) -> str:
    """The exchange of a symbol: crypto pairs have a slash, as in BTC/USD."""
    return CRYPTO if "/" in symbol else STOCKS


def midnight_ns(day: date, zone: ZoneInfo) -> int:
    """The start of a date."""
    return int(datetime(day.year, day.month, day.day, tzinfo=zone).timestamp()) * SECOND_NS


def date_of(time_ns: int, zone: ZoneInfo) -> date:
    """The date of a time."""
    return datetime.fromtimestamp(time_ns // SECOND_NS, zone).date()


def midnights(times_ns: Ints, zone: ZoneInfo) -> Ints:
    """The start of each time's date. Zones change their offset at full hours."""
    hours, index = np.unique(times_ns // HOUR_NS, return_inverse=True)
    starts = [midnight_ns(date_of(hour * HOUR_NS, zone), zone) for hour in hours.tolist()]
    return np.array(starts, np.int64)[index] if starts else times_ns


def trading_dates(days: TradingDays, first: date, last: date) -> list[date]:
    """The trading days from `first` to `last`, both included."""
    span = (first + timedelta(number) for number in range((last - first).days + 1))
    return [day for day in span if days.hours(day) is not None]
