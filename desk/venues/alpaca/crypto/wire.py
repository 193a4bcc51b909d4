"""The messages of the crypto stream that differ from those of the stock stream.

Tests: tests/desk/venues/alpaca/test_crypto_codec.py
"""

from typing import Annotated, Any, Generic

import msgspec
from msgspec import Meta

from desk.streams.limits import MAX_SYMBOLS
from desk.venues.alpaca.market.wire import Time
from desk.venues.wire_types import Price, SideValue, Symbol

Symbols = Annotated[list[str], Meta(max_length=MAX_SYMBOLS + 1)]


class WireLevel(msgspec.Struct, gc=False):
    """One price of an order book; size 0 removes it."""

    price: Price = msgspec.field(name="p")
    size: SideValue = msgspec.field(name="s")


Levels = Annotated[tuple[WireLevel, ...], Meta(max_length=10_000)]


class WireBook(msgspec.Struct, Generic[Time], tag_field="T", tag="o", gc=False):
    """An order book, whole if `reset`, else its changed levels."""

    symbol: Symbol = msgspec.field(name="S")
    stamp: Time = msgspec.field(name="t")
    bids: Levels | None = msgspec.field(name="b", default=())
    asks: Levels | None = msgspec.field(name="a", default=())
    reset: bool = msgspec.field(name="r", default=False)


class CryptoAcknowledgement(msgspec.Struct, tag_field="T", tag="subscription"):
    """The whole current subscription; channels that the desk does not use are omitted."""

    trades: Symbols | None = None
    quotes: Symbols | None = None
    orderbooks: Symbols | None = None


class CryptoKind(msgspec.Struct):
    """Only the kind of a message, for messages that fail to decode."""

    kind: Any = msgspec.field(name="T", default=None)
