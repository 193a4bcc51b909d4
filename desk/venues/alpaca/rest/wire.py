"""The JSON of Alpaca's market data API, as far as the desk reads it. Names are those of alpaca/data/mappings.py.

Tests: tests/desk/venues/alpaca/test_alpaca_history.py
"""

from datetime import date

import msgspec


class WireBar(msgspec.Struct, gc=False, rename={
    "time": "t", "open": "o", "high": "h", "low": "l", "close": "c", "volume": "v", "trades": "n", "vwap": "vw",
}):  # fmt: skip
    """A bar, labelled by its start."""

    time: str
    open: float
    high: float
    low: float
    close: float
    volume: float
    trades: int = 0
    vwap: float = 0.0


class RestTrade(msgspec.Struct, gc=False, rename={
    "time": "t", "price": "p", "size": "s", "exchange": "x", "trade_id": "i", "conditions": "c", "tape": "z",
}):  # fmt: skip
    """A trade."""

    time: str
    price: float
    size: float
    exchange: str = ""
    trade_id: int | None = None
    conditions: list[str] | str | None = None
    tape: str | None = None


class RestQuote(msgspec.Struct, gc=False, rename={
    "time": "t", "bid": "bp", "bid_size": "bs", "ask": "ap", "ask_size": "as",
}):  # fmt: skip
    """A quote."""

    time: str
    bid: float
    bid_size: float
    ask: float
    ask_size: float


class RestSnapshot(msgspec.Struct, gc=False, rename="camel"):
    """A snapshot; any part may be missing."""

    latest_trade: RestTrade | None = None
    latest_quote: RestQuote | None = None
    minute_bar: WireBar | None = None
    daily_bar: WireBar | None = None


class TradesPage(msgspec.Struct):
    """A page of trades by symbol."""

    trades: dict[str, list[RestTrade]] | None = None
    next_page_token: str | None = None


class BarsPage(msgspec.Struct):
    """A page of bars by symbol."""

    bars: dict[str, list[WireBar]] | None = None
    next_page_token: str | None = None


class RestAction(msgspec.Struct, gc=False):
    """A corporate action of any type; which fields it has depends on its type."""

    symbol: str = ""
    old_symbol: str = ""
    new_symbol: str = ""
    old_rate: float = 1.0
    new_rate: float = 1.0
    rate: float = 0.0
    ex_date: date | None = None
    effective_date: date | None = None
    process_date: date | None = None


class ActionsPage(msgspec.Struct):
    """A page of corporate actions by type."""

    corporate_actions: dict[str, list[RestAction]] | None = None
    next_page_token: str | None = None


class ActiveSymbol(msgspec.Struct):
    """A row of the most active symbols, or of the movers."""

    symbol: str


class MostActivesPage(msgspec.Struct):
    """The most active symbols."""

    most_actives: list[ActiveSymbol] = []


class MoversPage(msgspec.Struct):
    """The symbols whose prices changed most."""

    gainers: list[ActiveSymbol] = []
    losers: list[ActiveSymbol] = []


class Asset(msgspec.Struct, gc=False):
    """A symbol of the venue."""

    symbol: str
    exchange: str = ""
    status: str = ""
    tradable: bool = False
    shortable: bool = False
    easy_to_borrow: bool = False
    fractionable: bool = False


class CalendarDay(msgspec.Struct, gc=False):
    """A trading day; opening and closing of regular hours as "HH:MM" in New York."""

    date: date
    open: str
    close: str
