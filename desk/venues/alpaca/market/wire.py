"""The stream's messages as they look on the wire; `T` names the kind.

Numbers are checked while they are decoded, so that a message which gets through is sound.

Tests: tests/desk/venues/alpaca/test_alpaca_codec.py
"""

from typing import Annotated, Any, Final, Generic, TypeVar

import msgspec
from msgspec import Meta

from desk.streams.limits import MAX_CODE_CHARS, MAX_CONDITIONS, MAX_PRICE, MAX_SIZE, MAX_SYMBOL_CHARS

Symbol = Annotated[str, Meta(min_length=1, max_length=MAX_SYMBOL_CHARS)]
Price = Annotated[float, Meta(gt=0, le=MAX_PRICE)]
Size = Annotated[float, Meta(gt=0, le=MAX_SIZE)]
Side = Annotated[float, Meta(ge=0, le=MAX_SIZE)]
Was = Annotated[float, Meta(ge=-MAX_SIZE, le=MAX_SIZE)]
Code = Annotated[str, Meta(max_length=MAX_CODE_CHARS)]
Conditions = Annotated[tuple[Code, ...], Meta(max_length=MAX_CONDITIONS)] | None
Id = Annotated[int, Meta(ge=0)] | None
"""At most 64 bits, without a sign: some venues use all of them. Null, like 0, is none."""
Stamp = TypeVar("Stamp")


class WireTrade(msgspec.Struct, Generic[Stamp], tag_field="T", tag="t", gc=False):
    """A trade; `t` is an extension in MessagePack and text in JSON."""

    symbol: Symbol = msgspec.field(name="S")
    stamp: Stamp = msgspec.field(name="t")
    price: Price = msgspec.field(name="p")
    size: Size = msgspec.field(name="s")
    trade_id: Id = msgspec.field(name="i", default=0)
    exchange: Code = msgspec.field(name="x", default="")
    conditions: Conditions = msgspec.field(name="c", default=())
    tape: Code = msgspec.field(name="z", default="")


class WireQuote(msgspec.Struct, Generic[Stamp], tag_field="T", tag="q", gc=False):
    """A quote; a side without a bid or an ask has price and size 0.

    Sizes are in shares since 2025-11-03 (SEC market data infrastructure rules: the consolidated feeds
    changed for everyone); before, they were round lots. A live stream has no older ones.
    """

    symbol: Symbol = msgspec.field(name="S")
    stamp: Stamp = msgspec.field(name="t")
    bid: Side = msgspec.field(name="bp")
    bid_size: Side = msgspec.field(name="bs")
    ask: Side = msgspec.field(name="ap")
    ask_size: Side = msgspec.field(name="as")
    bid_exchange: Code = msgspec.field(name="bx", default="")
    ask_exchange: Code = msgspec.field(name="ax", default="")
    conditions: Conditions = msgspec.field(name="c", default=())


class WireCorrection(msgspec.Struct, Generic[Stamp], tag_field="T", tag="c", gc=False):
    """A correction: what the trade was (`o`) and is (`c`). It follows the trades of its symbol unasked."""

    symbol: Symbol = msgspec.field(name="S")
    stamp: Stamp = msgspec.field(name="t")
    price: Price = msgspec.field(name="cp")
    size: Side = msgspec.field(name="cs")
    original_id: Id = msgspec.field(name="oi", default=0)
    original_price: Was = msgspec.field(name="op", default=0.0)
    original_size: Was = msgspec.field(name="os", default=0.0)
    original_conditions: Conditions = msgspec.field(name="oc", default=())
    trade_id: Id = msgspec.field(name="ci", default=0)
    conditions: Conditions = msgspec.field(name="cc", default=())
    exchange: Code = msgspec.field(name="x", default="")
    tape: Code = msgspec.field(name="z", default="")


class WireCancel(msgspec.Struct, Generic[Stamp], tag_field="T", tag="x", gc=False):
    """A trade is cancelled, or was an error; likewise."""

    symbol: Symbol = msgspec.field(name="S")
    stamp: Stamp = msgspec.field(name="t")
    original_id: Id = msgspec.field(name="i", default=0)
    price: Was = msgspec.field(name="p", default=0.0)
    size: Was = msgspec.field(name="s", default=0.0)
    exchange: Code = msgspec.field(name="x", default="")
    tape: Code = msgspec.field(name="z", default="")


class Success(msgspec.Struct, tag_field="T", tag="success"):
    """The greeting ("connected"), or the answer to it ("authenticated")."""

    msg: str


class VenueError(msgspec.Struct, tag_field="T", tag="error"):
    """An error of the venue."""

    code: Annotated[int, Meta(ge=0, lt=10**9)]
    msg: str = ""


class Acknowledgement(msgspec.Struct, tag_field="T", tag="subscription"):
    """The whole subscription as it stands now; channels that the desk does not read are left out."""

    trades: list[str] | None = None
    quotes: list[str] | None = None


class Other(msgspec.Struct, tag_field="T", tag=""):
    """What every kind that the desk does not read has in common."""


def _others(*kinds: str) -> tuple[Any, ...]:
    return tuple(msgspec.defstruct(f"Other_{kind}", [], bases=(Other,), tag=kind) for kind in kinds)


# Bars (b u d), statuses, bands, imbalances, news.
OTHERS: Final = _others("b", "u", "d", "s", "l", "i", "n")


class Kind(msgspec.Struct):
    """Only what a message says it is: for messages that are nothing else."""

    kind: Any = msgspec.field(name="T", default=None)
