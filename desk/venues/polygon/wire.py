"""The stream's messages in wire format; `ev` names the kind. Decoding checks the ranges of all values.

Tests: tests/desk/venues/polygon/test_polygon_codec.py
"""

from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from desk.streams.limits import MAX_CONDITIONS, MAX_TEXT_CHARS
from desk.venues.frame_codec import MessageTypes
from desk.venues.wire_types import Price, SideValue, Symbol

Number = Annotated[int, Meta(ge=0, le=99_999)]
Numbers = Annotated[tuple[Number, ...], Meta(max_length=MAX_CONDITIONS)]
Time = Annotated[int, Meta(gt=0, le=2**63 - 1)]
"""Milliseconds by the documents; LULD messages were seen with nanoseconds."""
Decimal = Annotated[str, Meta(max_length=40)]
TradeId = Annotated[str, Meta(max_length=64)]


class PolygonTrade(msgspec.Struct, tag_field="ev", tag="T", gc=False):
    """A trade. `exact_size` has the size with its fraction of a share, where there is one."""

    symbol: Symbol = msgspec.field(name="sym")
    time: Time = msgspec.field(name="t")
    price: Price = msgspec.field(name="p")
    size: SideValue = msgspec.field(name="s")
    exact_size: Decimal = msgspec.field(name="ds", default="")
    trade_id: TradeId = msgspec.field(name="i", default="")
    exchange: Number = msgspec.field(name="x", default=0)
    facility: Number = msgspec.field(name="trfi", default=0)
    conditions: Numbers | None = msgspec.field(name="c", default=())
    tape: Number = msgspec.field(name="z", default=0)


class PolygonQuote(msgspec.Struct, tag_field="ev", tag="Q", gc=False):
    """A quote; an empty side is left out, or has price and size 0. Sizes in shares since 2025-11-03."""

    symbol: Symbol = msgspec.field(name="sym")
    time: Time = msgspec.field(name="t")
    bid: SideValue = msgspec.field(name="bp", default=0.0)
    bid_size: SideValue = msgspec.field(name="bs", default=0.0)
    ask: SideValue = msgspec.field(name="ap", default=0.0)
    ask_size: SideValue = msgspec.field(name="as", default=0.0)
    bid_exchange: Number = msgspec.field(name="bx", default=0)
    ask_exchange: Number = msgspec.field(name="ax", default=0)
    condition: Number = msgspec.field(name="c", default=0)


class PolygonMinute(msgspec.Struct, tag_field="ev", tag="AM", gc=False):
    """A minute bar, from `start` on."""

    symbol: Symbol = msgspec.field(name="sym")
    start: Time = msgspec.field(name="s")
    open: Price = msgspec.field(name="o")
    high: Price = msgspec.field(name="h")
    low: Price = msgspec.field(name="l")
    close: Price = msgspec.field(name="c")
    volume: SideValue = msgspec.field(name="v")
    vwap: SideValue = msgspec.field(name="vw", default=0.0)


class PolygonSecond(msgspec.Struct, tag_field="ev", tag="A", gc=False):
    """A bar of one second, which the desk checks and does not use."""

    symbol: Symbol = msgspec.field(name="sym")
    start: Time = msgspec.field(name="s")
    close: Price = msgspec.field(name="c")
    volume: SideValue = msgspec.field(name="v")


class PolygonBands(msgspec.Struct, tag_field="ev", tag="LULD", gc=False):
    """The bands of limit up, limit down. Halts and resumptions come for Nasdaq's listings only."""

    symbol: Symbol = msgspec.field(name="T")
    time: Time = msgspec.field(name="t")
    up: SideValue = msgspec.field(name="h", default=0.0)
    down: SideValue = msgspec.field(name="l", default=0.0)
    indicators: Numbers = msgspec.field(name="i", default=())
    tape: Number = msgspec.field(name="z", default=0)


class PolygonStatus(msgspec.Struct, tag_field="ev", tag="status"):
    """An answer of the venue, or the reason why it is about to close the connection."""

    status: Annotated[str, Meta(max_length=MAX_TEXT_CHARS)] = ""
    message: str = ""


class PolygonKind(msgspec.Struct):
    """Only the kind of a message, for messages that fail to decode."""

    kind: Any = msgspec.field(name="ev", default=None)


TYPES: Final = MessageTypes(
    data=(PolygonTrade, PolygonQuote, PolygonMinute, PolygonSecond, PolygonBands),
    controls=(PolygonStatus,),
    kind=PolygonKind,
    classes={"T": "trades", "Q": "quotes", "A": "notices", "AM": "notices", "LULD": "notices"},
    causes={"sym": "symbol", "t": "time", "i": "id"}
    | dict.fromkeys(("p", "bp", "ap"), "price")
    | dict.fromkeys(("s", "ds", "bs", "as"), "size"),
    unused=frozenset({"NOI", "FMV", "LV", "V"}),
)
"""Unused kinds: imbalances, fair market values, and values of other products."""
PolygonData = PolygonTrade | PolygonQuote | PolygonMinute | PolygonSecond | PolygonBands
