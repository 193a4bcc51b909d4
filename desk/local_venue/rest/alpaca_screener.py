"""Alpaca's screener: the most active symbols of the day, and those whose price moved most.

Keys: docs.alpaca.markets, "Screener", sections "Most active stocks" and "Top market movers".

Tests: tests/desk/local_venue/test_alpaca_answers.py
"""

from typing import Any, Final, NamedTuple

import numpy as np

from desk.local_venue.play_moment import PlayMoment
from desk.local_venue.rest.alpaca_messages import iso_times
from desk.local_venue.rest.market_past import MarketPast
from desk.local_venue.rest.query import Query
from desk.local_venue.rest.trading_days import CRYPTO, STOCKS, calendar_of, date_of, midnight_ns

MOST_ACTIVES: Final = 100
MOST_MOVERS: Final = 50
DEFAULT_TOP: Final = 10


class _Activity(NamedTuple):
    """One symbol's day so far; `price` is its last close of a minute, NaN before any."""

    symbol: str
    volume: float
    trades: int
    price: float


class AlpacaScreener:
    """Ranks the source's symbols by their trades of today. The market is computed anew for each request."""

    def __init__(self, past: MarketPast) -> None:
        self._past = past

    def most_actives(self, query: Query, moment: PlayMoment) -> dict[str, Any]:
        """The symbols with the most volume or trades. Raises RestFault."""
        by_trades = query.choice("by", "volume", "volume", "trades") == "trades"
        top = query.whole("top", DEFAULT_TOP, MOST_ACTIVES)
        active = self._activity(STOCKS, moment)
        active.sort(key=lambda one: (-(one.trades if by_trades else one.volume), one.symbol))
        rows = [{"symbol": one.symbol, "volume": one.volume, "trade_count": one.trades} for one in active[:top]]
        return {"most_actives": rows, "last_updated": _now(moment)}

    def movers(self, market: str, query: Query, moment: PlayMoment) -> dict[str, Any]:
        """The symbols that gained and lost most since the close before. Raises RestFault."""
        top = query.whole("top", DEFAULT_TOP, MOST_MOVERS)
        calendar = CRYPTO if market == "crypto" else STOCKS
        today = date_of(moment.session_ns, self._past.days(calendar).zone)
        moved = []
        for one in self._activity(calendar, moment):
            before = self._past.day_before(one.symbol, today, moment).close
            if len(before) and one.price == one.price:
                change = one.price - float(before[0])
                percent = 100 * change / float(before[0])
                moved.append(
                    {
                        "symbol": one.symbol,
                        "percent_change": round(percent, 2),
                        "change": round(change, 4),
                        "price": one.price,
                    }
                )
        moved.sort(key=lambda row: (-row["percent_change"], row["symbol"]))  # type: ignore[operator]
        return {
            "gainers": [row for row in moved[:top] if row["change"] > 0],  # type: ignore[operator]
            "losers": [row for row in moved[: -top - 1 : -1] if row["change"] < 0],  # type: ignore[operator]
            "market_type": market,
            "last_updated": _now(moment),
        }

    def _activity(self, calendar: str, moment: PlayMoment) -> list[_Activity]:
        """The symbols with trades today."""
        zone = self._past.days(calendar).zone
        today_ns = midnight_ns(date_of(moment.session_ns, zone), zone)
        out = []
        for symbol in self._past.store.symbols:
            if calendar_of(symbol) != calendar:
                continue
            minutes = self._past.minutes(symbol, moment)
            today = minutes.only(minutes.start_ns >= today_ns)
            if len(today):
                closes = today.close[today.priced]
                price = float(closes[-1]) if len(closes) else float("nan")
                out.append(_Activity(symbol, float(today.volume.sum()), int(today.trades.sum()), price))
        return out


def _now(moment: PlayMoment) -> str:
    return iso_times(np.array([moment.session_ns]))[0]
