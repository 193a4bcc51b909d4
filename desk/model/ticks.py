"""Ticks: the events that a venue reports, each with venue time, received time and ordinal."""

from typing import Final, Literal

import msgspec

from desk.model.notices import NOTICES, Notice


class Trade(msgspec.Struct, frozen=True, array_like=True, tag="t", gc=False):
    """One reported trade.

    `ordinal` rises within a symbol (tape: row number; live: a counter). `ts_ns` is the venue's own time, `received_ns`
    the wall-clock time at which the frame that held it was read. `conditions` are SIP sale-condition letters, joined;
    `tape` is the SIP tape (A, B, C) or empty. A `trade_id`, unsigned with at most 64 bits, is an identity within
    symbol, exchange and tape; 0 is none.
    """

    ordinal: int
    symbol: str
    ts_ns: int
    received_ns: int
    price: float
    size: float
    conditions: str = ""
    exchange: str = ""
    trade_id: int = 0
    tape: str = ""


class Quote(msgspec.Struct, frozen=True, array_like=True, tag="q", gc=False):
    """The best bid and offer after a change; a size of 0 means that side is empty. Sizes in shares."""

    ordinal: int
    symbol: str
    ts_ns: int
    received_ns: int
    bid: float
    bid_size: float
    ask: float
    ask_size: float
    exchange: str = ""
    conditions: str = ""


class Correction(msgspec.Struct, frozen=True, array_like=True, tag="k", gc=False):
    """The venue corrects the trade `original_id` of this symbol, exchange and tape; it is `trade_id` from now on.

    `ts_ns` is the venue's time of the message. `original_*` describe the original trade, as the message gives it.
    """

    ordinal: int
    symbol: str
    ts_ns: int
    received_ns: int
    original_id: int
    price: float
    size: float
    conditions: str = ""
    exchange: str = ""
    trade_id: int = 0
    tape: str = ""
    original_price: float = 0.0
    original_size: float = 0.0
    original_conditions: str = ""


class Cancel(msgspec.Struct, frozen=True, array_like=True, tag="y", gc=False):
    """The venue cancels the trade `original_id` of this symbol, exchange and tape; fields as in `Correction`."""

    ordinal: int
    symbol: str
    ts_ns: int
    received_ns: int
    original_id: int
    exchange: str = ""
    tape: str = ""
    original_price: float = 0.0
    original_size: float = 0.0


Revision = Correction | Cancel
REVISIONS: Final = frozenset({Correction, Cancel})
"""Rare ticks that change earlier trades. They count as trades, and no lane drops them."""

Tick = Trade | Quote | Correction | Cancel
Event = Tick | Notice
"""What a feed delivers: ticks and notices, in one order."""
TIMED: Final = frozenset({Trade, Quote})
"""The events whose venue time is that of their sending: the others say nothing about the lag of a feed."""

EventClass = Literal["trades", "quotes", "notices"]
CLASSES: Final[tuple[EventClass, ...]] = ("trades", "quotes", "notices")
"""The classes of the accounts."""


def class_of(event: Event) -> EventClass:
    """The class under which an event is counted; corrections and cancels count as trades."""
    kind = type(event)
    return "quotes" if kind is Quote else "notices" if kind in NOTICES else "trades"


class Frame(msgspec.Struct):
    """The unit that a feed hands over: events in arrival order, and the session time reached with them.

    With `mark` the session time is a whole second and a `Mark` follows the events. `lag_ns` is the median of received -
    venue time over trades and quotes, on the session clock, `fastest_ns` the least; None without them.
    """

    ticks: list[Event]
    session_ns: int
    mark: bool = False
    lag_ns: int | None = None
    fastest_ns: int | None = None
