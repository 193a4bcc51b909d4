"""The trading days of an exchange: their dates and hours.

Regular hours, early closes, holidays and daylight saving come from exchange_calendars. It has no extended hours: those
of US exchanges are defined here.
"""

from datetime import date, datetime, time, timedelta
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

from desk.model.errors import PlanError
from desk.model.hours import TradingDay
from desk.model.session import Session
from desk.model.units import DAY_NS, SECOND_NS

ALWAYS_OPEN: Final = "24/7"
"""A calendar of this module: each day is open from midnight to midnight UTC."""

US: Final = "XNYS"
US_MARKETS: Final = frozenset({"BATY", "EDGA", "EDGX", "EPRL", "IEXG", "LTSE", "MEMX", "XBOS", "XCHI", "XCIS", "XPSX"})
"""US stock exchanges that exchange_calendars does not have; they have the trading days of XNYS."""

# US extended hours, in exchange time. Sources: NYSE, "Holidays & Trading Hours" (Arca trades from 4:00 to 20:00 ET;
# on early closes, at 13:00, late sessions end at 17:00); Nasdaq, "Trading Schedule" (pre-market from 4:00, after hours
# to 20:00, and to 17:00 on early closes).
US_START: Final = time(4)
US_END: Final = time(20)
US_EARLY_END: Final = time(17)
US_CLOSE: Final = time(16)

MIDNIGHT: Final = time()
ONE_DAY: Final = timedelta(1)
LONGEST_CLOSURE_DAYS: Final = 40
SAMPLE: Final = (date(2024, 1, 1), date(2024, 12, 31))
"""A year that every calendar of the library has."""


class ExchangeDay(NamedTuple):
    """A trading day: its date on the exchange, and its hours."""

    date: date
    hours: TradingDay


class RegularHours(NamedTuple):
    """Regular hours of one day; `break_ns` is the start and the end of its break, None without a break."""

    open_ns: int
    close_ns: int
    break_ns: tuple[int, int] | None


class ExchangeDays:
    """The trading days of the exchange `calendar`. Raises PlanError for an unknown exchange.

    The library's calendars are built for one year at a time, so that its default bounds (20 years back, one ahead) do
    not apply.
    """

    def __init__(self, calendar: str) -> None:
        self.calendar = calendar
        self._always = calendar == ALWAYS_OPEN
        self._years: dict[int, dict[date, RegularHours]] = {}
        if self._always:
            self.zone = ZoneInfo("UTC")
            return
        self._name = US if calendar in US_MARKETS else calendar
        self._sample = self._calendar(*SAMPLE)
        self.zone = ZoneInfo(str(self._sample.tz))

    def hours(self, day: date) -> TradingDay | None:
        """The hours of a date; None if it is not a trading day. Raises PlanError for an unknown year."""
        midnight_ns = exchange_ns(day, MIDNIGHT, self.zone)
        if self._always:
            return TradingDay(midnight_ns, midnight_ns, midnight_ns + DAY_NS, midnight_ns + DAY_NS)
        regular = self._regular(day)
        if regular is None:
            return None
        open_ns, close_ns, _ = regular
        if self._sample.name == US:
            end = US_END if close_ns >= exchange_ns(day, US_CLOSE, self.zone) else US_EARLY_END
            end_ns = exchange_ns(day, end, self.zone)
            return TradingDay(exchange_ns(day, US_START, self.zone), open_ns, close_ns, end_ns)
        if open_ns < midnight_ns:  # the exchange opens on the evening before
            return TradingDay(open_ns, open_ns, close_ns, close_ns)
        return TradingDay(midnight_ns, open_ns, close_ns, exchange_ns(day + ONE_DAY, MIDNIGHT, self.zone))

    def current_or_next(self, time_ns: int) -> ExchangeDay:
        """The trading day of this time, or else the next one. Raises PlanError if there is none."""
        first = self.local(time_ns).date()
        for ahead in range(LONGEST_CLOSURE_DAYS):
            day = first + ahead * ONE_DAY
            hours = self.hours(day)
            if hours is not None and time_ns < hours.end_ns:
                return ExchangeDay(day, hours)
        raise PlanError(
            "[session] calendar",
            f"{self.calendar} has no trading day in the {LONGEST_CLOSURE_DAYS} days from {first} on",
            "a calendar with trading days at this time",
            f'Name another exchange, or "{ALWAYS_OPEN}".',
        )

    def is_open(self, day: date, time_ns: int) -> bool:
        """Whether the exchange is in regular hours of this day at this time; it is closed during breaks."""
        if self._always:
            return True
        regular = self._regular(day)
        if regular is None or not regular.open_ns <= time_ns < regular.close_ns:
            return False
        return regular.break_ns is None or not regular.break_ns[0] <= time_ns < regular.break_ns[1]

    def local(self, time_ns: int) -> datetime:
        """The exchange's local time, in whole seconds."""
        return datetime.fromtimestamp(time_ns // SECOND_NS, self.zone)

    def _regular(self, day: date) -> RegularHours | None:
        year = self._years.get(day.year)
        if year is None:
            year = self._years[day.year] = self._year(day.year)
        return year.get(day)

    def _year(self, year: int) -> dict[date, RegularHours]:
        """The regular hours of each trading day of a year. Raises PlanError."""
        first, last = date(year, 1, 1), date(year, 12, 31)
        low, high = type(self._sample).bound_min(), type(self._sample).bound_max()
        if low is not None:
            first = max(first, low.date())
        if high is not None:
            last = min(last, high.date())
        if first >= last:
            raise PlanError(
                "[session] calendar",
                f"the trading days of {self.calendar} in {year} are unknown",
                f"a time {_span(low, high)}",
                f'Name another exchange, or "{ALWAYS_OPEN}".',
            )
        calendar = self._calendar(first, last)
        rows = [] if calendar is None else calendar.schedule.itertuples()
        return {row.Index.date(): RegularHours(_ns(row.open), _ns(row.close), _break(row)) for row in rows}

    def _calendar(self, first: date, last: date) -> Any:
        """The library's calendar from `first` to `last`; None if it has no trading day there. Raises PlanError."""
        import exchange_calendars  # noqa: PLC0415 - imports pandas, which few processes need
        from exchange_calendars import errors  # noqa: PLC0415 - as above

        try:
            return exchange_calendars.get_calendar(self._name, start=first.isoformat(), end=last.isoformat())
        except errors.NoSessionsError:
            return None
        except errors.InvalidCalendarName as error:
            raise PlanError(
                "[session] calendar",
                f'`"{self.calendar}"`, which is not a known exchange',
                f'an ISO 10383 code such as "{US}", or "{ALWAYS_OPEN}"',
                "Correct the exchange's code.",
            ) from error
        except (NotImplementedError, ValueError) as error:
            # Some of the library's holiday rules fail with some releases of pandas.
            raise PlanError(
                "[session] calendar",
                f'`"{self.calendar}"`, whose trading days exchange_calendars cannot compute: {str(error)[:80]}',
                "an exchange whose trading days it can compute",
                f'Name another exchange, or "{ALWAYS_OPEN}".',
            ) from error


def _ns(at: Any) -> int:
    return int(at.timestamp()) * SECOND_NS


def _break(row: Any) -> tuple[int, int] | None:
    """The break in a row of a schedule; without a break its times are NaT, which is not equal to itself."""
    return (_ns(row.break_start), _ns(row.break_end)) if row.break_start == row.break_start else None


def _span(low: Any, high: Any) -> str:
    return " ".join(f"{word} {at.date()}" for word, at in (("from", low), ("to", high)) if at is not None)


def day_start_ns(session: Session) -> int:
    """Midnight of the session's day on its exchange."""
    return exchange_ns(date.fromisoformat(session.day), MIDNIGHT, ZoneInfo(session.timezone))


def exchange_ns(day: date, at: time, zone: ZoneInfo) -> int:
    """The exchange's local time `at`, in ns since the epoch."""
    return int(datetime.combine(day, at, zone).timestamp()) * SECOND_NS
