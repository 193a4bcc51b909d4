"""Polygon's REST paths: trades, quotes, aggregates, splits and dividends.

Keys: massive.com/docs, "REST", section "Stocks": Trades, Quotes, Custom Bars, Previous Day Bar, Splits, Dividends.

Tests: tests/desk/local_venue/test_polygon_answers.py
"""

import re
from collections.abc import Callable, Sequence
from datetime import date
from typing import Any, Final, TypeVar
from urllib.parse import quote

from desk.local_venue.play_moment import PlayMoment
from desk.local_venue.polygon.codes import EXCHANGES, TAPES, UNKNOWN, condition_numbers
from desk.local_venue.rest.folded_bars import FoldedBars
from desk.local_venue.rest.market_past import BarLength, MarketPast, Unit
from desk.local_venue.rest.market_rows import CANCELED, CORRECTED, INCORRECT, MarketRows, QuoteRows, TradeRows
from desk.local_venue.rest.paging import PageToken, one_page
from desk.local_venue.rest.query import Query, read_time
from desk.local_venue.rest.rest_fault import RestFault
from desk.local_venue.rest.trading_days import calendar_of, date_of, midnight_ns
from desk.model.corporate_actions import CorporateAction
from desk.model.units import DAY_NS, MS_NS

MOST_TICKS: Final = 50_000
DEFAULT_TICKS: Final = 1000
MOST_BARS: Final = 50_000
DEFAULT_BARS: Final = 5000
MOST_ACTIONS: Final = 1000
DEFAULT_ACTIONS: Final = 10
CORRECTIONS: Final = {CORRECTED: 1, CANCELED: 8}
"""Numbers of the field `correction`: a trade with its later corrected data, and one that was cancelled later."""
_SPANS: Final[dict[str, tuple[Unit, int]]] = {
    "minute": ("Min", 1),
    "hour": ("Hour", 1),
    "day": ("Day", 1),
    "week": ("Week", 1),
    "month": ("Month", 1),
    "quarter": ("Month", 3),
}

Ticks = TypeVar("Ticks", bound=MarketRows)
Answer = Callable[[re.Match[str], Query, PlayMoment], dict[str, Any]]


class PolygonAnswers:
    """One method for each path; a path that none matches is not Polygon's."""

    def __init__(self, past: MarketPast, actions: Sequence[CorporateAction]) -> None:
        self._past = past
        self._actions = actions
        routes: dict[str, Answer] = {
            r"/v3/(trades|quotes)/([^/]+)": self._ticks,
            r"/v2/aggs/ticker/([^/]+)/range/(\d+)/(\w+)/([^/]+)/([^/]+)": self._aggregates,
            r"/v2/aggs/ticker/([^/]+)/prev": self._previous_day,
            r"/v3/reference/splits": lambda path, query, _: self._splits(path, query),
            r"/v3/reference/dividends": lambda path, query, _: self._dividends(path, query),
        }
        self._routes = [(re.compile(pattern), answer) for pattern, answer in routes.items()]

    def answer(self, path: str, query: Query, moment: PlayMoment) -> dict[str, Any] | None:
        """The body of the answer, with a relative `next_url`; None if no path matches. Raises RestFault."""
        for pattern, answer in self._routes:
            found = pattern.fullmatch(path)
            if found is not None:
                return {"status": "OK", "request_id": f"{moment.session_ns:x}", **answer(found, query, moment)}
        return None

    def _ticks(self, path: re.Match[str], query: Query, moment: PlayMoment) -> dict[str, Any]:
        from_ns, to_ns = _range(query, "timestamp", _tick_time)
        to_ns = min(to_ns, moment.session_ns)
        store = self._past.store
        if path[1] == "trades":
            return self._tick_page(path, query, self._trades, lambda name: store.trades(name, moment), from_ns, to_ns)
        return self._tick_page(path, query, self._quotes, lambda name: store.quotes(name, moment), from_ns, to_ns)

    @staticmethod
    def _tick_page(
        path: re.Match[str],
        query: Query,
        write: Callable[[Ticks], list[dict[str, Any]]],
        rows_of: Callable[[str], Ticks],
        from_ns: int,
        to_ns: int,
    ) -> dict[str, Any]:
        page, token = one_page(
            [path[2].upper()],
            lambda symbol: rows_of(symbol).between(from_ns, to_ns),
            query.whole("limit", DEFAULT_TICKS, MOST_TICKS),
            descending=query.choice("order", "desc", "asc", "desc") == "desc",
            token=PageToken.read(query.text("cursor")),
        )
        results = [row for rows in page.values() for row in write(rows)]
        return {"results": results, **_following(path[0], query, token)}

    def _trades(self, rows: TradeRows) -> list[dict[str, Any]]:
        exchanges, conditions, tapes = self._tables()
        rows = rows.only(rows.update != INCORRECT)
        out = []
        columns = (rows.ts_ns, rows.number, rows.price, rows.size, rows.exchange, rows.conditions, rows.tape)
        for (ts_ns, number, price, size, exchange, code, tape), trade_id, update in zip(
            zip(*(column.tolist() for column in columns), strict=True),
            rows.trade_id.tolist(),
            rows.update.tolist(),
            strict=True,
        ):
            trade = {
                "exchange": exchanges[exchange],
                "id": str(trade_id),
                "participant_timestamp": ts_ns,
                "price": price,
                "sequence_number": number,
                "sip_timestamp": ts_ns,
                "size": size,
                "tape": tapes[tape],
            }
            if conditions[code]:
                trade["conditions"] = conditions[code]
            if update:
                trade["correction"] = CORRECTIONS[update]
            out.append(trade)
        return out

    def _quotes(self, rows: QuoteRows) -> list[dict[str, Any]]:
        exchanges, _, tapes = self._tables()
        columns = (rows.ts_ns, rows.number, rows.bid, rows.bid_size, rows.ask, rows.ask_size, rows.exchange, rows.tape)
        return [
            {
                "ask_exchange": exchanges[exchange],
                "ask_price": ask,
                "ask_size": ask_size,
                "bid_exchange": exchanges[exchange],
                "bid_price": bid,
                "bid_size": bid_size,
                "participant_timestamp": ts_ns,
                "sequence_number": number,
                "sip_timestamp": ts_ns,
                "tape": tapes[tape],
            }
            for ts_ns, number, bid, bid_size, ask, ask_size, exchange, tape in zip(
                *(column.tolist() for column in columns), strict=True
            )
        ]

    def _tables(self) -> tuple[list[int], list[list[int]], list[int]]:
        store = self._past.store
        return (
            [EXCHANGES.get(name, UNKNOWN) for name in store.exchanges],
            [condition_numbers(code) for code in store.conditions],
            [TAPES.get(name, UNKNOWN) for name in store.tapes],
        )

    def _aggregates(self, path: re.Match[str], query: Query, moment: PlayMoment) -> dict[str, Any]:
        symbol, (unit, months) = path[1].upper(), _SPANS.get(path[3], ("Min", 0))
        amount = int(path[2]) * months
        if not amount or (unit in {"Day", "Week"} and amount > 1):
            raise RestFault(400, f"the venue makes no bars of {path[2]} {path[3]}")
        zone = self._past.days(calendar_of(symbol)).zone
        from_ns, to_ns = (_bar_time(path[number]) for number in (4, 5))
        from_ns = midnight_ns(from_ns, zone) if isinstance(from_ns, date) else from_ns
        to_ns = midnight_ns(to_ns, zone) + DAY_NS - 1 if isinstance(to_ns, date) else to_ns
        adjusted = query.choice("adjusted", "true", "true", "false") == "true"
        page, token = one_page(
            [symbol],
            lambda name: self._past.bars(
                name, BarLength(amount, unit), from_ns, to_ns, moment, "split" if adjusted else "raw"
            ),
            query.whole("limit", DEFAULT_BARS, MOST_BARS),
            descending=query.choice("sort", "asc", "asc", "desc") == "desc",
            token=PageToken.read(query.text("cursor")),
        )
        results = [bar for rows in page.values() for bar in _bars(rows)]
        return {**_bar_head(symbol, results, adjusted=adjusted), **_following(path[0], query, token)}

    def _previous_day(self, path: re.Match[str], _query: Query, moment: PlayMoment) -> dict[str, Any]:
        symbol = path[1].upper()
        today = date_of(moment.session_ns, self._past.days(calendar_of(symbol)).zone)
        results = [{"T": symbol, **bar} for bar in _bars(self._past.day_before(symbol, today, moment))]
        return _bar_head(symbol, results, adjusted=True)

    def _splits(self, path: re.Match[str], query: Query) -> dict[str, Any]:
        return self._records(
            path[0],
            query,
            "execution_date",
            [
                {
                    "execution_date": action.effective.isoformat(),
                    "id": f"{action.symbol}-{action.effective:%Y%m%d}",
                    "split_from": action.old_shares,
                    "split_to": action.new_shares,
                    "ticker": action.symbol,
                }
                for action in self._actions
                if action.new_shares != action.old_shares
            ],
        )

    def _dividends(self, path: re.Match[str], query: Query) -> dict[str, Any]:
        return self._records(
            path[0],
            query,
            "ex_dividend_date",
            [
                {
                    "cash_amount": action.cash,
                    "currency": "USD",
                    "dividend_type": "CD",
                    "ex_dividend_date": action.effective.isoformat(),
                    "frequency": 4,
                    "id": f"{action.symbol}-{action.effective:%Y%m%d}",
                    "ticker": action.symbol,
                }
                for action in self._actions
                if action.cash
            ],
        )

    def _records(self, path: str, query: Query, day: str, records: list[dict[str, Any]]) -> dict[str, Any]:
        """A page of records by their date."""
        first, last = _range(query, day, _day_number)
        symbol = query.text("ticker").upper()
        chosen = [
            record
            for record in records
            if symbol in {"", record["ticker"]} and first <= _day_number(record[day]) <= last
        ]
        chosen.sort(key=lambda record: (record[day], record["ticker"]))
        if query.choice("order", "desc", "asc", "desc") == "desc":
            chosen.reverse()
        token = PageToken.read(query.text("cursor"))
        at = 0 if token is None else token.number
        stop = at + query.whole("limit", DEFAULT_ACTIONS, MOST_ACTIONS)
        following = PageToken("", 0, stop) if stop < len(chosen) else None
        return {"results": chosen[at:stop], **_following(path, query, following)}


def _bars(bars: FoldedBars) -> list[dict[str, Any]]:
    columns = (bars.volume, bars.vwap, bars.open, bars.close, bars.high, bars.low, bars.start_ns // MS_NS, bars.trades)
    keys = ("v", "vw", "o", "c", "h", "l", "t", "n")
    return [dict(zip(keys, row, strict=True)) for row in zip(*(column.tolist() for column in columns), strict=True)]


def _bar_head(symbol: str, results: list[dict[str, Any]], *, adjusted: bool) -> dict[str, Any]:
    return {
        "ticker": symbol,
        "adjusted": adjusted,
        "queryCount": len(results),
        "resultsCount": len(results),
        "count": len(results),
        "results": results,
    }


def _following(path: str, query: Query, token: PageToken | None) -> dict[str, str]:
    """The next page's address: this one's with a cursor."""
    if token is None:
        return {}
    values = {**query.values, "cursor": token.text()}
    values.pop("apiKey", None)
    return {"next_url": path + "?" + "&".join(f"{name}={quote(value)}" for name, value in values.items())}


def _range(query: Query, name: str, read: Callable[[str], int]) -> tuple[int, int]:
    """The range of a filter with suffixes (name.gte), both ends included. Raises RestFault."""
    low, high = 0, 1 << 62
    for suffix, shift in ((".gte", 0), (".gt", 1), (".lte", 0), (".lt", -1), ("", 0)):
        text = query.text(name + suffix)
        if not text:
            continue
        try:
            bound = read(text) + shift
        except ValueError:
            raise RestFault(400, f"invalid {name}{suffix}: {text}") from None
        if not suffix or suffix in {".gte", ".gt"}:
            low = bound
        if not suffix or suffix in {".lte", ".lt"}:
            high = bound
    return low, high


def _tick_time(text: str) -> int:
    return int(text) if text.isdecimal() else read_time(text)


def _day_number(text: str) -> int:
    return date.fromisoformat(text).toordinal()


def _bar_time(text: str) -> int | date:
    """A time in ns from one in ms, or a date. Raises RestFault."""
    try:
        return int(text) * MS_NS if text.isdecimal() else date.fromisoformat(text)
    except ValueError:
        raise RestFault(400, f"could not parse the time parameter: {text}") from None
