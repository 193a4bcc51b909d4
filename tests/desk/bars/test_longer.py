"""Longer bars against an oracle in plain Python, from the minutes as bars.parquet has them."""

import math
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from desk.bars.builder import BarBuilder
from desk.bars.longer import LongerBars, longer_bars
from desk.bars.series import BarSeries, rows_of
from desk.bars.session_grid import SessionGrid
from desk.model.bars import Bar, LongerBar
from desk.model.hours import TradingDay
from desk.model.ticks import Trade
from desk.model.timeframes import INTRADAY_NS, TIMEFRAMES, Timeframe
from desk.model.units import MINUTE_NS, SECOND_NS

HOURS = TradingDay(0, 7 * MINUTE_NS, 62 * MINUTE_NS, 75 * MINUTE_NS)
"""A short exchange day: 7 minutes before the open, 55 of regular hours, 13 after the close."""
GRID = SessionGrid(HOURS)
WORST = ("complete", "repaired", "partial")
LONGER = TIMEFRAMES[1:]


def span_of(minute_ns: int, timeframe: Timeframe) -> tuple[int, int] | None:
    """The span of a minute, by definition."""
    parts = [(HOURS.start_ns, HOURS.open_ns), (HOURS.open_ns, HOURS.close_ns), (HOURS.close_ns, HOURS.end_ns)]
    begin, end = next(part for part in parts if part[0] <= minute_ns < part[1])
    if timeframe == "1d":
        return (begin, end) if begin == HOURS.open_ns else None
    start = begin
    while start + INTRADAY_NS[timeframe] <= minute_ns:
        start += INTRADAY_NS[timeframe]
    return start, min(start + INTRADAY_NS[timeframe], end)


def longer_from(minutes: list[Bar], timeframe: Timeframe, closed_to_ns: int, lost: set[int]) -> list[dict[str, Any]]:
    """Longer bars from rows of bars.parquet; `lost` are minutes that lost a trade, which have a row or not."""
    spans: dict[tuple[int, int], list[Bar]] = {}
    for bar in sorted(minutes, key=lambda bar: bar.minute_ns):
        span = span_of(bar.minute_ns, timeframe)
        if bar.priced and span is not None and span[1] <= closed_to_ns:
            spans.setdefault(span, []).append(bar)
    return [
        {
            "minute_ns": span[0],
            "open": bars[0].open,
            "high": max(bar.high for bar in bars),
            "low": min(bar.low for bar in bars),
            "close": bars[-1].close,
            "volume": sum(bar.volume for bar in bars),
            "vwap": sum(bar.notional for bar in bars) / sum(bar.volume for bar in bars),
            "trades": sum(bar.trades for bar in bars),
            "flags": "partial"
            if any(span[0] <= minute < span[1] for minute in lost)
            else max((bar.flags for bar in bars), key=WORST.index),
        }
        for span, bars in spans.items()
    ]


def rows_of_series(series: BarSeries) -> list[dict[str, Any]]:
    names = ("minute_ns", "open", "high", "low", "close", "volume", "vwap", "trades", "flags")
    columns = [getattr(series, name).tolist() for name in names]
    assert {len(column) for column in columns} == {len(series)}
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]


def assert_equal_bars(found: list[dict[str, Any]], expected: list[dict[str, Any]]) -> None:
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        assert math.isclose(one.pop("vwap"), other.pop("vwap"), rel_tol=1e-12)
        assert one == other


class Minutes:
    """A builder that is driven as an engine drives it, and the minutes that a keeper has of it."""

    def __init__(self, since_ns: int = 0) -> None:
        self.builder = BarBuilder("SPY", since_ns)
        self.longer = LongerBars(self.builder, GRID, {})
        self.closed_to_ns = 0
        self.lost: set[int] = set()
        self._ordinal = 0

    def trade(self, ts_ns: int, price: float = 10.0, size: float = 100.0, conditions: str = "") -> None:
        self._ordinal += 1
        self.builder.add(Trade(self._ordinal, "SPY", ts_ns, ts_ns, price, size, conditions), self.closed_to_ns)

    def close_to(self, to_ns: int) -> None:
        for minute_ns in self.builder.open_minutes(self.closed_to_ns):
            if minute_ns < to_ns:
                self.builder.close(minute_ns)
        self.closed_to_ns = max(self.closed_to_ns, to_ns)

    def lose(self, minute_ns: int) -> None:
        self.builder.spoil(minute_ns, self.closed_to_ns)
        self.lost.add(minute_ns)

    @property
    def kept(self) -> list[Bar]:
        return [bar.frozen() for bar in self.builder.changed.values()]

    def check(self) -> None:
        for timeframe in LONGER:
            found = rows_of_series(self.longer.series(timeframe, self.closed_to_ns, 0))
            assert_equal_bars(found, longer_from(self.kept, timeframe, self.closed_to_ns, self.lost))


events = st.lists(
    st.one_of(
        st.tuples(
            st.just("trade"),
            st.integers(0, 75 * 60 - 1).map(lambda second: second * SECOND_NS),
            st.integers(1, 400).map(lambda quarters: quarters / 4),
            st.sampled_from(("", "@", "I", "Z", "M")),
        ),
        st.tuples(st.just("lose"), st.integers(0, 74)),
        st.tuples(st.just("close"), st.integers(0, 76)),
    ),
    max_size=60,
)


@given(events)
def test_longer_bars_equal_those_of_the_minutes_for_any_order_of_trades_and_losses(days: list[tuple[Any, ...]]) -> None:
    minutes = Minutes()

    for kind, *what in days:
        match kind:
            case "trade":
                ts_ns, price, conditions = what
                minutes.trade(ts_ns, price, 7.0, conditions)
            case "lose":
                minutes.lose(what[0] * MINUTE_NS)
            case _:
                minutes.close_to(what[0] * MINUTE_NS)
        minutes.check()


@given(st.integers(0, 2**32), st.sampled_from(LONGER))
def test_the_bar_that_is_handed_over_is_the_row_of_the_series(seed: int, timeframe: Timeframe) -> None:
    random, minutes = Random(seed), Minutes()
    for _ in range(random.randrange(80)):
        minutes.trade(random.randrange(75 * 60) * SECOND_NS, random.randrange(1, 400) / 4, random.random())
    minutes.close_to(HOURS.end_ns)

    bars = [minutes.longer.bar(timeframe, span) for span in GRID.ending(timeframe, 0, HOURS.end_ns)]

    handed = [bar for bar in bars if bar is not None]
    assert all(isinstance(bar, LongerBar) and bar.timeframe == timeframe and bar.priced for bar in handed)
    series = minutes.longer.series(timeframe, minutes.closed_to_ns, 0)
    names = ("minute_ns", "open", "high", "low", "close", "volume", "vwap", "trades", "flags")
    rows = [tuple(getattr(bar, name) for name in names) for bar in handed]
    assert rows == list(zip(*(getattr(series, name).tolist() for name in names), strict=True))


@given(st.integers(0, 2**32), st.sampled_from(LONGER))
def test_bars_of_a_source_of_history_are_made_in_the_same_way(seed: int, timeframe: Timeframe) -> None:
    random, minutes = Random(seed), Minutes()
    for _ in range(random.randrange(60)):
        minutes.trade(random.randrange(75 * 60) * SECOND_NS, random.randrange(1, 400) / 4, 7.0)
    minutes.close_to(HOURS.end_ns)
    given_bars = [bar for bar in minutes.kept if bar.priced]
    random.shuffle(given_bars)

    made = longer_bars(given_bars, timeframe, GRID)

    spans = GRID.ending(timeframe, 0, HOURS.end_ns)
    assert made == [bar for span in spans if (bar := minutes.longer.bar(timeframe, span)) is not None]


def test_a_bar_ends_when_its_last_minute_is_closed_and_not_before() -> None:
    minutes = Minutes()
    minutes.trade(HOURS.open_ns, 10.0)

    minutes.close_to(HOURS.open_ns + 4 * MINUTE_NS)
    early = len(minutes.longer.series("5m", minutes.closed_to_ns, 0))
    minutes.close_to(HOURS.open_ns + 5 * MINUTE_NS)

    assert early == 0
    assert minutes.longer.series("5m", minutes.closed_to_ns, 0).minute_ns.tolist() == [HOURS.open_ns]


def test_a_revision_shows_in_arrays_that_are_read_afterwards_and_not_in_those_before() -> None:
    minutes = Minutes()
    minutes.trade(HOURS.open_ns, 10.0)
    minutes.close_to(HOURS.close_ns)
    series = minutes.longer.series("15m", minutes.closed_to_ns, 0)
    before = series.high

    minutes.trade(HOURS.open_ns + 14 * MINUTE_NS, 12.0)

    assert before.tolist() == [10.0]
    assert series.high.tolist() == [12.0]
    assert minutes.longer.series("1d", minutes.closed_to_ns, 0).volume.tolist() == [200.0]


def test_a_minute_that_lost_all_its_trades_makes_its_longer_bars_partial_for_good() -> None:
    minutes = Minutes()
    minutes.trade(HOURS.open_ns, 10.0)
    minutes.trade(HOURS.open_ns + 5 * MINUTE_NS, 10.0)
    minutes.lose(HOURS.open_ns + MINUTE_NS)
    minutes.close_to(HOURS.close_ns)

    minutes.builder.forget(HOURS.close_ns, HOURS.close_ns)

    assert minutes.longer.series("5m", minutes.closed_to_ns, 0).flags.tolist() == ["partial", "complete"]
    assert minutes.longer.series("1d", minutes.closed_to_ns, 0).flags.tolist() == ["partial"]


def test_a_bar_that_began_before_the_subscription_is_partial_unless_the_time_before_is_known() -> None:
    since_ns = HOURS.open_ns + 2 * MINUTE_NS
    unknown, known = Minutes(since_ns), Minutes(since_ns)
    earlier = [Bar("SPY", HOURS.open_ns, 9.0, 9.0, 9.0, 9.0, 50.0, 450.0, 2)]

    known.builder.put_earlier(earlier, known.closed_to_ns + HOURS.end_ns, whole=True)
    for minutes in unknown, known:
        minutes.trade(since_ns, 10.0)
        minutes.trade(HOURS.open_ns + 5 * MINUTE_NS, 10.0)
        minutes.close_to(HOURS.close_ns)

    assert unknown.longer.series("5m", HOURS.close_ns, 0).flags.tolist() == ["partial", "complete"]
    assert known.longer.series("5m", HOURS.close_ns, 0).flags.tolist() == ["repaired", "complete"]
    assert known.longer.series("5m", HOURS.close_ns, 0).volume.tolist() == [150.0, 100.0]
    assert known.longer.series("5m", HOURS.close_ns, 0).open.tolist() == [9.0, 10.0]


def test_earlier_minutes_from_another_source_replace_none_that_the_ticks_made() -> None:
    minutes = Minutes(HOURS.open_ns + 2 * MINUTE_NS + SECOND_NS)
    minutes.trade(HOURS.open_ns + MINUTE_NS, 20.0)
    minutes.close_to(HOURS.open_ns + 4 * MINUTE_NS)

    other = [Bar("SPY", HOURS.open_ns + minute * MINUTE_NS, 5.0, 5.0, 5.0, 5.0, 1.0, 5.0, 1) for minute in range(4)]
    minutes.builder.put_earlier(other, minutes.closed_to_ns, whole=False)

    series = minutes.builder.series
    assert ((series.minute_ns - HOURS.open_ns) // MINUTE_NS).tolist() == [0, 1]
    assert (series.close.tolist(), series.flags.tolist()) == ([5.0, 20.0], ["repaired", "partial"])


def test_bars_of_before_the_day_come_first_and_only_as_many_as_are_asked_for() -> None:
    minutes = Minutes()
    days = [Bar("SPY", -day * 1_000 * MINUTE_NS, *[float(day)] * 4, 10.0, 10.0 * day, 1) for day in (3, 2, 1)]
    longer = LongerBars(minutes.builder, GRID, {"1d": rows_of(days).tobytes()})
    minutes.trade(HOURS.open_ns, 10.0)
    minutes.close_to(HOURS.close_ns)

    closes = [longer.series("1d", minutes.closed_to_ns, past).close.tolist() for past in (0, 2, 9)]

    assert closes == [[10.0], [2.0, 1.0, 10.0], [3.0, 2.0, 1.0, 10.0]]
    assert longer.series("1d", minutes.closed_to_ns, 9).vwap.tolist() == [3.0, 2.0, 1.0, 10.0]
    assert len(longer.series("1d", 0, 9)) == 3


def test_the_arrays_are_read_only() -> None:
    minutes = Minutes()
    minutes.trade(HOURS.open_ns, 10.0)
    minutes.close_to(HOURS.close_ns)
    series = minutes.longer.series("5m", minutes.closed_to_ns, 0)

    for name in ("minute_ns", "close", "vwap", "trades", "flags"):
        array = getattr(series, name)
        with pytest.raises(ValueError, match="read-only"):
            array[0] = array[0]
        with pytest.raises(ValueError, match="WRITEABLE"):
            array.setflags(write=True)
    with pytest.raises(AttributeError, match="bars cannot be changed"):
        series.close = np.zeros(1)  # type: ignore[misc]
