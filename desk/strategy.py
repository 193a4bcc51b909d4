"""The base class of strategies, and the context that their hooks get.

One instance runs per (strategy entry, symbol) and keeps only its own picklable state. It never reads a clock or a
random source of its own: `ctx.now_ns` and `ctx.rng` replace both, so that the same ticks give the same decisions in
backtest, replay, paper and live trading, also across crashes and moves.

Tests: tests/desk/consumer/engine/test_instance.py
"""

from collections.abc import Mapping
from random import Random
from typing import ClassVar, Final, Protocol, TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray

from desk.model.notices import PriceBands
from desk.model.orders import TimeInForce
from desk.model.ticks import Quote, Trade

HOOKS: Final = ("on_second", "on_bar", "on_trade", "on_quote", "on_fill", "on_gap", "on_status")


class Params(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Base class of a strategy's or scanner's typed params; the plan's `params` table is checked against it."""


BaseParams: TypeAlias = Params
"""An alias of `Params` for class bodies, where the attribute `Params` hides the name."""


class Strategy:
    """Base class of all strategies.

    A subclass may define its own `Params` and any of these hooks; hooks that it does not define cost nothing:

        on_second(ctx)        at every whole second of session time
        on_bar(ctx, bar)      for every closed bar of the timeframes in `[[strategies]] bars` (minutes, unless it
                              names others): once per bar with a trade, `grace_s` after its end
        on_trade(ctx, trade)  on every trade
        on_quote(ctx, quote)  on every quote that was not conflated
        on_fill(ctx, fill)    when one of this instance's orders is filled, in whole or in part
        on_gap(ctx, gap)      when ticks of the symbol are missing: a process died, or the venue was unreachable
        on_status(ctx, status)  at every message of the venue about the symbol's trading: halts, resumptions, others

    Bars that close at the same mark come by end, then by timeframe, shortest first: a `bar` says its `timeframe`.

    `history` declares how many bars of before the exchange day the strategy needs, by timeframe:

        history: ClassVar = {"1d": 20, "5m": 5}

    The desk fetches them before the symbol's first call. They come first in `ctx.bars_of("1d")`; where they cannot be
    had in time, the strategy starts without them and `ctx.warm` is false.
    """

    Params: ClassVar[type[Params]] = Params
    history: ClassVar[Mapping[str, int]] = {}
    uses_volume: ClassVar[bool | None] = None
    """Whether it depends on volumes, of which some feeds have a part only; None: decided by its code."""

    def __init__(self, params: BaseParams) -> None:
        self.params = params


class Bars(Protocol):
    """The symbol's closed bars of one timeframe, oldest first, as read-only numpy arrays of equal length.

    Bars without an eligible trade have no row. Revisions by late trades appear in arrays that are read afterwards.
    `minute_ns` is the start of each bar, `flags` is "complete", "repaired" or "partial".
    """

    @property
    def minute_ns(self) -> NDArray[np.int64]: ...
    @property
    def open(self) -> NDArray[np.float64]: ...
    @property
    def high(self) -> NDArray[np.float64]: ...
    @property
    def low(self) -> NDArray[np.float64]: ...
    @property
    def close(self) -> NDArray[np.float64]: ...
    @property
    def volume(self) -> NDArray[np.float64]: ...
    @property
    def vwap(self) -> NDArray[np.float64]: ...
    @property
    def trades(self) -> NDArray[np.int64]: ...
    @property
    def flags(self) -> NDArray[np.str_]: ...
    def __len__(self) -> int: ...


class Position(msgspec.Struct, frozen=True, gc=False):
    """The position of one strategy in one symbol: signed quantity and average entry price."""

    quantity: float = 0.0
    average_price: float = 0.0
    realized: float = 0.0
    fees: float = 0.0


class Fill(msgspec.Struct, frozen=True, gc=False):
    """One execution of one of this instance's orders; `done`: the order is filled completely."""

    client_order_id: str
    side: str
    quantity: float
    price: float
    fee: float
    ts_ns: int
    done: bool


class Gap(msgspec.Struct, frozen=True, gc=False):
    """A period of session time, `from_ns` to `to_ns`, with missing ticks; `why` is the reason in one line.

    Minutes in it are partial, and on_trade and on_quote were not called for the missing ticks. on_second is still
    called for each second of that time.

    A live feed's gap is reported twice: with `is_open` when the feed fails or the venue refuses the symbol, where
    `to_ns` is the time reached, and without it when the data resume. In between `ctx.degraded` is true.
    """

    from_ns: int
    to_ns: int
    why: str
    is_open: bool = False


class Context(Protocol):
    """A strategy's view of its symbol, and its orders. Valid during a hook call only; read-only.

    `price` is the reference price of the symbol (`desk.bars.reference_price`): that of the newest print that may set a
    minute's close, limited to the newest usable quote; without such a print the mid of that quote; None without both,
    and then entries are refused. `trade` and `quote` are the last that arrived, even if they may not set a price.

    `now_ns` is session time: the last mark's. `age_ns` is the age of the data at that mark. `degraded`: the age is
    above `max_data_latency_s`, or the live feed is down or not subscribed yet; entries are refused, exits are not.
    `warm`: `bars` reach back to the session's start, and the `history` that the strategy declares is there.

    `halted`: by the venue's last message that the desk received, trading in the symbol is halted or paused. Entries are
    refused (rule `halted`), exits are not: they wait for the end of the halt. A symbol that was subscribed during a
    halt counts as trading. `bands` are the price bands of limit up, limit down; None if the venue sent none.

    `bars` are the closed minutes. `bars_of(timeframe)` are the closed bars of "1m" (the same), "5m", "15m", "1h" or
    "1d". Bars of before the exchange day come first, as many as the strategy declares in `history`. Longer bars are
    made from the minutes of `bars`. They start at the open and end at the close, and never span either: hours begin
    at 09:30, 10:30, … in New York, and the last one is half an hour. The extended hours before and after have bars of
    their own, except for "1d", which is the regular hours alone. A longer bar is as good as its worst minute (`flags`).
    """

    @property
    def symbol(self) -> str: ...
    @property
    def now_ns(self) -> int: ...
    @property
    def session_start_ns(self) -> int: ...
    @property
    def age_ns(self) -> int: ...
    @property
    def degraded(self) -> bool: ...
    @property
    def warm(self) -> bool: ...
    @property
    def halted(self) -> bool: ...
    @property
    def bands(self) -> PriceBands | None: ...
    @property
    def bars(self) -> Bars: ...
    def bars_of(self, timeframe: str) -> Bars:
        """The closed bars of a timeframe. Raises ValueError for an unknown one."""
        ...

    @property
    def trade(self) -> Trade | None: ...
    @property
    def quote(self) -> Quote | None: ...
    @property
    def price(self) -> float | None: ...
    @property
    def position(self) -> Position: ...

    @property
    def rng(self) -> Random:
        """The random source of this instance, seeded by session, strategy and symbol."""
        ...

    @property
    def open_orders(self) -> tuple[str, ...]:
        """client_order_ids of this instance's orders that are not done, oldest first."""
        ...

    def buy(
        self,
        quantity: float,
        *,
        limit: float | None = None,
        stop: float | None = None,
        tif: TimeInForce = "day",
        extended_hours: bool = False,
    ) -> str:
        """Ask for a buy; `limit` and `stop` determine the kind of order. Returns the client_order_id.

        An order sent before the regular open waits for it; one sent after the regular close is refused. With
        `extended_hours`, only for limit orders with tif day or gtc, it may also fill in the extended hours.

        Raises ValueError for a quantity or price that is not a positive finite number (a bool is not a number), and for
        `extended_hours` with any other order.
        """
        ...

    def sell(
        self,
        quantity: float,
        *,
        limit: float | None = None,
        stop: float | None = None,
        tif: TimeInForce = "day",
        extended_hours: bool = False,
    ) -> str:
        """Ask for a sale; arguments and errors as in `buy`."""
        ...

    def close(self, *, limit: float | None = None, extended_hours: bool = False) -> str | None:
        """Ask for an order that flattens the position. Returns its id; None if the position is flat.

        It is a market order, or a limit order at `limit`; `extended_hours` requires `limit`. Repeated calls while such
        an order is open do nothing and return its id.
        """
        ...

    def cancel(self, client_order_id: str) -> None:
        """Ask to cancel the remainder of an order of this instance."""
        ...
