"""Alpaca's assets, calendar and clock.

Keys: docs.alpaca.markets, "Trading API", sections "Assets", "Calendar" and "Clock".

Tests: tests/desk/local_venue/test_alpaca_answers.py
"""

from datetime import date, datetime, timedelta
from typing import Any, Final
from uuid import NAMESPACE_DNS, uuid5
from zoneinfo import ZoneInfo

from desk.local_venue.play_moment import PlayMoment
from desk.local_venue.rest.market_past import MarketPast
from desk.local_venue.rest.query import Query
from desk.local_venue.rest.rest_fault import RestFault
from desk.local_venue.rest.trading_days import CRYPTO, STOCKS, calendar_of, date_of, trading_dates
from desk.local_venue.stock_layout import SHORT_SYMBOL
from desk.model.hours import TradingDay
from desk.model.units import SECOND_NS

LONGEST_CLOSURE: Final = timedelta(days=15)
DEFAULT_SPAN: Final = timedelta(days=365)


class AlpacaTrading:
    """Every symbol of the source is an active asset that may be traded, shorted and held in fractions."""

    def __init__(self, past: MarketPast) -> None:
        self._past = past
        self._assets = [_asset(symbol) for symbol in past.store.symbols]
        self._by_name = {asset[key]: asset for asset in self._assets for key in ("symbol", "id")}

    def assets(self, query: Query) -> list[dict[str, Any]]:
        """The assets that match every given parameter."""
        wanted = {
            "status": query.text("status"),
            "class": query.text("asset_class", "us_equity"),
            "exchange": query.text("exchange"),
        }
        attributes = set(query.names("attributes"))
        return [
            asset
            for asset in self._assets
            if all(value in {"", asset[key]} for key, value in wanted.items()) and attributes <= {*asset["attributes"]}
        ]

    def asset(self, name: str) -> dict[str, Any]:
        """The asset with this symbol or id. Raises RestFault."""
        found = self._by_name.get(name) or self._by_name.get(name.upper())
        if found is None:
            raise RestFault(404, f"asset not found for {name}")
        return found

    def calendar(self, query: Query, moment: PlayMoment) -> list[dict[str, str]]:
        """The trading days from `start` to `end`, both included; by default of a year on each side of today."""
        days = self._past.days(STOCKS)
        today = date_of(moment.session_ns, days.zone)
        first = query.day("start", today - DEFAULT_SPAN)
        out = []
        for day in trading_dates(days, first, query.day("end", today + DEFAULT_SPAN)):
            hours = days.hours(day)
            assert hours is not None, "a trading day"
            out.append(_calendar_day(day, hours, days.zone))
        return out

    def clock(self, moment: PlayMoment) -> dict[str, Any]:
        """The session time, whether the exchange is open, and its next open and close."""
        days = self._past.days(STOCKS)
        now_ns = moment.session_ns
        today = date_of(now_ns, days.zone)
        coming = [days.hours(day) for day in trading_dates(days, today, today + LONGEST_CLOSURE)]
        hours = [day for day in coming if day is not None]
        opens = [day.open_ns for day in hours if day.open_ns > now_ns]
        closes = [day.close_ns for day in hours if day.close_ns > now_ns]
        return {
            "timestamp": _local(now_ns, days.zone, nanos=True),
            "is_open": any(day.open_ns <= now_ns < day.close_ns for day in hours),
            "next_open": _local(opens[0], days.zone) if opens else None,
            "next_close": _local(closes[0], days.zone) if closes else None,
        }


def _asset(symbol: str) -> dict[str, Any]:
    crypto = calendar_of(symbol) == CRYPTO
    listed = "NYSE" if len(symbol) <= SHORT_SYMBOL else "NASDAQ"
    return {
        "id": str(uuid5(NAMESPACE_DNS, symbol)),
        "class": "crypto" if crypto else "us_equity",
        "exchange": "CRYPTO" if crypto else listed,
        "symbol": symbol,
        "name": symbol,
        "status": "active",
        "tradable": True,
        "marginable": not crypto,
        "maintenance_margin_requirement": 100 if crypto else 30,
        "shortable": not crypto,
        "easy_to_borrow": not crypto,
        "fractionable": True,
        "attributes": [],
    }


def _calendar_day(day: date, hours: TradingDay, zone: ZoneInfo) -> dict[str, str]:
    def clock_time(time_ns: int, form: str) -> str:
        return datetime.fromtimestamp(time_ns // SECOND_NS, zone).strftime(form)

    return {
        "date": day.isoformat(),
        "open": clock_time(hours.open_ns, "%H:%M"),
        "close": clock_time(hours.close_ns, "%H:%M"),
        "session_open": clock_time(hours.start_ns, "%H%M"),
        "session_close": clock_time(hours.end_ns, "%H%M"),
    }


def _local(time_ns: int, zone: ZoneInfo, *, nanos: bool = False) -> str:
    """A time in RFC 3339 with the offset of its zone."""
    seconds, rest = divmod(time_ns, SECOND_NS)
    text = datetime.fromtimestamp(seconds, zone).isoformat()
    return f"{text[:19]}.{rest:09d}{text[19:]}" if nanos else text
