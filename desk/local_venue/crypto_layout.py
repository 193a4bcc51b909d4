"""Messages of the crypto stream: trades and quotes, and the top of the order books.

Keys: docs.alpaca.markets, "Real-time Crypto Data". Times stand last, since they are the widest field: see
`desk.local_venue.byte_fields`.

Tests: tests/desk/local_venue/test_local_venue_crypto.py
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from desk.local_venue.byte_fields import Field
from desk.local_venue.column_encoders import Wire
from desk.local_venue.message_layout import MessageKind, MessageLayout
from desk.local_venue.stock_layout import same
from desk.model.blocks import QUOTE, TRADE, Block

TAKER_SIDES: Final = ("B", "S")


def _trade(trades: Block, wire: Wire, fresh_ids: bool) -> list[tuple[str, Field]]:
    return [
        ("T", same(wire, "t")),
        ("S", wire.texts(trades.symbols, trades.symbol)),
        ("i", wire.place_holder("i") if fresh_ids else wire.ids(trades.trade_id)),
        ("p", wire.floats(trades.price)),
        ("s", wire.floats(trades.size)),
        ("tks", wire.texts(TAKER_SIDES, np.arange(len(trades)) % 2)),  # made up: no source has the taker's side
        ("t", wire.place_holder("t")),
    ]


def _quote(quotes: Block, wire: Wire, _fresh_ids: bool) -> list[tuple[str, Field]]:
    return [
        ("T", same(wire, "q")),
        ("S", wire.texts(quotes.symbols, quotes.symbol)),
        ("bp", wire.floats(quotes.bid)),
        ("bs", wire.floats(quotes.bid_size)),
        ("ap", wire.floats(quotes.ask)),
        ("as", wire.floats(quotes.ask_size)),
        ("t", wire.place_holder("t")),
    ]


def _book(quotes: Block, wire: Wire, _fresh_ids: bool) -> list[tuple[str, Field]]:
    """Each message is the whole book (`r`): its best level on each side; a size of 0 is an empty side."""
    return [
        ("T", same(wire, "o")),
        ("S", wire.texts(quotes.symbols, quotes.symbol)),
        ("b", _level(wire, quotes.bid, quotes.bid_size)),
        ("a", _level(wire, quotes.ask, quotes.ask_size)),
        ("r", wire.texts((True,), np.zeros(1, np.intp))),
        ("t", wire.place_holder("t")),
    ]


def _level(wire: Wire, prices: NDArray[np.float64], sizes: NDArray[np.float64]) -> Field:
    levels = [[{"p": price, "s": size}] for price, size in zip(prices.tolist(), sizes.tolist(), strict=True)]
    return wire.texts(levels, np.arange(len(levels)))


CRYPTO: Final = MessageLayout((MessageKind(TRADE, "trades", _trade), MessageKind(QUOTE, "quotes", _quote)))
BOOKS: Final = MessageLayout((MessageKind(QUOTE, "orderbooks", _book),))
