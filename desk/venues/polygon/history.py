"""Polygon's past trades, bars and corporate actions, as a `MarketHistory`.

Source: massive.com/docs, "REST, Stocks": trades (v3), custom bars (v2/aggs), splits and dividends (v3/reference).
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Annotated, Final, TypeVar
from urllib.parse import quote, urlsplit

import msgspec
import requests
from msgspec import Meta
from pydantic import SecretStr

from desk.config import Plan
from desk.config.plan_urls import is_loopback
from desk.config.redaction import SecretFilter
from desk.model.bars import Bar
from desk.model.corporate_actions import CorporateAction
from desk.model.plain_text import from_outside
from desk.model.ticks import Trade
from desk.model.timeframes import Timeframe
from desk.model.units import DAY_NS, MINUTE_NS, MS_NS
from desk.streams.limits import MAX_TEXT_CHARS
from desk.venues.frame_codec import FieldError
from desk.venues.market_history import HistoryUnavailable
from desk.venues.polygon.codec import trade_identity, trade_size
from desk.venues.polygon.codes import CodeMap
from desk.venues.polygon.wire import Decimal, Number, Numbers, Time, TradeId
from desk.venues.rest.request_budget import budget_of
from desk.venues.rest.rest_session import RestSession
from desk.venues.wire_types import Price, SideValue

HOSTS: Final = {"polygon.io": "https://api.polygon.io", "massive.com": "https://api.massive.com"}
"""Of REST, by the end of the stream's host name."""
LIMIT_S: Final = 30.0
ROWS: Final = 50_000
ACTIONS: Final = 1_000
MAX_PAGES: Final = 100_000
TIMEFRAMES: Final[Mapping[Timeframe, tuple[str, int]]] = {
    "1m": ("1/minute", MINUTE_NS),
    "5m": ("5/minute", 5 * MINUTE_NS),
    "15m": ("15/minute", 15 * MINUTE_NS),
    "1h": ("1/hour", 60 * MINUTE_NS),
    "1d": ("1/day", DAY_NS),
}
UNDONE: Final = frozenset({7, 8, 10, 11, 12})
"""Correction indicators of trades that were marked erroneous or cancelled, and of the records that say so."""
Shares = Annotated[float, Meta(gt=0, le=1e9)]


class TradeRow(msgspec.Struct, gc=False):
    """A trade; `sip_timestamp` is the time of the stream's messages too."""

    sip_timestamp: Time
    price: Price
    size: SideValue
    id: TradeId = ""
    exchange: Number = 0
    conditions: Numbers = ()
    tape: Number = 0
    trf_id: Number = 0
    correction: Number = 0
    decimal_size: Decimal = ""


class AggregateRow(msgspec.Struct, gc=False):
    """A bar from `t` (ms) on."""

    t: Time
    o: Price
    h: Price
    l: Price  # noqa: E741 - the vendor's name
    c: Price
    v: SideValue
    vw: SideValue = 0.0
    n: int = 0


class SplitRow(msgspec.Struct, gc=False):
    """`split_to` new shares for `split_from` old ones."""

    ticker: str
    execution_date: date
    split_from: Shares
    split_to: Shares


class DividendRow(msgspec.Struct, gc=False):
    """A cash dividend."""

    ticker: str
    ex_dividend_date: date
    cash_amount: SideValue


R = TypeVar("R", TradeRow, AggregateRow, SplitRow, DividendRow)


class PolygonHistory:
    """History of all US exchanges; `place` names its server. The key is in no text."""

    def __init__(self, url: str, key: SecretStr) -> None:
        self.place = f"polygon history {url}"
        self._url = url
        self._secrets = SecretFilter([key.get_secret_value()])
        self._headers = {"Authorization": f"Bearer {key.get_secret_value()}"}
        self._session = RestSession(budget_of(urlsplit(url).netloc), "history", LIMIT_S)
        self._codes = CodeMap()

    def trades(self, symbols: Sequence[str], from_ns: int, to_ns: int) -> Iterator[list[Trade]]:
        """Pages of trades, oldest first within a symbol, without those that were cancelled later."""
        wanted = {"timestamp.gte": from_ns, "timestamp.lt": to_ns, "order": "asc", "sort": "timestamp", "limit": ROWS}
        for symbol in symbols:
            for rows in self._pages(f"/v3/trades/{quote(symbol, safe='')}", wanted, TradeRow):
                kept = [row for row in rows if row.correction not in UNDONE]
                trades = [self._trade(symbol, row) for row in kept]
                yield [trade for trade in trades if from_ns <= trade.ts_ns < to_ns]

    def bars(self, symbols: Sequence[str], timeframe: Timeframe, from_ns: int, to_ns: int) -> dict[str, list[Bar]]:
        """The bars by symbol, oldest first; symbols without a bar have none. Bars are flagged repaired."""
        span, width_ns = TIMEFRAMES[timeframe]
        first_ms, last_ms = -(-from_ns // MS_NS), (to_ns - 1) // MS_NS
        found: dict[str, list[Bar]] = {symbol: [] for symbol in symbols}
        for symbol, bars in found.items():
            path = f"/v2/aggs/ticker/{quote(symbol, safe='')}/range/{span}/{first_ms}/{last_ms}"
            wanted = {"adjusted": "false", "sort": "asc", "limit": ROWS}
            for rows in self._pages(path, wanted, AggregateRow):
                made = (_bar(symbol, row, width_ns) for row in rows)
                bars += [bar for bar in made if from_ns <= bar.minute_ns < to_ns]
        return found

    def actions(self, symbols: Sequence[str], from_day: date, to_day: date) -> list[CorporateAction]:
        """The splits and cash dividends that are effective within these days, oldest first."""
        wanted = set(symbols)
        found = [
            CorporateAction(row.ticker, row.execution_date, row.split_from, row.split_to)
            for rows in self._between("/v3/reference/splits", "execution_date", from_day, to_day, SplitRow)
            for row in rows
        ]
        found += [
            CorporateAction(row.ticker, row.ex_dividend_date, cash=row.cash_amount)
            for rows in self._between("/v3/reference/dividends", "ex_dividend_date", from_day, to_day, DividendRow)
            for row in rows
        ]
        inside = (each for each in found if each.symbol in wanted and from_day <= each.effective <= to_day)
        return sorted(inside, key=lambda action: (action.effective, action.symbol))

    def _between(self, path: str, name: str, from_day: date, to_day: date, kind: type[R]) -> Iterator[list[R]]:
        wanted = {f"{name}.gte": from_day.isoformat(), f"{name}.lte": to_day.isoformat(), "sort": name, "order": "asc"}
        return self._pages(path, wanted | {"limit": ACTIONS}, kind)

    def _trade(self, symbol: str, row: TradeRow) -> Trade:
        codes = self._codes
        tape = codes.tape(row.tape)
        try:
            size = trade_size(row.size, row.decimal_size)
        except FieldError:
            raise HistoryUnavailable(f"{self.place}: a malformed answer: a trade of {symbol} without a size") from None
        conditions, exchange = codes.conditions(row.conditions, tape), codes.exchange(row.exchange)
        identity = trade_identity(row.id, row.trf_id)
        return Trade(0, symbol, row.sip_timestamp, 0, row.price, size, conditions, exchange, identity, tape)

    def _pages(self, path: str, wanted: Mapping[str, object], kind: type[R]) -> Iterator[list[R]]:
        """The rows of all pages of an answer. Raises HistoryUnavailable."""
        query: Mapping[str, object] | None = wanted
        seen: set[str] = set()
        for _ in range(MAX_PAGES):
            rows, following = self._page(path, query, kind)
            yield rows
            if not following:
                return
            # Only path and query are followed: the key goes to no other host.
            parts = urlsplit(following)
            path, query = f"{parts.path}?{parts.query}", None
            if path in seen:
                break
            seen.add(path)
        raise HistoryUnavailable(f"{self.place}: its pages do not end")

    def _page(self, path: str, query: Mapping[str, object] | None, kind: type[R]) -> tuple[list[R], str]:
        try:
            answer = self._session.get(
                self._url + path,
                params={name: str(value) for name, value in (query or {}).items()},
                headers=self._headers,
            )
            if answer.status_code != requests.codes.ok:
                raise self._unavailable(
                    f"HTTP {answer.status_code}: {answer.content[:MAX_TEXT_CHARS].decode('latin-1')}"
                )
            page = msgspec.json.decode(answer.content, type=dict[str, msgspec.Raw])
            rows = msgspec.json.decode(page["results"], type=list[kind]) if "results" in page else []  # type: ignore[valid-type]
            return rows, msgspec.json.decode(page["next_url"], type=str | None) or "" if "next_url" in page else ""
        except requests.RequestException as error:
            raise self._unavailable(f"{type(error).__name__}: {error}") from None
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            raise self._unavailable(f"a malformed answer: {error}") from None

    def _unavailable(self, why: str) -> HistoryUnavailable:
        return HistoryUnavailable(f"{self.place}: {from_outside(self._secrets.hide(why), MAX_TEXT_CHARS)}")


def rest_url(plan: Plan, stream_url: str) -> str:
    """The server for a stream: the plan's `rest_url`; else that of a stream on this machine; else the vendor's."""
    if plan.feed.rest_url:
        return plan.feed.rest_url
    parts = urlsplit(stream_url)
    host = parts.hostname or ""
    if is_loopback(host):
        return f"http{'s' if parts.scheme == 'wss' else ''}://{parts.netloc}"
    return next((url for end, url in HOSTS.items() if host == end or host.endswith(f".{end}")), HOSTS["massive.com"])


def _bar(symbol: str, row: AggregateRow, width_ns: int) -> Bar:
    """Its open and close count as set at the first and the last nanosecond: later trades do not replace them."""
    start_ns = row.t * MS_NS
    notional, end_ns = (row.vw or row.c) * row.v, start_ns + width_ns - 1
    prices = row.o, row.h, row.l, row.c
    return Bar(symbol, start_ns, *prices, row.v, notional, row.n, start_ns, 0, end_ns, 0, "repaired")
