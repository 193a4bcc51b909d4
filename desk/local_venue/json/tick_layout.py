"""Ticks of a generic JSON feed: a quote with the day's volume and last price, one object in each frame.

Tests: tests/desk/local_venue/test_json_feed.py
"""

from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from desk.bars.sale_conditions import eligibility
from desk.local_venue.byte_fields import Field
from desk.local_venue.column_encoders import JsonWire, Wire
from desk.local_venue.message_layout import MessageKind, MessageLayout
from desk.model.blocks import QUOTE, TRADE, Block


class TickWire(JsonWire):
    """JSON text; every event is a frame of its own, without an array around it."""

    array_close = b""
    separator = b""
    is_single = True

    def array_open(self, count: int) -> bytes:  # noqa: ARG002  the interface of an encoding
        return b""


def _tick(quotes: Block, wire: Wire, _fresh_ids: bool) -> list[tuple[str, Field]]:
    return [
        ("symbol", wire.texts(quotes.symbols, quotes.symbol)),
        ("bid", wire.floats(quotes.bid)),
        ("bid_size", wire.floats(quotes.bid_size)),
        ("ask", wire.floats(quotes.ask)),
        ("ask_size", wire.floats(quotes.ask_size)),
        ("last", wire.floats(quotes.price)),
        ("volume", wire.floats(quotes.size)),
        ("timestamp", wire.place_holder("t")),
    ]


class RunningVolumes:
    """The volume and the last price of each symbol, written into the quotes' empty columns `size` and `price`.

    Trades count by their sale conditions; corrections and cancels change nothing. A symbol's last price is NaN (null)
    before its first trade.
    """

    def __init__(self, symbols: int) -> None:
        self._volume = np.zeros(symbols)
        self._last = np.full(symbols, np.nan)

    def add_to(self, events: Block) -> Block:
        """Consecutive events with these columns."""
        order = np.argsort(events.symbol, kind="stable")
        symbol = events.symbol[order]
        trade = events.kind[order] == TRADE
        code = events.conditions[order]
        rules = np.array([eligibility(text) for text in (*events.condition_codes, "")], np.bool_)[code]
        heads = np.flatnonzero(np.diff(symbol, prepend=-2))
        run = np.repeat(np.arange(len(heads)), np.diff(np.append(heads, len(symbol))))
        volume = np.cumsum(np.where(trade & rules[:, 0], events.size[order], 0.0))
        before = np.concatenate(([0.0], volume))[heads]
        volume += (self._volume[symbol[heads]] - before)[run]
        last = self._carried(symbol, heads, run, np.where(trade & rules[:, 2], events.price[order], np.nan))
        tails = np.append(heads[1:], len(symbol)) - 1
        self._volume[symbol[tails]] = volume[tails]
        self._last[symbol[tails]] = last[tails]
        quote = events.kind[order] == QUOTE
        size, price = events.size.copy(), events.price.copy()
        size[order[quote]] = volume[quote]
        price[order[quote]] = last[quote]
        return replace(events, size=size, price=price)

    def _carried(
        self, symbol: NDArray[np.int32], heads: NDArray[np.intp], run: NDArray[np.intp], price: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """The last price at each row."""
        row = np.arange(len(price))
        newest = np.maximum.accumulate(np.where(np.isnan(price), -1, row))
        known = newest >= heads[run]
        carried: NDArray[np.float64] = np.where(known, price[newest], self._last[symbol])
        return carried


TICKS: Final = MessageLayout((MessageKind(QUOTE, "quotes", _tick),))
TICK_JSON: Final[Wire] = TickWire()
