"""Made-up minutes of the days before the source's first, from a seed.

Each symbol's price is a random walk that ends, after the last made-up day, at the symbol's first price in the source.

Tests: tests/desk/local_venue/test_market_past.py
"""

from bisect import bisect_left
from datetime import date, timedelta
from typing import Final
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from desk.local_venue.byte_fields import Ints
from desk.local_venue.rest.folded_bars import Floats, FoldedBars
from desk.local_venue.rest.trading_days import TradingDays, trading_dates
from desk.model.units import MINUTE_NS

YEARS: Final = 3
MOST_DAYS: Final = YEARS * 366
DAY_VOLATILITY: Final = 0.015
GAP_VOLATILITY: Final = 0.004
MINUTE_REACH: Final = 0.0004
MEDIAN_VOLUME: Final = 1_000_000.0
VOLUME_SPREAD: Final = 1.0
"""Standard deviation of the logarithm of a symbol's usual daily volume."""
SHARES_PER_TRADE: Final = 120


class MadeDays:
    """The regular hours of the trading days in the three years before the date `before`.

    Prices are as after all splits until `before`. `first_prices` are the prices that the walks end at; a symbol without
    one gets a price from the seed.
    """

    def __init__(self, seed: int, days: TradingDays, before: date, first_prices: dict[str, float]) -> None:
        self.before = before
        self._seed = seed
        self._days = days
        self._first_prices = first_prices
        self._dates: list[date] = []
        self._known_from = before
        self._walks: dict[str, tuple[Floats, Floats, float]] = {}

    def dates(self, first: date, last: date) -> list[date]:
        """The made-up days from `first` to `last`, both included."""
        first = max(first, self.before - timedelta(days=MOST_DAYS))
        if first < self._known_from:
            self._dates = trading_dates(self._days, first, self._known_from - timedelta(1)) + self._dates
            self._known_from = first
        return [day for day in self._dates if first <= day <= last]

    def minutes(self, symbol: str, day: date) -> FoldedBars:
        """The minutes of one of the `dates`."""
        hours = self._days.hours(day)
        assert hours is not None, "a day of `dates`"
        opens, closes, usual_volume = self._walk(symbol)
        back = len(self._dates) - 1 - bisect_left(self._dates, day)
        count = (hours.close_ns - hours.open_ns) // MINUTE_NS
        rng = np.random.default_rng((self._seed, crc32(symbol.encode()), day.toordinal()))
        ends = _bridge(opens[back], closes[back], rng.standard_normal(count))
        reach = MINUTE_REACH * np.abs(rng.standard_normal((2, count)))
        digits = 2 if closes[back] >= 1 else 4
        open_, close = np.round(ends[:-1], digits), np.round(ends[1:], digits)
        high = np.round(np.maximum(open_, close) * (1 + reach[0]), digits)
        low = np.round(np.minimum(open_, close) * (1 - reach[1]), digits)
        day_volume = usual_volume * rng.lognormal(0.0, 0.3)
        volume = np.maximum(np.round(day_volume * _profile(count) * rng.lognormal(-0.125, 0.5, count)), 1.0)
        notional = volume * (open_ + high + low + close) / 4
        start_ns: Ints = hours.open_ns + MINUTE_NS * np.arange(count)
        trades = np.maximum(volume // SHARES_PER_TRADE, 1).astype(np.int64)
        return FoldedBars(start_ns, open_, high, low, close, volume, notional, trades)

    def _walk(self, symbol: str) -> tuple[Floats, Floats, float]:
        """Opens and closes of the made-up days, newest first, and the usual daily volume."""
        found = self._walks.get(symbol)
        if found is None:
            rng = np.random.default_rng((self._seed, crc32(symbol.encode())))
            made_price = float(np.round(rng.lognormal(3.5, 0.8), 2))
            usual_volume = MEDIAN_VOLUME * float(rng.lognormal(0.0, VOLUME_SPREAD))
            gains = DAY_VOLATILITY * rng.standard_normal(MOST_DAYS)
            gaps = GAP_VOLATILITY * rng.standard_normal(MOST_DAYS)
            price = self._first_prices.get(symbol, made_price)
            opens = price * np.exp(-np.cumsum(gaps + gains))
            found = self._walks[symbol] = (opens, opens * np.exp(gains), usual_volume)
        return found


def _bridge(first: float, last: float, steps: NDArray[np.float64]) -> Floats:
    """A random path from `first` to `last` over as many steps."""
    share = np.arange(1, len(steps) + 1) / len(steps)
    walk = np.cumsum(steps) / np.sqrt(len(steps))
    path = np.log(first) + share * np.log(last / first) + DAY_VOLATILITY * (walk - share * walk[-1])
    return np.concatenate(([first], np.exp(path)))


def _profile(count: int) -> Floats:
    """The share of the day's volume in each minute: high at the open, and towards the close."""
    minute = np.arange(count) + 0.5
    curve = 0.55 + 2.2 * np.exp(-minute / 18.0) + 1.4 * np.exp((minute - count) / 22.0)
    share: Floats = curve / curve.sum()
    return share
