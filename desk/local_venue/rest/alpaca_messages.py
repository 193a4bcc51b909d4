"""Rows of the market as Alpaca's REST API writes them.

Keys: docs.alpaca.markets, "Market Data API", sections "Historical trades", "Historical quotes", "Historical bars",
"Snapshots", and the crypto endpoints of v1beta3.

Tests: tests/desk/local_venue/test_alpaca_answers.py
"""

from typing import Any, Final

import numpy as np

from desk.local_venue.byte_fields import Ints
from desk.local_venue.rest.folded_bars import FoldedBars
from desk.local_venue.rest.market_rows import UPDATES, QuoteRows, TradeRows
from desk.local_venue.rest.market_store import MarketStore
from desk.local_venue.stock_layout import REGULAR_QUOTE

Messages = list[dict[str, Any]]

BAR_KEYS: Final = ("t", "o", "h", "l", "c", "v", "n", "vw")
UNKNOWN_TAKER: Final = "-"


def iso_times(times_ns: Ints) -> list[str]:
    """Times in RFC 3339 with nine decimals."""
    return [f"{text}Z" for text in np.datetime_as_string(times_ns.astype("M8[ns]"), unit="ns").tolist()]


def iso_seconds(times_ns: Ints) -> list[str]:
    """Times in RFC 3339 in whole seconds."""
    return [f"{text}Z" for text in np.datetime_as_string((times_ns // 10**9).astype("M8[s]"), unit="s").tolist()]


class AlpacaMessages:
    """Writes the rows of a store; `crypto` rows have no exchange, tape and conditions."""

    def __init__(self, store: MarketStore, *, crypto: bool) -> None:
        self._crypto = crypto
        self._exchanges = list(store.exchanges)
        self._conditions = [list(code) for code in store.conditions]
        self._quote_conditions = [list(code or REGULAR_QUOTE) for code in store.conditions]
        self._tapes = list(store.tapes)

    def trades(self, rows: TradeRows) -> Messages:
        """Trades; those that were revised have the field `u`."""
        out: Messages = []
        columns = (rows.price, rows.size, rows.trade_id, rows.exchange, rows.conditions, rows.tape, rows.update)
        for time, price, size, trade_id, exchange, conditions, tape, update in zip(
            iso_times(rows.ts_ns), *(column.tolist() for column in columns), strict=True
        ):
            trade: dict[str, Any] = {"t": time, "p": price, "s": _whole(size), "i": trade_id}
            if self._crypto:
                trade["tks"] = UNKNOWN_TAKER
            else:
                trade |= {"x": self._exchanges[exchange], "c": self._conditions[conditions], "z": self._tapes[tape]}
            if update:
                trade["u"] = UPDATES[update]
            out.append(trade)
        return out

    def quotes(self, rows: QuoteRows) -> Messages:
        """Quotes."""
        out: Messages = []
        columns = (rows.bid, rows.bid_size, rows.ask, rows.ask_size, rows.exchange, rows.conditions, rows.tape)
        for time, bid, bid_size, ask, ask_size, exchange, conditions, tape in zip(
            iso_times(rows.ts_ns), *(column.tolist() for column in columns), strict=True
        ):
            quote: dict[str, Any] = {
                "t": time,
                "bp": bid,
                "bs": _whole(bid_size),
                "ap": ask,
                "as": _whole(ask_size),
            }
            if not self._crypto:
                name = self._exchanges[exchange]
                quote |= {"bx": name, "ax": name, "c": self._quote_conditions[conditions], "z": self._tapes[tape]}
            out.append(quote)
        return out

    def books(self, rows: QuoteRows) -> Messages:
        """Order books with one level on each side."""
        columns = (rows.bid, rows.bid_size, rows.ask, rows.ask_size)
        return [
            {"t": time, "b": [{"p": bid, "s": bid_size}], "a": [{"p": ask, "s": ask_size}]}
            for time, bid, bid_size, ask, ask_size in zip(
                iso_times(rows.ts_ns), *(column.tolist() for column in columns), strict=True
            )
        ]

    @staticmethod
    def bars(rows: FoldedBars) -> Messages:
        """Bars."""
        prices = [column.tolist() for column in (rows.open, rows.high, rows.low, rows.close)]
        volumes = [_whole(volume) for volume in rows.volume.tolist()]
        columns = (iso_seconds(rows.start_ns), *prices, volumes, rows.trades.tolist(), rows.vwap.tolist())
        return [dict(zip(BAR_KEYS, row, strict=True)) for row in zip(*columns, strict=True)]


def _whole(size: float) -> float:
    """An int where the size is one, as the venue writes it."""
    return int(size) if size.is_integer() else size
