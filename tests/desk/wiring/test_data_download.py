"""History into the catalog: complete, resumable, and honest about what is missing."""

from datetime import date
from pathlib import Path

import pytest
from steady_history import SteadyHistory

from desk.model.errors import RunFailed
from desk.model.units import DAY_NS
from desk.tape.catalog import KINDS, Catalog
from desk.tape.reader import TapeSource
from desk.venues.catalog_history import CatalogHistory
from desk.wiring.data_download import SETTLED_NS, download, gaps, trading_days
from desk.wiring.exchange_days import ExchangeDays

DAYS = ExchangeDays("XNYS")
WEEK = list(trading_days(DAYS, date(2026, 1, 2), date(2026, 1, 9)))
LATER_NS = WEEK[-1].hours.end_ns + DAY_NS
SYMBOLS = ["AA", "BRK/B", "CC"]


def got(history: SteadyHistory, catalog: Catalog, now_ns: int = LATER_NS) -> list[tuple[int, int]]:
    steps = download(history, catalog, "made-up", SYMBOLS, WEEK, KINDS, now_ns)
    return [(step.done, step.total) for step in steps]


def test_weekends_are_no_trading_days() -> None:
    assert [day.date.day for day in WEEK] == [2, 5, 6, 7, 8, 9]


def test_what_is_fetched_is_what_the_catalog_gives(tmp_path: Path) -> None:
    history, catalog = SteadyHistory(), Catalog(tmp_path / "data")

    steps = got(history, catalog)

    assert steps[-1] == (36, 36)
    span = WEEK[1].hours.start_ns, WEEK[2].hours.end_ns
    read = CatalogHistory(catalog, "made-up").bars(SYMBOLS, "1m", *span)
    made = {
        symbol: [*history.bars([symbol], "1m", *_hours(1))[symbol], *history.bars([symbol], "1m", *_hours(2))[symbol]]
        for symbol in SYMBOLS
    }
    figures = [
        (bar.symbol, bar.minute_ns, bar.open, bar.close, bar.volume, bar.vwap, bar.trades)
        for bars in read.values()
        for bar in bars
    ]
    assert figures == [
        (bar.symbol, bar.minute_ns, bar.open, bar.close, bar.volume, bar.vwap, bar.trades)
        for bars in made.values()
        for bar in bars
    ]
    assert len(catalog.actions("made-up")) == 3
    tape = TapeSource(catalog.path("made-up", "trades", WEEK[0].date, "BRK/B"))
    assert tape.symbols == ("BRK/B",)


def _hours(number: int) -> tuple[int, int]:
    return WEEK[number].hours.start_ns, WEEK[number].hours.end_ns


def test_an_interrupted_download_goes_on_where_it_stopped(tmp_path: Path) -> None:
    catalog = Catalog(tmp_path / "data")
    broken, history = SteadyHistory(answers=7), SteadyHistory()
    with pytest.raises(RunFailed, match="does not answer"):
        got(broken, catalog)

    steps = got(history, catalog)

    assert steps[0][0] > 0
    assert steps[-1] == (36, 36)
    assert got(SteadyHistory(answers=0), catalog)[-1] == (36, 36), "nothing is fetched twice"


def test_a_day_that_is_not_over_is_left_out(tmp_path: Path) -> None:
    catalog = Catalog(tmp_path / "data")

    steps = got(SteadyHistory(), catalog, WEEK[-1].hours.end_ns + SETTLED_NS - 1)

    assert steps[-1] == (30, 30)
    assert {file.day for file in catalog.files()} == {day.date for day in WEEK[:-1]}


def test_gaps_are_the_days_without_a_file_and_those_without_rows(tmp_path: Path) -> None:
    catalog = Catalog(tmp_path / "data")
    got(SteadyHistory(unknown=["CC"]), catalog)
    catalog.path("made-up", "bars", WEEK[2].date, "AA").unlink()

    found = {(kind, symbol): (missing, empty) for _, kind, symbol, missing, empty in gaps(catalog, DAYS)}

    everything = [day.date for day in WEEK]
    assert found == {
        ("bars", "AA"): ([WEEK[2].date], []),
        ("bars", "CC"): ([], everything),
        ("trades", "CC"): ([], everything),
    }
