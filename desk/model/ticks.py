"""Ticks: what a venue reports. Every tick bears the venue's time, the time it was received, and an ordinal."""

import msgspec


class Trade(msgspec.Struct, array_like=True, tag="t", gc=False):
    """One reported trade.

    `ordinal` rises within a symbol (tape: row number; live: a counter). `ts_ns` is the venue's own time,
    `received_ns` the wall-clock time at which the frame that held it was read.
    `conditions` are SIP sale-condition letters, joined; `tape` is the SIP tape (A, B, C) or empty.
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


class Quote(msgspec.Struct, array_like=True, tag="q", gc=False):
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


Tick = Trade | Quote


class Frame(msgspec.Struct):
    """What a feed hands over at once: ticks in arrival order, and the session time reached with them.

    With `mark` the session time is a whole second and a `Second` follows the ticks. `lag_ns` is the median
    of received - venue time, on the session clock, over the ticks, `fastest_ns` the least; None when there is none to
    judge by.
    """

    ticks: list[Tick]
    session_ns: int
    mark: bool = False
    lag_ns: int | None = None
    fastest_ns: int | None = None
