"""The context of a strategy's hooks: a read-only view of its instance.

Tests: tests/desk/consumer/engine/test_read_only_hook_values.py
"""

from random import Random
from typing import TYPE_CHECKING, Never

from desk.bars.series import BarSeries
from desk.model.notices import PriceBands
from desk.model.orders import TimeInForce
from desk.model.ticks import Quote, Trade
from desk.strategy import Position

if TYPE_CHECKING:
    from desk.consumer.engine.instance import Instance


class InstanceContext:
    """Implements `desk.strategy.Context`: delegates to the instance, without attributes that can be set."""

    __slots__ = ("_of",)

    _of: "Instance"

    def __init__(self, of: "Instance") -> None:
        object.__setattr__(self, "_of", of)

    def __setattr__(self, name: str, value: object) -> Never:
        raise AttributeError(f"the context cannot be changed: {name} was to be set")

    def __delattr__(self, name: str) -> Never:
        raise AttributeError(f"the context cannot be changed: {name} was to be deleted")

    def __reduce__(self) -> Never:
        raise TypeError("a context is valid during a hook call only: keep what you need of it, not the context itself")

    @property
    def symbol(self) -> str:
        """The symbol that the instance trades."""
        return self._of.symbol

    @property
    def now_ns(self) -> int:
        """Session time: the last mark's."""
        return self._of.now_ns

    @property
    def session_start_ns(self) -> int:
        """When the session began."""
        return self._of.session_start_ns

    @property
    def age_ns(self) -> int:
        """Age of the data by the last mark."""
        return self._of.age_ns

    @property
    def degraded(self) -> bool:
        """Whether the data were too old for entries at the last mark."""
        return self._of.degraded

    @property
    def warm(self) -> bool:
        """Whether `bars` reach back to the session's start, and the history that the strategy declares is there."""
        return self._of.warm

    @property
    def halted(self) -> bool:
        """Whether the venue has halted trading in the symbol."""
        return self._of.halted

    @property
    def bands(self) -> PriceBands | None:
        """The symbol's price bands."""
        return self._of.bands

    @property
    def bars(self) -> BarSeries:
        """The symbol's closed minutes of this session, after those of before the day that the strategy declares."""
        return self._of.bars

    def bars_of(self, timeframe: str) -> BarSeries:
        """The symbol's closed bars of a timeframe, after those of before the day that the strategy declares."""
        return self._of.bars_of(timeframe)

    @property
    def trade(self) -> Trade | None:
        """The symbol's last trade."""
        return self._of.trade

    @property
    def quote(self) -> Quote | None:
        """The symbol's last quote."""
        return self._of.quote

    @property
    def price(self) -> float | None:
        """The symbol's reference price."""
        return self._of.price

    @property
    def position(self) -> Position:
        """The position of the instance."""
        return self._of.position

    @property
    def rng(self) -> Random:
        """The random source of this instance alone."""
        return self._of.rng

    @property
    def open_orders(self) -> tuple[str, ...]:
        """Ids of the orders that are not done, oldest first."""
        return self._of.open_orders

    def buy(
        self,
        quantity: float,
        *,
        limit: float | None = None,
        stop: float | None = None,
        tif: TimeInForce = "day",
        extended_hours: bool = False,
    ) -> str:
        """Ask for a buy."""
        return self._of.buy(quantity, limit=limit, stop=stop, tif=tif, extended_hours=extended_hours)

    def sell(
        self,
        quantity: float,
        *,
        limit: float | None = None,
        stop: float | None = None,
        tif: TimeInForce = "day",
        extended_hours: bool = False,
    ) -> str:
        """Ask for a sale."""
        return self._of.sell(quantity, limit=limit, stop=stop, tif=tif, extended_hours=extended_hours)

    def close(self, *, limit: float | None = None, extended_hours: bool = False) -> str | None:
        """Ask for an order that flattens the position."""
        return self._of.close(limit=limit, extended_hours=extended_hours)

    def cancel(self, client_order_id: str) -> None:
        """Ask to cancel the remainder of an order."""
        self._of.cancel(client_order_id)
