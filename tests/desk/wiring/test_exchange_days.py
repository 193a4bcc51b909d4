"""Exchange days, compared with the calendars that exchanges publish."""

from datetime import UTC, date, datetime, timedelta

import pytest
from examples import examples
from hypothesis import given
from hypothesis import strategies as st

from desk.model.errors import PlanError
from desk.model.units import DAY_NS, SECOND_NS
from desk.wiring.exchange_days import ExchangeDays

NEW_YORK = ExchangeDays("XNYS")
TOKYO = ExchangeDays("XTKS")
FUTURES = ExchangeDays("CMES")
ALWAYS = ExchangeDays("24/7")
SECONDS = st.integers(1_073_260_800, 2_080_000_000)
"""From 2004 to 2035."""


def utc(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * SECOND_NS


@pytest.mark.parametrize(
    ("calendar", "day", "hours"),
    [
        # a winter day, a summer day, the two days of the clock change 2024
        ("XNYS", "2024-03-05", ("09:00", "14:30", "21:00", "01:00+1")),
        ("XNYS", "2024-07-02", ("08:00", "13:30", "20:00", "00:00+1")),
        ("XNYS", "2024-03-08", ("09:00", "14:30", "21:00", "01:00+1")),
        ("XNYS", "2024-03-11", ("08:00", "13:30", "20:00", "00:00+1")),
        # early closes: after Thanksgiving, before Independence Day, Christmas Eve
        ("XNYS", "2024-11-29", ("09:00", "14:30", "18:00", "22:00")),
        ("XNYS", "2024-07-03", ("08:00", "13:30", "17:00", "21:00")),
        ("XNYS", "2024-12-24", ("09:00", "14:30", "18:00", "22:00")),
        # the same exchange day under other codes of US exchanges
        ("XNAS", "2024-11-29", ("09:00", "14:30", "18:00", "22:00")),
        ("IEXG", "2024-11-29", ("09:00", "14:30", "18:00", "22:00")),
        # beyond the library's own bounds
        ("XNYS", "2004-03-05", ("09:00", "14:30", "21:00", "01:00+1")),
        ("XNYS", "2098-03-05", ("09:00", "14:30", "21:00", "01:00+1")),
        # elsewhere: midnight to midnight, local
        ("XLON", "2024-03-05", ("00:00", "08:00", "16:30", "00:00+1")),
        ("XTKS", "2024-03-05", ("15:00-1", "00:00", "06:00", "15:00")),
        # from the evening before
        ("CMES", "2024-03-05", ("23:00-1", "23:00-1", "23:00", "23:00")),
        ("24/7", "2024-03-09", ("00:00", "00:00", "00:00+1", "00:00+1")),
    ],
)
def test_a_trading_day_has_the_hours_that_its_exchange_publishes(
    calendar: str, day: str, hours: tuple[str, ...]
) -> None:
    found = ExchangeDays(calendar).hours(date.fromisoformat(day))

    def at(text: str) -> int:
        return utc(f"{day} {text[:5]}") + int(text[5:] or 0) * DAY_NS

    assert found is not None
    assert (found.start_ns, found.open_ns, found.close_ns, found.end_ns) == tuple(map(at, hours))


@pytest.mark.parametrize("day", ["2024-03-09", "2024-03-10", "2024-01-01", "2024-03-29", "2012-10-29", "2025-01-09"])
def test_weekends_holidays_and_closures_are_no_trading_days(day: str) -> None:
    assert NEW_YORK.hours(date.fromisoformat(day)) is None


@examples(60)
@given(st.sampled_from([NEW_YORK, TOKYO, FUTURES, ALWAYS]), SECONDS)
def test_every_time_belongs_to_at_most_one_day_and_has_one_that_follows(days: ExchangeDays, second: int) -> None:
    time_ns = second * SECOND_NS

    day = days.current_or_next(time_ns)

    assert time_ns < day.hours.end_ns
    assert day.hours.start_ns <= day.hours.open_ns < day.hours.close_ns <= day.hours.end_ns
    assert days.hours(day.date) == day.hours
    assert days.current_or_next(day.hours.end_ns).hours.start_ns >= day.hours.end_ns
    around = [day.date + timedelta(ahead) for ahead in range(-10, 0)]
    assert all(hours is None or hours.end_ns <= time_ns for hours in map(days.hours, around))


def test_a_break_and_extended_hours_are_not_open() -> None:
    def is_open(days: ExchangeDays, text: str) -> bool:
        return days.is_open(date.fromisoformat(text[:10]), utc(text))

    assert not is_open(TOKYO, "2024-03-05 03:00")
    assert is_open(TOKYO, "2024-03-05 03:30")
    assert not is_open(NEW_YORK, "2024-03-05 14:29:59")
    assert is_open(NEW_YORK, "2024-03-05 20:59:59")
    assert not is_open(NEW_YORK, "2024-11-29 18:00")
    assert not is_open(NEW_YORK, "2024-03-09 16:00")
    assert is_open(ALWAYS, "2024-03-09 03:00")


@pytest.mark.parametrize(
    ("calendar", "day", "words"),
    [("XXXX", "2024-03-05", "not a known exchange"), ("XSES", "2060-03-05", "in 2060 are unknown")],
)
def test_what_is_not_known_is_refused_in_words(calendar: str, day: str, words: str) -> None:
    with pytest.raises(PlanError, match=words) as caught:
        ExchangeDays(calendar).hours(date.fromisoformat(day))

    assert caught.value.place == "[session] calendar"
    assert "24/7" in caught.value.expected + caught.value.remedy
