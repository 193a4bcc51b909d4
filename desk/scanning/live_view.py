"""The scanners' view of a live market: the venue's snapshots, and the minutes that they have told so far."""

from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from desk.bars.reference_price import reference_prices, usable_rows
from desk.model.live_symbol import NEVER_NS, LiveSymbol
from desk.model.units import DAY_NS, MINUTE_NS, SECOND_NS, floor_to
from desk.scanner import MarketSnapshot
from desk.scanning.market_view import SNAPSHOT_MINUTES

SETTLED_NS: Final = 5 * SECOND_NS
"""A venue publishes the bar of a minute some seconds after its end at the latest."""


class LiveMarketView:
    """Keeps the last snapshots of the session's day, and per symbol up to 60 minutes of volume and close.

    A snapshot tells one minute of a symbol: its newest with a bar. Later complete minutes had no bar, so their volume
    is 0; minutes before it are known only if an earlier snapshot told them. What is unknown is NaN. `day_ns` is
    midnight of the session's day on its exchange: what is older counts as nothing.
    """

    def __init__(self, start_ns: int, day_ns: int) -> None:
        self._start_ns = floor_to(start_ns, MINUTE_NS)
        self._day_ns = day_ns
        self._now_ns = start_ns
        self._snapshots: list[LiveSymbol] = []
        self._number: dict[str, int] = {}
        self._first_ns = self._start_ns
        self._volume = np.empty((0, 0))
        self._close = np.empty((0, 0))

    def take(self, now_ns: int, snapshots: Iterable[LiveSymbol]) -> None:
        """Take over the snapshots of this session time; symbols without a print or quote of the day are left out."""
        self._now_ns = now_ns
        found = {one.symbol: one for one in snapshots if self._is_of_day(max(one.price_ns, one.quote_ns))}
        self._snapshots = [found[symbol] for symbol in sorted(found)]
        for one in self._snapshots:
            self._number.setdefault(one.symbol, len(self._number))
        self._move_window()
        for one in self._snapshots:
            self._put_minute(one)

    def snapshot(self) -> MarketSnapshot:
        """The market as of the last `take`."""
        known = self._snapshots
        numbers = np.array([self._number[one.symbol] for one in known], np.intp)
        today = [one.day if self._is_of_day(one.day.start_ns) else None for one in known]
        bid, ask = self._quotes()
        return MarketSnapshot(
            now_ns=self._now_ns,
            symbols=tuple(one.symbol for one in known),
            price=reference_prices(_floats(self._printed(one) for one in known), bid, ask),
            open=_floats(np.nan if day is None else day.open for day in today),
            high=_floats(np.nan if day is None else day.high for day in today),
            low=_floats(np.nan if day is None else day.low for day in today),
            volume=_floats(0.0 if day is None else day.volume for day in today),
            trades=np.array([0 if day is None else day.trades for day in today], np.int64),
            minute_volume=self._volume[:, numbers],
            minute_close=self._close[:, numbers],
        )

    def _is_of_day(self, time_ns: int) -> bool:
        return self._day_ns <= time_ns < self._day_ns + DAY_NS

    def _printed(self, one: LiveSymbol) -> float:
        """The newest price of the day: of a print, else the close of the newest minute or of the day's bar."""
        if self._is_of_day(one.price_ns):
            return one.price
        return next((bar.close for bar in (one.minute, one.day) if self._is_of_day(bar.start_ns)), np.nan)

    def _quotes(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Bid and ask of the usable quotes of the day, else NaN."""
        known = self._snapshots
        bid, ask = _floats(one.bid for one in known), _floats(one.ask for one in known)
        usable = usable_rows(bid, _floats(one.bid_size for one in known), ask, _floats(one.ask_size for one in known))
        usable &= np.array([self._is_of_day(one.quote_ns) for one in known], np.bool_)
        return np.where(usable, bid, np.nan), np.where(usable, ask, np.nan)

    def _move_window(self) -> None:
        """Give the matrices a row for each minute of the window, and a column for each symbol."""
        newest_ns = floor_to(self._now_ns, MINUTE_NS)
        first_ns = max(self._start_ns, newest_ns - (SNAPSHOT_MINUTES - 1) * MINUTE_NS)
        rows = max((newest_ns - first_ns) // MINUTE_NS + 1, 0)
        gone = (first_ns - self._first_ns) // MINUTE_NS
        self._volume = _moved(self._volume, gone, (rows, len(self._number)))
        self._close = _moved(self._close, gone, (rows, len(self._number)))
        self._first_ns = first_ns

    def _put_minute(self, one: LiveSymbol) -> None:
        number, bar = self._number[one.symbol], one.minute
        if bar.start_ns == NEVER_NS:
            return
        row = (bar.start_ns - self._first_ns) // MINUTE_NS
        settled = (self._now_ns - SETTLED_NS - self._first_ns) // MINUTE_NS
        if 0 <= row < len(self._volume):
            self._volume[row, number], self._close[row, number] = bar.volume, bar.close
        quiet = self._volume[max(row + 1, 0) : max(settled, 0), number]
        quiet[np.isnan(quiet)] = 0.0


def _floats(values: Iterable[float]) -> NDArray[np.float64]:
    return np.array(list(values), np.float64)


def _moved(matrix: NDArray[np.float64], gone: int, shape: Sequence[int]) -> NDArray[np.float64]:
    """The matrix without its first `gone` rows, filled up with NaN to a shape."""
    moved = np.full(tuple(shape), np.nan)
    kept = matrix[gone : gone + shape[0]]
    moved[: kept.shape[0], : kept.shape[1]] = kept
    return moved
