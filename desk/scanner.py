"""The base class of scanners, and the market snapshot that they get: the whole market by the minute.

Tests: tests/strategies/test_top_movers.py
"""

from typing import ClassVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from desk.strategy import BaseParams, Params


class MarketSnapshot(msgspec.Struct, frozen=True):
    """The market up to `now_ns` (session time, exclusive), all arrays aligned with `symbols`.

    `symbols` are those with a trade or a quote so far, sorted: the index of a symbol may change from one scan to the
    next. `price` is the reference price (`desk.bars.reference_price`), NaN if there is none. `open`, `high`, `low` are
    the session's, `volume` shares, `trades` a count: NaN or 0 before a symbol's first trade. `minute_volume` and
    `minute_close` have shape (minutes, symbols), oldest first, one row per minute since the session's start, at most
    the last 60; the last row is the minute still open. `minute_close` is NaN in minutes without a price. The arrays are
    read-only.

    On a live feed the market is the venue's snapshots (`desk.scanning.live_view`), for which it was asked at `now_ns`;
    they are some seconds newer. `open`, `high`, `low`, `volume` and
    `trades` are those of the venue's daily bar, and a minute of which no snapshot has told has a `minute_volume` of
    NaN: those before the first scan, the open one, and some of those between two scans that are more than a minute
    apart. All of them are of the feed's exchanges alone, as those of IEX.
    """

    now_ns: int
    symbols: tuple[str, ...]
    price: NDArray[np.float64]
    open: NDArray[np.float64]
    high: NDArray[np.float64]
    low: NDArray[np.float64]
    volume: NDArray[np.float64]
    trades: NDArray[np.int64]
    minute_volume: NDArray[np.float64]
    minute_close: NDArray[np.float64]


class Scanner:
    """Base class of all scanners: `scan` returns the symbols that it wants now, best first."""

    Params: ClassVar[type[Params]] = Params
    uses_volume: ClassVar[bool | None] = None
    """As in `desk.strategy.Strategy`."""

    def __init__(self, params: BaseParams) -> None:
        self.params = params

    def scan(self, market: MarketSnapshot) -> list[str]:
        """The symbols wanted now, best first; those past `max_symbols` are cut off."""
        raise NotImplementedError
