"""Longer bars of a recorded day against the published minutes of that day, added up."""

from collections import defaultdict
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from desk.bars.builder import BarBuilder
from desk.bars.longer import LongerBars
from desk.bars.session_grid import NO_SPAN, SessionGrid
from desk.model.hours import TradingDay
from desk.model.ticks import Trade
from desk.model.timeframes import Timeframe
from desk.wiring.exchange_days import ExchangeDays

DAY = date(2013, 10, 7)


@pytest.fixture(scope="module")
def hours() -> TradingDay:
    found = ExchangeDays("XNYS").hours(DAY)
    assert found is not None
    return found


@pytest.fixture(scope="module")
def minutes(shared_data: Path, hours: TradingDay) -> dict[str, BarBuilder]:
    columns = ["symbol", "ts_ns", "price", "size", "conditions"]
    tape = pq.read_table(shared_data / "us-2013-10-07.parquet", columns=columns, filters=[("kind", "=", "trade")])
    builders: dict[str, BarBuilder] = {}
    rows = zip(*(tape.column(name).to_pylist() for name in columns), strict=True)
    for ordinal, (symbol, ts_ns, price, size, conditions) in enumerate(rows):
        builder = builders.get(symbol) or builders.setdefault(symbol, BarBuilder(symbol, hours.start_ns))
        builder.add(Trade(ordinal, symbol, ts_ns, ts_ns, price, size, conditions or ""), hours.start_ns)
    for builder in builders.values():
        for minute_ns in builder.open_minutes(hours.start_ns):
            builder.close(minute_ns)
    return builders


@pytest.fixture(scope="module")
def published(shared_data: Path, minutes: dict[str, BarBuilder]) -> dict[tuple[str, int], float]:
    """The volume of each published minute, by symbol and start."""
    last_ns = max(int(builder.series.minute_ns[-1]) for builder in minutes.values())
    rows = pq.read_table(shared_data / "us-2013-10-minute-bars.parquet").to_pylist()
    return {(row["symbol"], row["minute_ns"]): row["volume"] for row in rows if row["minute_ns"] <= last_ns}


@pytest.mark.parametrize(("timeframe", "spans"), [("5m", 566), ("15m", 213), ("1h", 65), ("1d", 4)])
def test_volumes_are_those_of_the_published_minutes_added_up(
    timeframe: Timeframe,
    spans: int,
    minutes: dict[str, BarBuilder],
    hours: TradingDay,
    published: dict[tuple[str, int], float],
) -> None:
    grid = SessionGrid(hours)
    theirs: dict[tuple[str, int], float] = defaultdict(float)
    unlike: dict[tuple[str, int], int] = defaultdict(int)
    for symbol, builder in minutes.items():
        ours = dict(zip(builder.series.minute_ns.tolist(), builder.series.volume.tolist(), strict=True))
        known = np.array(sorted({*ours, *(minute_ns for of, minute_ns in published if of == symbol)}))
        starts, _ = grid.spans(timeframe, known)
        for minute_ns, start_ns in zip(known.tolist(), starts.tolist(), strict=True):
            volume = published.get((symbol, minute_ns), 0.0)
            if start_ns != NO_SPAN:
                theirs[symbol, start_ns] += volume
                unlike[symbol, start_ns] += ours.get(minute_ns, 0.0) != volume

    longer = {
        (symbol, start_ns): volume
        for symbol, builder in minutes.items()
        for series in [LongerBars(builder, grid, {}).series(timeframe, hours.end_ns, 0)]
        for start_ns, volume in zip(series.minute_ns.tolist(), series.volume.tolist(), strict=True)
    }

    assert sum(unlike.values()) <= 0.01 * len(published)
    assert sum(1 for volume in theirs.values() if volume) == spans
    assert all(longer[span] == volume for span, volume in theirs.items() if not unlike[span])
