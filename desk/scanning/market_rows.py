"""A market snapshot made of rows, one per symbol: what tests of scanners scan.

Tests: tests/desk/test_testing.py
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec
import numpy as np

from desk.model.errors import BadInput
from desk.scanner import MarketSnapshot
from desk.scanning.market_view import SNAPSHOT_MINUTES
from desk.scanning.read_only_market import ReadOnlyMarket

NAN: Final = float("nan")


class MarketRow(msgspec.Struct, frozen=True, kw_only=True):
    """One symbol of a `market`; the fields are those of `desk.scanner.MarketSnapshot`.

    Without `open`, `high` and `low` they are `price`. Without `volume` it is the sum of `minute_volume` (NaN is
    unknown). Minutes are
    oldest first, the last one still open; where a symbol has fewer than another, the earlier ones are without a trade.
    """

    symbol: str
    price: float = NAN
    open: float | None = None
    high: float | None = None
    low: float | None = None
    volume: float | None = None
    trades: int = 1
    minute_volume: Sequence[float] = ()
    minute_close: Sequence[float] = ()


def market(rows: Iterable[MarketRow], now_ns: int = 0) -> MarketSnapshot:
    """The snapshot of these symbols: sorted and read-only, as a scanner gets it.

    Raises BadInput for a symbol that comes twice, and for more than 60 minutes.
    """
    ordered = sorted(rows, key=lambda row: row.symbol)
    symbols = tuple(row.symbol for row in ordered)
    if len(set(symbols)) < len(symbols):
        raise BadInput("desk.testing.market", f"a symbol twice: {', '.join(symbols)}", "one row per symbol")
    count = max((max(len(row.minute_volume), len(row.minute_close)) for row in ordered), default=0)
    if count > SNAPSHOT_MINUTES:
        raise BadInput("desk.testing.market", f"{count} minutes", f"at most {SNAPSHOT_MINUTES}, the last ones")

    def floats(values: Iterable[float | None]) -> Any:
        return np.array(list(values), dtype=np.float64)

    def by_minute(columns: Iterable[Sequence[float]], missing: float) -> Any:
        padded = [[missing] * (count - len(column)) + list(column) for column in columns]
        return np.array(padded, dtype=np.float64).reshape(len(ordered), count).T

    def or_price(name: str) -> Any:
        return floats(row.price if getattr(row, name) is None else getattr(row, name) for row in ordered)

    volume = by_minute((row.minute_volume for row in ordered), 0.0)
    snapshot = MarketSnapshot(
        now_ns,
        symbols,
        or_price("price"),
        or_price("open"),
        or_price("high"),
        or_price("low"),
        floats(sum(row.minute_volume) if row.volume is None else row.volume for row in ordered),
        np.array([row.trades for row in ordered], dtype=np.int64),
        volume,
        by_minute((row.minute_close for row in ordered), NAN),
    )
    return ReadOnlyMarket(snapshot).snapshot()
