"""What a strategy is, and what it sees.

One instance runs per (strategy entry, symbol) and keeps only its own picklable state. It never reads a
clock or a random source of its own: `ctx.now_ns` and `ctx.rng` stand for both, so that the same ticks give
the same decisions in backtest, replay, paper and live, through crashes and moves.

Tests: tests/desk/consumer/engine/test_instance.py
"""

from random import Random
from typing import ClassVar, Final, Protocol, TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray

from desk.model.orders import TimeInForce
from desk.model.ticks import Quote, Trade

HOOKS: Final = ("on_second", "on_bar", "on_trade", "on_quote", "on_fill", "on_gap")


class Params(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Base of a strategy's or scanner's typed params; the plan's `params` table is checked against it."""


BaseParams: TypeAlias = Params
"""`Params` by a name that the attribute `Params` of strategies and scanners does not hide."""


class Strategy:
    """Base of all strategies.

    A subclass may bring its own `Params` and any of the hooks; those it does not define cost nothing:

        on_second(ctx)        at every whole second of session time
        on_bar(ctx, bar)      once per minute with a trade, `bar_grace_s` after its end
        on_trade(ctx, trade)  on every trade
        on_quote(ctx, quote)  on every quote that was not conflated
        on_fill(ctx, fill)    when one of this instance's orders is filled, in whole or in part
        on_gap(ctx, gap)      when ticks of the symbol are missing: a process died, or the venue was out of reach
    """

    Params: ClassVar[type[Params]] = Params

    def __init__(self, params: BaseParams) -> None:
        self.params = params


class Bars(Protocol):
    """The symbol's closed minutes of this session, oldest first, as read-only numpy arrays of equal length.

    Minutes without an eligible trade have no row. Revisions by late trades appear in arrays that are read afterwards.
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
    def __len__(self) -> int: ...


class Position(msgspec.Struct, frozen=True, gc=False):
    """What one strategy holds in one symbol: signed quantity and its average entry price."""

    quantity: float = 0.0
    average_price: float = 0.0
    realized: float = 0.0
    fees: float = 0.0


class Fill(msgspec.Struct, frozen=True, gc=False):
    """One execution of one of this instance's orders; `side` is "buy" or "sell", `done` that nothing is left."""

    client_order_id: str
    side: str
    quantity: float
    price: float
    fee: float
    ts_ns: int
    done: bool


class Gap(msgspec.Struct, frozen=True, gc=False):
    """Session time from `from_ns` to `to_ns` of which ticks are missing; `why` is one line.

    Minutes in it are partial, and on_trade and on_quote were not called for what is missing. The marks of that time
    have come or will come: on_second is called for each of them.

    A live feed's gap is reported twice: with `is_open` when the feed is lost, or the venue does not grant the symbol
    any more, `to_ns` being the time reached, and without it when the data are back. In between `ctx.degraded` is true.
    """

    from_ns: int
    to_ns: int
    why: str
    is_open: bool = False


class Context(Protocol):
    """A strategy's view of its symbol, and its orders. Valid during a hook call only; read-only.

    `price` is the reference price of the symbol (`desk.bars.reference_price`): that of the newest print that may set a
    minute's close, held within the newest usable quote; the mid of that quote where nothing printed; None without both,
    where entries are refused. `trade` and `quote` are the last ones that arrived, whatever they are worth as a price.

    `now_ns` is session time: the last mark's. `age_ns` is the age of the data by that mark, and `degraded`
    says that it is above `max_data_latency_s`, or that the live feed is down or not subscribed yet: entries would be
    refused, exits are not. `warm` says that `bars` reach back to the session's start.
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
    def bars(self) -> Bars: ...
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
        """Ask for a buy; the kind follows from the prices given. Returns the client_order_id.

        An order sent before the regular open waits for it; one sent after the regular close is refused. With
        `extended_hours`, for limit orders with tif day or gtc alone, it may fill in the extended hours, too.

        Raises ValueError for a quantity or price that is not a positive finite number (a bool is none), and for
        `extended_hours` on any other order.
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
        """Ask for a sale, likewise."""
        ...

    def close(self, *, limit: float | None = None, extended_hours: bool = False) -> str | None:
        """Ask for an order that flattens the position; None when there is nothing to close.

        A market order, or a limit order where `limit` is given; `extended_hours` needs one. Repeated calls while such
        an order is open do nothing and return its id.
        """
        ...

    def cancel(self, client_order_id: str) -> None:
        """Ask to take back what is left of an order of this instance."""
        ...
