"""Fetches history into the catalog of `desk data`, and finds what is missing there.

Tests: tests/desk/wiring/test_data_download.py
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, timedelta
from typing import Final, NamedTuple

from desk.model.errors import RunFailed
from desk.model.units import MINUTE_NS
from desk.tape.catalog import Catalog, Kind
from desk.venues.market_history import HistoryUnavailable, MarketHistory
from desk.wiring.exchange_days import ExchangeDay, ExchangeDays

SYMBOLS_AT_ONCE: Final = 100
SETTLED_NS: Final = 20 * MINUTE_NS
"""How long after its end a day is fetched: delayed feeds are 15 min late, and late reports come for some minutes."""


class Step(NamedTuple):
    """The progress of a download: what is fetched now, and how much of it is done, of the whole."""

    text: str
    done: int
    total: int


def trading_days(days: ExchangeDays, from_day: date, to_day: date) -> Iterator[ExchangeDay]:
    """The exchange's trading days from one date to another, both included."""
    day = from_day
    while day <= to_day:
        if (hours := days.hours(day)) is not None:
            yield ExchangeDay(day, hours)
        day += timedelta(1)


def download(
    history: MarketHistory,
    catalog: Catalog,
    source: str,
    symbols: Sequence[str],
    wanted: Iterable[ExchangeDay],
    kinds: Sequence[Kind],
    now_ns: int,
) -> Iterator[Step]:
    """Fetch what the catalog lacks of these days; yields its progress. Interrupted, it continues when called again.

    Days that are not over are left out. Raises RunFailed if the history cannot be had.
    """
    due = [day for day in wanted if day.hours.end_ns + SETTLED_NS <= now_ns]
    missing = {
        (day, kind): [symbol for symbol in symbols if not catalog.has(source, kind, day.date, symbol)]
        for day in due
        for kind in kinds
    }
    total = len(due) * len(kinds) * len(symbols)
    done = total - sum(map(len, missing.values()))
    try:
        for (day, kind), names in missing.items():
            size = SYMBOLS_AT_ONCE if kind == "bars" else 1
            for first in range(0, len(names), size):
                chunk = names[first : first + size]
                yield Step(f"{kind} of {day.date}", done, total)
                _fetch(history, catalog, source, day, kind, chunk)
                done += len(chunk)
        if due:
            catalog.write_actions(source, history.actions(symbols, due[0].date, due[-1].date))
    except HistoryUnavailable as error:
        raise RunFailed(
            history.place, str(error), "history of these symbols and days", "Try again: what was fetched is kept."
        ) from error
    yield Step("done", done, total)


def gaps(catalog: Catalog, days: ExchangeDays) -> Iterator[tuple[str, str, str, list[date], list[date]]]:
    """By source, kind and symbol: trading days between its first and last without a file, and those without rows."""
    found: dict[tuple[str, str, str], dict[date, int]] = {}
    for file in catalog.files():
        found.setdefault((file.source, file.kind, file.symbol), {})[file.day] = file.rows
    for (source, kind, symbol), rows in sorted(found.items()):
        known = [day.date for day in trading_days(days, min(rows), max(rows))]
        missing = [day for day in known if day not in rows]
        empty = [day for day in known if rows.get(day) == 0]
        if missing or empty:
            yield source, kind, symbol, missing, empty


def _fetch(
    history: MarketHistory, catalog: Catalog, source: str, day: ExchangeDay, kind: Kind, symbols: Sequence[str]
) -> None:
    from_ns, to_ns = day.hours.start_ns, day.hours.end_ns
    if kind == "trades":
        for symbol in symbols:
            catalog.write_trades(source, day.date, symbol, history.trades([symbol], from_ns, to_ns))
        return
    bars = history.bars(symbols, "1m", from_ns, to_ns)
    for symbol in symbols:
        catalog.write_bars(source, day.date, symbol, bars.get(symbol, []))
