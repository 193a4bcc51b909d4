"""Alpaca's past trades, bars and corporate actions, as a `MarketHistory`.

Tests: tests/desk/venues/alpaca/test_alpaca_history.py
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from typing import Final, Protocol, TypeVar

from desk.model.bars import Bar
from desk.model.corporate_actions import CorporateAction
from desk.model.ticks import Trade
from desk.model.timeframes import Timeframe
from desk.model.units import DAY_NS, MINUTE_NS, SECOND_NS
from desk.streams.limits import MAX_PRICE, MAX_SIZE
from desk.venues.alpaca.rest.clients import AlpacaClients, RestUnavailable, chunks
from desk.venues.alpaca.rest.wire import ActionsPage, BarsPage, RestAction, RestTrade, TradesPage, WireBar
from desk.venues.market_history import HistoryUnavailable
from desk.venues.timestamps import rfc3339_ns

PAGE_ROWS: Final = 10_000
"""The most that a page has (alpaca/common/constants.py)."""
ACTIONS_ROWS: Final = 1_000
MAX_ID: Final = 2**64 - 1
MAX_PAGES: Final = 100_000
SYMBOLS_PER_REQUEST: Final = 200
"""They stand in the URL, which servers limit to some 8 KiB."""
TIMEFRAMES: Final[Mapping[Timeframe, tuple[str, int]]] = {
    "1m": ("1Min", MINUTE_NS),
    "5m": ("5Min", 5 * MINUTE_NS),
    "15m": ("15Min", 15 * MINUTE_NS),
    "1h": ("1Hour", 60 * MINUTE_NS),
    "1d": ("1Day", DAY_NS),
}
PROCESSED_BEFORE: Final = timedelta(days=14)
PROCESSED_AFTER: Final = timedelta(days=120)
"""The API selects by the day of processing: that of a dividend is its payment, weeks after the ex-date."""
ACTION_TYPES: Final = "forward_split,reverse_split,unit_split,stock_dividend,cash_dividend,name_change"


class _Page(Protocol):
    next_page_token: str | None


P = TypeVar("P", bound=_Page)


class AlpacaHistory:
    """History of one feed ("iex", "sip"); `place` names it and its server."""

    def __init__(self, clients: AlpacaClients, feed: str, place: str) -> None:
        self.place = place
        self._clients = clients
        self._feed = feed

    def trades(self, symbols: Sequence[str], from_ns: int, to_ns: int) -> Iterator[list[Trade]]:
        """Pages of trades, oldest first within a symbol; ordinal and received time are 0."""
        for names in chunks(symbols, SYMBOLS_PER_REQUEST):
            for page in self._pages("/stocks/trades", self._range(names, from_ns, to_ns), TradesPage):
                with self._malformed():
                    yield [
                        trade
                        for symbol, rows in (page.trades or {}).items()
                        for trade in (_trade(symbol, row) for row in rows)
                        if from_ns <= trade.ts_ns < to_ns
                    ]

    def bars(self, symbols: Sequence[str], timeframe: Timeframe, from_ns: int, to_ns: int) -> dict[str, list[Bar]]:
        """The bars by symbol, oldest first; symbols without a bar have none. Bars are flagged repaired."""
        name, width_ns = TIMEFRAMES[timeframe]
        found: dict[str, list[Bar]] = {symbol: [] for symbol in symbols}
        for names in chunks(symbols, SYMBOLS_PER_REQUEST):
            wanted = self._range(names, from_ns, to_ns) | {"timeframe": name, "adjustment": "raw"}
            for page in self._pages("/stocks/bars", wanted, BarsPage):
                with self._malformed():
                    for symbol, rows in (page.bars or {}).items():
                        bars = (_bar(symbol, row, width_ns) for row in rows)
                        found.setdefault(symbol, []).extend(bar for bar in bars if from_ns <= bar.minute_ns < to_ns)
        return found

    def actions(self, symbols: Sequence[str], from_day: date, to_day: date) -> list[CorporateAction]:
        """The splits, dividends and symbol changes that are effective within these days, oldest first.

        Spin-offs and mergers change prices too, by amounts that the API does not state: they are left out.
        """
        span = {"start": (from_day - PROCESSED_BEFORE).isoformat(), "end": (to_day + PROCESSED_AFTER).isoformat()}
        found = []
        for names in chunks(symbols, SYMBOLS_PER_REQUEST):
            wanted = {"symbols": ",".join(names), "types": ACTION_TYPES, "limit": ACTIONS_ROWS, "sort": "asc"} | span
            for page in self._pages("/corporate-actions", wanted, ActionsPage):
                for kind, rows in (page.corporate_actions or {}).items():
                    found += [action for row in rows if (action := _action(kind, row)) is not None]
        inside = (action for action in found if from_day <= action.effective <= to_day)
        return sorted(inside, key=lambda action: (action.effective, action.symbol))

    def _range(self, symbols: Sequence[str], from_ns: int, to_ns: int) -> dict[str, object]:
        # The API's range includes its end.
        return {
            "symbols": ",".join(symbols),
            "start": _rfc3339(from_ns),
            "end": _rfc3339(to_ns - 1),
            "feed": self._feed,
            "limit": PAGE_ROWS,
            "sort": "asc",
        }

    def _pages(self, path: str, wanted: Mapping[str, object], kind: type[P]) -> Iterator[P]:
        """All pages of an answer. Raises HistoryUnavailable."""
        client = self._clients.corporate_actions if kind is ActionsPage else self._clients.stocks
        token: str | None = None
        for _ in range(MAX_PAGES):
            try:
                page = self._clients.get(client, path, dict(wanted) | ({"page_token": token} if token else {}), kind)
            except RestUnavailable as fault:
                raise HistoryUnavailable(f"{self.place}: {fault}") from fault
            yield page
            if not page.next_page_token:
                return
            if page.next_page_token == token:
                break
            token = page.next_page_token
        raise HistoryUnavailable(f"{self.place}: its pages do not end")

    @contextmanager
    def _malformed(self) -> Iterator[None]:
        try:
            yield
        except ValueError as error:
            raise HistoryUnavailable(f"{self.place}: a malformed answer: {error}") from error


def _trade(symbol: str, row: RestTrade) -> Trade:
    """Raises ValueError for a trade without a usable price, size or time."""
    if not (0.0 < row.price <= MAX_PRICE and 0.0 <= row.size <= MAX_SIZE):
        raise ValueError(f"a trade of {symbol} with price {row.price} and size {row.size}")
    if not 0 <= (row.trade_id or 0) <= MAX_ID:
        raise ValueError(f"a trade of {symbol} with the id {row.trade_id}")
    letters = "".join(row.conditions or ()).replace(" ", "")
    return Trade(
        0,
        symbol,
        rfc3339_ns(row.time),
        0,
        row.price,
        row.size,
        letters,
        row.exchange,
        row.trade_id or 0,
        row.tape or "",
    )


def _bar(symbol: str, row: WireBar, width_ns: int) -> Bar:
    """Raises ValueError for a bar without usable prices.

    Its open and close count as set at the first and the last nanosecond: later trades do not replace them.
    """
    if not (0.0 < row.low <= row.high <= MAX_PRICE and row.volume >= 0.0):
        raise ValueError(f"a bar of {symbol} at {row.time} with low {row.low}, high {row.high}, volume {row.volume}")
    start_ns = rfc3339_ns(row.time)
    return Bar(
        symbol,
        start_ns,
        row.open,
        row.high,
        row.low,
        row.close,
        row.volume,
        (row.vwap or row.close) * row.volume,
        row.trades,
        start_ns,
        0,
        start_ns + width_ns - 1,
        0,
        "repaired",
    )


def _action(kind: str, row: RestAction) -> CorporateAction | None:
    """The action of a row; None for a type or a row that changes no price by a known amount."""
    effective = row.ex_date or row.effective_date or row.process_date
    convert = _CONVERT.get(kind)
    return None if effective is None or convert is None else convert(row, effective)


def _split(row: RestAction, effective: date) -> CorporateAction:
    return CorporateAction(
        row.symbol or row.old_symbol, effective, row.old_rate, row.new_rate, new_symbol=row.new_symbol
    )


_CONVERT: Final[Mapping[str, Callable[[RestAction, date], CorporateAction]]] = {
    "forward_splits": _split,
    "reverse_splits": _split,
    "unit_splits": _split,
    "stock_dividends": lambda row, day: CorporateAction(row.symbol, day, 1.0, 1.0 + row.rate),
    "cash_dividends": lambda row, day: CorporateAction(row.symbol, day, cash=row.rate),
    "name_changes": lambda row, day: CorporateAction(row.old_symbol, day, new_symbol=row.new_symbol),
}


def _rfc3339(time_ns: int) -> str:
    seconds, nanos = divmod(time_ns, SECOND_NS)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{nanos:09}Z"
