"""Alpaca's market data endpoints: historical and latest trades, quotes, bars and snapshots of stocks and crypto.

Tests: tests/desk/local_venue/test_alpaca_answers.py
"""

import re
from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial
from typing import Any, Final, NamedTuple, get_args

from desk.local_venue.play_moment import PlayMoment
from desk.local_venue.rest.alpaca_messages import AlpacaMessages, Messages
from desk.local_venue.rest.folded_bars import FoldedBars
from desk.local_venue.rest.market_past import DAY, MINUTE, BarLength, MarketPast, Unit
from desk.local_venue.rest.market_rows import QuoteRows, TradeRows
from desk.local_venue.rest.paging import PageToken, Rows, one_page
from desk.local_venue.rest.price_factors import Adjustment
from desk.local_venue.rest.query import Query
from desk.local_venue.rest.rest_fault import RestFault
from desk.local_venue.rest.trading_days import CRYPTO, STOCKS, date_of, midnight_ns
from desk.model.units import MINUTE_NS

PAGE_ROWS: Final = 10_000
DEFAULT_ROWS: Final = 1000
FEEDS: Final = ("iex", "sip", "delayed_sip", "otc", "boats", "overnight")
DELAY_NS: Final = 15 * MINUTE_NS
"""The delay of delayed_sip, and the age from which every account may read sip data."""
_UNITS: Final[dict[str, tuple[Unit, Sequence[int]]]] = {
    "min": ("Min", range(1, 60)),
    "t": ("Min", range(1, 60)),
    "hour": ("Hour", range(1, 24)),
    "h": ("Hour", range(1, 24)),
    "day": ("Day", (1,)),
    "d": ("Day", (1,)),
    "week": ("Week", (1,)),
    "w": ("Week", (1,)),
    "month": ("Month", (1, 2, 3, 6, 12)),
    "m": ("Month", (1, 2, 3, 6, 12)),
}


class _Span(NamedTuple):
    """The times that a request asks for, both included, and the moment at which it is answered."""

    from_ns: int
    to_ns: int
    moment: PlayMoment


class AlpacaData:
    """Answers for stocks, or with `crypto` for crypto pairs. `entitled` are the feeds that the account may read."""

    def __init__(self, past: MarketPast, entitled: Sequence[str], *, crypto: bool) -> None:
        self._past = past
        self._entitled = entitled
        self._crypto = crypto
        self._zone_of = CRYPTO if crypto else STOCKS

    def history(self, kind: str, query: Query, moment: PlayMoment) -> dict[str, Any]:
        """A page of trades, quotes or bars. Raises RestFault."""
        span = self._span(query, moment)
        write = AlpacaMessages(self._past.store, crypto=self._crypto)
        if kind == "bars":
            length = bar_length(query.text("timeframe"))
            adjustment = query.choice("adjustment", "raw", *get_args(Adjustment))
            bars = partial(
                self._past.bars,
                length=length,
                from_ns=span.from_ns,
                to_ns=span.to_ns,
                moment=span.moment,
                adjustment=adjustment,  # type: ignore[arg-type]  # get_args gives the words of Adjustment
            )
            return self._page(kind, query, bars, write.bars)
        if kind == "trades":
            return self._page(kind, query, lambda symbol: self._trades(symbol, span), write.trades)
        return self._page(kind, query, lambda symbol: self._quotes(symbol, span), write.quotes)

    def latest(self, kind: str, query: Query, moment: PlayMoment) -> dict[str, Any]:
        """The latest trade, quote, minute bar or order book of each symbol that has one. Raises RestFault."""
        now = self._at(query, moment)
        write = AlpacaMessages(self._past.store, crypto=self._crypto)
        latest: dict[str, Callable[[str], Messages]] = {
            "trades": lambda symbol: write.trades(self._last_trade(symbol, now)),
            "quotes": lambda symbol: write.quotes(self._last_quote(symbol, now)),
            "bars": lambda symbol: write.bars(self._last_minute(symbol, now)),
            "orderbooks": lambda symbol: write.books(self._last_quote(symbol, now)),
        }
        found = {symbol: latest[kind](symbol) for symbol in query.symbols()}
        return {kind: {symbol: rows[0] for symbol, rows in found.items() if rows}}

    def snapshots(self, query: Query, moment: PlayMoment) -> dict[str, Any]:
        """The latest rows, and the bars of the latest two days, of each symbol that has any. Raises RestFault."""
        now = self._at(query, moment)
        write = AlpacaMessages(self._past.store, crypto=self._crypto)
        found = {}
        for symbol in query.symbols():
            snapshot = self._snapshot(symbol, write, now)
            if snapshot:
                found[symbol] = snapshot
        return {"snapshots": found} if self._crypto else found

    def _snapshot(self, symbol: str, write: AlpacaMessages, now: PlayMoment) -> dict[str, Any]:
        if symbol not in self._past.store.symbols:
            return {}
        zone = self._past.days(self._zone_of).zone
        today = date_of(now.session_ns, zone)
        first_ns = midnight_ns(today - timedelta(days=10), zone)
        days = self._past.bars(symbol, DAY, first_ns, now.session_ns, now)
        parts = {
            "latestTrade": write.trades(self._last_trade(symbol, now)),
            "latestQuote": write.quotes(self._last_quote(symbol, now)),
            "minuteBar": write.bars(self._last_minute(symbol, now)),
            "dailyBar": write.bars(days.only(slice(-1, None))),
            "prevDailyBar": write.bars(days.only(slice(-2, -1))),
        }
        return {name: rows[0] for name, rows in parts.items() if rows}

    def _page(
        self, kind: str, query: Query, rows_of: Callable[[str], Rows], write: Callable[[Rows], Messages]
    ) -> dict[str, Any]:
        page, token = one_page(
            query.symbols(),
            rows_of,
            query.whole("limit", DEFAULT_ROWS, PAGE_ROWS),
            descending=query.choice("sort", "asc", "asc", "desc") == "desc",
            token=PageToken.read(query.text("page_token")),
        )
        written = {symbol: write(rows) for symbol, rows in page.items()}
        return {kind: written, "next_page_token": None if token is None else token.text()}

    def _span(self, query: Query, moment: PlayMoment) -> _Span:
        now = self._at(query, moment)
        zone = self._past.days(self._zone_of).zone
        today_ns = midnight_ns(date_of(now.session_ns, zone), zone)
        to_ns = query.time_ns("end", now.session_ns)
        if self._feed(query) == "sip" and "sip" not in self._entitled and to_ns > now.session_ns - DELAY_NS:
            raise RestFault(403, "subscription does not permit querying recent SIP data")
        return _Span(query.time_ns("start", today_ns), min(to_ns, now.session_ns), now)

    def _at(self, query: Query, moment: PlayMoment) -> PlayMoment:
        """The moment that the request may see: earlier for a delayed feed."""
        if query.choice("currency", "usd", "usd") and self._feed(query) == "delayed_sip":
            return moment.delayed(DELAY_NS)
        return moment

    def _feed(self, query: Query) -> str:
        best = "sip" if "sip" in self._entitled else "iex"
        return "" if self._crypto else query.choice("feed", best, *FEEDS)

    def _trades(self, symbol: str, span: _Span) -> TradeRows:
        return self._past.store.trades(symbol, span.moment).between(span.from_ns, span.to_ns)

    def _quotes(self, symbol: str, span: _Span) -> QuoteRows:
        return self._past.store.quotes(symbol, span.moment).between(span.from_ns, span.to_ns)

    def _last_trade(self, symbol: str, now: PlayMoment) -> TradeRows:
        rows = self._past.store.trades(symbol, now).standing()
        return rows.between(0, now.session_ns).only(slice(-1, None))

    def _last_quote(self, symbol: str, now: PlayMoment) -> QuoteRows:
        return self._past.store.quotes(symbol, now).between(0, now.session_ns).only(slice(-1, None))

    def _last_minute(self, symbol: str, now: PlayMoment) -> FoldedBars:
        """The newest finished minute of today."""
        zone = self._past.days(self._zone_of).zone
        today_ns = midnight_ns(date_of(now.session_ns, zone), zone)
        return self._past.bars(symbol, MINUTE, today_ns, now.session_ns, now).only(slice(-1, None))


def bar_length(text: str) -> BarLength:
    """The length of bars that a request names, as in 5Min. Raises RestFault."""
    found = re.fullmatch(r"(\d{1,2})([A-Za-z]+)", text)
    unit, amounts = _UNITS.get(found[2].lower(), ("Min", ())) if found else ("Min", ())
    if found is None or int(found[1]) not in amounts:
        raise RestFault(400, f"invalid timeframe: {text}")
    return BarLength(int(found[1]), unit)
