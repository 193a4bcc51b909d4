"""The stream's messages in wire format; `T` names the kind. Decoding checks the ranges of all values.

Tests: tests/desk/venues/alpaca/test_alpaca_codec.py
"""

from typing import Annotated, Any, Final, Generic, TypeVar

import msgspec
from msgspec import Meta

from desk.streams.limits import MAX_CONDITIONS, MAX_PRICE, MAX_SIZE, MAX_TEXT_CHARS
from desk.venues.wire_types import Code, Price, SideValue, Size, Symbol

OriginalValue = Annotated[float, Meta(ge=-MAX_SIZE, le=MAX_SIZE)]
BandPrice = Annotated[float, Meta(ge=0, le=MAX_PRICE)]
Text = Annotated[str, Meta(max_length=MAX_TEXT_CHARS)]
Count = Annotated[int, Meta(ge=-1, lt=10**12)]
Conditions = Annotated[tuple[Code, ...], Meta(max_length=MAX_CONDITIONS)] | None
Id = Annotated[int, Meta(ge=0)] | None
"""An unsigned 64-bit number; null and 0 mean that there is no id."""
Time = TypeVar("Time")


class WireTrade(msgspec.Struct, Generic[Time], tag_field="T", tag="t", gc=False):
    """A trade; `t` is a timestamp extension in MessagePack, and text in JSON."""

    symbol: Symbol = msgspec.field(name="S")
    stamp: Time = msgspec.field(name="t")
    price: Price = msgspec.field(name="p")
    size: Size = msgspec.field(name="s")
    trade_id: Id = msgspec.field(name="i", default=0)
    exchange: Code = msgspec.field(name="x", default="")
    conditions: Conditions = msgspec.field(name="c", default=())
    tape: Code = msgspec.field(name="z", default="")


class WireQuote(msgspec.Struct, Generic[Time], tag_field="T", tag="q", gc=False):
    """A quote; an empty side has price and size 0.

    Sizes are in shares since 2025-11-03 (SEC market data infrastructure rules); before, they were in round lots.
    """

    symbol: Symbol = msgspec.field(name="S")
    stamp: Time = msgspec.field(name="t")
    bid: SideValue = msgspec.field(name="bp")
    bid_size: SideValue = msgspec.field(name="bs")
    ask: SideValue = msgspec.field(name="ap")
    ask_size: SideValue = msgspec.field(name="as")
    bid_exchange: Code = msgspec.field(name="bx", default="")
    ask_exchange: Code = msgspec.field(name="ax", default="")
    conditions: Conditions = msgspec.field(name="c", default=())


class WireCorrection(msgspec.Struct, Generic[Time], tag_field="T", tag="c", gc=False):
    """A correction: original (`o…`) and corrected (`c…`) values. A subscription to trades includes corrections."""

    symbol: Symbol = msgspec.field(name="S")
    stamp: Time = msgspec.field(name="t")
    price: Price = msgspec.field(name="cp")
    size: SideValue = msgspec.field(name="cs")
    original_id: Id = msgspec.field(name="oi", default=0)
    original_price: OriginalValue = msgspec.field(name="op", default=0.0)
    original_size: OriginalValue = msgspec.field(name="os", default=0.0)
    original_conditions: Conditions = msgspec.field(name="oc", default=())
    trade_id: Id = msgspec.field(name="ci", default=0)
    conditions: Conditions = msgspec.field(name="cc", default=())
    exchange: Code = msgspec.field(name="x", default="")
    tape: Code = msgspec.field(name="z", default="")


class WireCancel(msgspec.Struct, Generic[Time], tag_field="T", tag="x", gc=False):
    """A cancel of a trade, or of an erroneous one. A subscription to trades includes cancels."""

    symbol: Symbol = msgspec.field(name="S")
    stamp: Time = msgspec.field(name="t")
    original_id: Id = msgspec.field(name="i", default=0)
    price: OriginalValue = msgspec.field(name="p", default=0.0)
    size: OriginalValue = msgspec.field(name="s", default=0.0)
    exchange: Code = msgspec.field(name="x", default="")
    tape: Code = msgspec.field(name="z", default="")


class WireStatus(msgspec.Struct, Generic[Time], tag_field="T", tag="s", gc=False):
    """A trading status, such as a halt; codes and texts are the tape's own."""

    symbol: Symbol = msgspec.field(name="S")
    stamp: Time = msgspec.field(name="t")
    code: Code = msgspec.field(name="sc")
    message: Text = msgspec.field(name="sm", default="")
    reason_code: Code = msgspec.field(name="rc", default="")
    reason: Text = msgspec.field(name="rm", default="")
    tape: Code = msgspec.field(name="z", default="")


class WireBands(msgspec.Struct, Generic[Time], tag_field="T", tag="l", gc=False):
    """The price bands of limit up, limit down; 0 where there is none."""

    symbol: Symbol = msgspec.field(name="S")
    stamp: Time = msgspec.field(name="t")
    up: BandPrice = msgspec.field(name="u")
    down: BandPrice = msgspec.field(name="d")
    indicator: Code = msgspec.field(name="i", default="")
    tape: Code = msgspec.field(name="z", default="")


class WireBar(msgspec.Struct, Generic[Time], tag_field="T", tag="b", gc=False):
    """A minute bar; `t` is the start of its minute."""

    symbol: Symbol = msgspec.field(name="S")
    stamp: Time = msgspec.field(name="t")
    open: Price = msgspec.field(name="o")
    high: Price = msgspec.field(name="h")
    low: Price = msgspec.field(name="l")
    close: Price = msgspec.field(name="c")
    volume: SideValue = msgspec.field(name="v")
    trades: Count = msgspec.field(name="n", default=-1)
    vwap: Price | None = msgspec.field(name="vw", default=None)


class WireUpdatedBar(WireBar[Time], Generic[Time], tag_field="T", tag="u", gc=False):
    """A minute bar that replaces an earlier one after late trades."""


class Success(msgspec.Struct, tag_field="T", tag="success"):
    """The greeting ("connected"), or the answer to the authentication ("authenticated")."""

    msg: str


class VenueError(msgspec.Struct, tag_field="T", tag="error"):
    """An error of the venue."""

    code: Annotated[int, Meta(ge=0, lt=10**9)]
    msg: str = ""


class Acknowledgement(msgspec.Struct, tag_field="T", tag="subscription"):
    """The whole current subscription; channels that the desk does not use are omitted."""

    trades: list[str] | None = None
    quotes: list[str] | None = None
    bars: list[str] | None = None
    updated_bars: list[str] | None = msgspec.field(name="updatedBars", default=None)
    statuses: list[str] | None = None
    lulds: list[str] | None = None

    def by_channel(self) -> dict[str, list[str]]:
        """The symbols of each channel."""
        return {channel: getattr(self, attribute) or [] for channel, attribute in _ATTRIBUTES.items()}


_ATTRIBUTES: Final = {field.encode_name: field.name for field in msgspec.structs.fields(Acknowledgement)}
CHANNELS: Final = tuple(_ATTRIBUTES)
"""The channels that the desk can subscribe to, in the order in which it requests them."""


class UnusedMessage(msgspec.Struct, tag_field="T", tag=""):
    """The base of known kinds that the desk does not use."""


def _unused(*kinds: str) -> tuple[Any, ...]:
    return tuple(msgspec.defstruct(f"Unused_{kind}", [], bases=(UnusedMessage,), tag=kind) for kind in kinds)


# Daily bars, imbalances, news.
UNUSED_MESSAGES: Final = _unused("d", "i", "n")


class Kind(msgspec.Struct):
    """Only the kind of a message, for messages that fail to decode."""

    kind: Any = msgspec.field(name="T", default=None)
