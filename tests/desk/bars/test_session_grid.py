from datetime import date, datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from desk.bars.session_grid import NO_SPAN, SessionGrid
from desk.model.hours import ALWAYS_OPEN, TradingDay
from desk.model.timeframes import TIMEFRAMES, Timeframe, timeframe_of
from desk.model.units import DAY_NS, MINUTE_NS, SECOND_NS
from desk.wiring.exchange_days import ExchangeDays

NEW_YORK = ZoneInfo("America/New_York")


def grid_of(day: str, calendar: str = "XNYS") -> tuple[SessionGrid, TradingDay]:
    hours = ExchangeDays(calendar).hours(date.fromisoformat(day))
    assert hours is not None
    return SessionGrid(hours), hours


def spans_between(grid: SessionGrid, timeframe: Timeframe, from_ns: int, to_ns: int, zone: ZoneInfo) -> list[str]:
    def local(time_ns: int) -> str:
        return f"{datetime.fromtimestamp(time_ns // SECOND_NS, zone):%H:%M}"

    return [f"{local(start)}-{local(end)}" for start, end in grid.ending(timeframe, from_ns, to_ns)]


def test_hours_begin_at_the_open_and_the_last_one_ends_at_the_close() -> None:
    grid, hours = grid_of("2013-10-07")

    spans = spans_between(grid, "1h", hours.open_ns, hours.close_ns, NEW_YORK)

    assert spans == [
        *("09:30-10:30", "10:30-11:30", "11:30-12:30", "12:30-13:30", "13:30-14:30", "14:30-15:30", "15:30-16:00"),
    ]


def test_an_early_close_ends_the_hour_and_the_day() -> None:
    grid, hours = grid_of("2013-11-29")

    spans = spans_between(grid, "1h", hours.open_ns, hours.close_ns, NEW_YORK)
    day = spans_between(grid, "1d", hours.start_ns, hours.end_ns, NEW_YORK)

    assert spans[-2:] == ["11:30-12:30", "12:30-13:00"]
    assert day == ["09:30-13:00"]


def test_extended_hours_have_bars_of_their_own_that_span_neither_open_nor_close() -> None:
    grid, hours = grid_of("2013-10-07")

    early = spans_between(grid, "1h", hours.start_ns, hours.open_ns, NEW_YORK)
    late = spans_between(grid, "1h", hours.close_ns, hours.end_ns, NEW_YORK)
    quarters = spans_between(grid, "15m", hours.open_ns - 15 * MINUTE_NS, hours.open_ns + 15 * MINUTE_NS, NEW_YORK)

    assert (early[0], early[-2:]) == ("04:00-05:00", ["08:00-09:00", "09:00-09:30"])
    assert (late[0], late[-1]) == ("16:00-17:00", "19:00-20:00")
    assert quarters == ["09:15-09:30", "09:30-09:45"]


def test_extended_hours_belong_to_no_day() -> None:
    grid, hours = grid_of("2013-10-07")
    minutes = np.array([hours.start_ns, hours.open_ns, hours.close_ns - MINUTE_NS, hours.close_ns], np.int64)

    starts, ends = grid.spans("1d", minutes)

    assert starts.tolist() == [NO_SPAN, hours.open_ns, hours.open_ns, NO_SPAN]
    assert ends.tolist() == [NO_SPAN, hours.close_ns, hours.close_ns, NO_SPAN]


def test_a_calendar_without_a_close_has_a_day_from_midnight_to_midnight_utc() -> None:
    grid, hours = grid_of("2026-01-04", "24/7")

    day = spans_between(grid, "1d", hours.start_ns, hours.end_ns, ZoneInfo("UTC"))
    spans = spans_between(grid, "1h", hours.start_ns, hours.end_ns, ZoneInfo("UTC"))

    assert day == ["00:00-00:00"]
    assert (len(spans), spans[0], spans[-1]) == (24, "00:00-01:00", "23:00-00:00")


def test_a_day_without_limits_has_no_daily_bar_that_ends() -> None:
    grid = SessionGrid(ALWAYS_OPEN)

    assert grid.ending("1d", 0, DAY_NS) == []
    assert grid.ending("5m", 0, 10 * MINUTE_NS) == [(0, 5 * MINUTE_NS), (5 * MINUTE_NS, 10 * MINUTE_NS)]


edges = st.lists(st.integers(0, 600), min_size=4, max_size=4).map(sorted)


@given(edges, st.sampled_from(TIMEFRAMES[:-1]))
def test_the_spans_divide_the_day_without_overlap_and_none_spans_an_edge(
    minutes: list[int], timeframe: Timeframe
) -> None:
    hours = TradingDay(*(minute * MINUTE_NS for minute in minutes))
    grid = SessionGrid(hours)
    day = np.arange(hours.start_ns, hours.end_ns, MINUTE_NS, np.int64)

    starts, ends = grid.spans(timeframe, day)
    ending = grid.ending(timeframe, hours.start_ns, hours.end_ns)

    assert ((starts <= day) & (day < ends)).all()
    assert ending == sorted(set(zip(starts.tolist(), ends.tolist(), strict=True)))
    assert all(before.end_ns == after.start_ns for before, after in pairwise(ending))
    for edge in hours.open_ns, hours.close_ns:
        assert not ((starts < edge) & (edge < ends)).any()


@pytest.mark.parametrize("name", ["2m", "5M", "", 5, None])
def test_an_unknown_timeframe_is_none(name: object) -> None:
    assert timeframe_of(name) is None
