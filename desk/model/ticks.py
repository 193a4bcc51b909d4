"""Ticks: what a venue reports. Every tick bears the venue's time, the time it was received, and an ordinal."""

from typing import Final

import msgspec


class Trade(msgspec.Struct, frozen=True, array_like=True, tag="t", gc=False):
    """One reported trade.

    `ordinal` rises within a symbol (tape: row number; live: a counter). `ts_ns` is the venue's own time,
    `received_ns` the wall-clock time at which the frame that held it was read.
    `conditions` are SIP sale-condition letters, joined; `tape` is the SIP tape (A, B, C) or empty. A `trade_id`, at
    most 64 bits without a sign, is an identity within symbol, exchange and tape; 0 is none.
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

    `ts_ns` is the venue's time of the message. `original_*` are what the message says of the trade as it was.
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
    """The venue takes the trade `original_id` of this symbol, exchange and tape back; the rest as in `Correction`."""

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


class Frame(msgspec.Struct):
    """What a feed hands over at once: ticks in arrival order, and the session time reached with them.

    With `mark` the session time is a whole second and a `Mark` follows the ticks. `lag_ns` is the median
    of received - venue time, on the session clock, over the ticks, `fastest_ns` the least; None when there is none to
    judge by.
    """

    ticks: list[Tick]
    session_ns: int
    mark: bool = False
    lag_ns: int | None = None
    fastest_ns: int | None = None
