"""One strategy on one symbol: its state, orders and position, and the calls behind its context."""

from random import Random
from typing import Final, Protocol, get_args

from desk.bars.builder import BarBuilder
from desk.bars.longer import LongerBars
from desk.bars.reference_price import Pricing
from desk.bars.series import BarSeries
from desk.bars.session_grid import SessionGrid
from desk.consumer.engine.context import InstanceContext
from desk.consumer.engine.engine_clock import EngineClock
from desk.consumer.engine.order_arguments import plain_text, positive
from desk.consumer.engine.outbox import EngineOutbox
from desk.consumer.engine.strategy_entry import StrategyEntry
from desk.consumer.matching import TradingState
from desk.model.notices import PriceBands
from desk.model.orders import (
    TERMINAL,
    CancelIntent,
    Intent,
    OrderEvent,
    OrderKind,
    Side,
    TimeInForce,
    client_order_id,
    order_number,
)
from desk.model.ticks import Quote, Trade
from desk.model.timeframes import TIMEFRAMES, timeframe_of
from desk.strategy import Fill, Params, Position, Strategy
from desk.telemetry.call_times import Recorders
from desk.trading.positions import after_fill

TIMES_IN_FORCE: Final = get_args(TimeInForce)
AT_REST: Final = Strategy(Params())
"""A strategy without hooks: the placeholder of an instance before its own is built, and after it is stopped."""


class SymbolView(Protocol):
    """The state of a symbol that its instances read."""

    symbol: str
    bars: BarBuilder
    trade: Trade | None
    quote: Quote | None
    pricing: Pricing
    warm: bool
    has_history: bool
    awaits_history: bool
    refused_ns: int | None
    trading: TradingState

    def longer_bars(self, grid: SessionGrid) -> LongerBars:
        """The symbol's bars of longer timeframes."""
        ...


class Instance:
    """A strategy object with its orders and position. `context` is the view that its hooks get.

    `took` are the functions that record a call's duration, by the hook's code.
    """

    __slots__ = (
        "_now",
        "_outbox",
        "_position",
        "_view",
        "closing",
        "context",
        "crumb",
        "entry",
        "number",
        "orders",
        "random_source",
        "stopped",
        "strategy",
        "took",
        "wanted",
    )

    def __init__(
        self,
        entry: StrategyEntry,
        view: SymbolView,
        now: EngineClock,
        outbox: EngineOutbox,
        took: Recorders,
        crumb: int = 0,
    ) -> None:
        self.entry = entry
        self.took = took
        self.context = InstanceContext(self)
        self.crumb = crumb
        self.strategy = AT_REST
        self._position = Position()
        self.number = 0
        self.orders: dict[str, Side] = {}
        self.wanted = False
        self.stopped = False
        self._view = view
        self.closing: str | None = None
        self.random_source: Random | None = None
        self._now = now
        self._outbox = outbox

    def resume(self, position: Position) -> None:
        """Set the position from a checkpoint."""
        self._position = position

    def use_clock(self, now: EngineClock, outbox: EngineOutbox) -> None:
        """Switch to another engine's clock and outbox."""
        self._now = now
        self._outbox = outbox

    def deactivate(self) -> None:
        """Stop all hooks."""
        self.stopped = True
        self.strategy = AT_REST

    @property
    def symbol(self) -> str:
        """The symbol that it trades."""
        return self._view.symbol

    @property
    def position(self) -> Position:
        """The position of the instance."""
        return self._position

    @property
    def active(self) -> bool:
        """Whether its hooks run: it is wanted, or has an open order or position, and its symbol awaits no history."""
        if self.stopped or self._view.awaits_history:
            return False
        return self.wanted or bool(self.orders) or self._position.quantity != 0

    @property
    def bars(self) -> BarSeries:
        """The symbol's closed minutes of this session, after those of before the day that the strategy declares."""
        return self.bars_of("1m") if "1m" in self.entry.history else self._view.bars.series

    def bars_of(self, timeframe: str) -> BarSeries:
        """The symbol's closed bars of a timeframe, after those of before the day that the strategy declares."""
        known = timeframe_of(plain_text(timeframe))
        if known is None:
            raise ValueError(f"bars_of takes one of {', '.join(TIMEFRAMES)}, not {timeframe!r}")
        past = self.entry.history.get(known, 0)
        if known == "1m" and not past:
            return self._view.bars.series
        return self._view.longer_bars(self._now.grid).series(known, self._now.closed_to_ns, past)

    @property
    def trade(self) -> Trade | None:
        """The symbol's last trade."""
        return self._view.trade

    @property
    def quote(self) -> Quote | None:
        """The symbol's last quote."""
        return self._view.quote

    @property
    def price(self) -> float | None:
        """The symbol's reference price."""
        return self._view.pricing.price

    @property
    def warm(self) -> bool:
        """Whether `bars` reach back to the session's start, and the history that the strategy declares is there."""
        view = self._view
        return view.warm and (view.has_history or not self.entry.history)

    @property
    def now_ns(self) -> int:
        """Session time: the last mark's."""
        return self._now.session_ns

    @property
    def session_start_ns(self) -> int:
        """When the session began."""
        return self._now.session_start_ns

    @property
    def age_ns(self) -> int:
        """Age of the data by the last mark, ns; for a symbol that the venue refuses, the time since the refusal."""
        now, refused_ns = self._now, self._view.refused_ns
        return now.age_ns if refused_ns is None else max(now.age_ns, now.session_ns - refused_ns)

    @property
    def degraded(self) -> bool:
        """Whether the data are too old for entries, by the last mark or because the venue refuses the symbol."""
        return self._now.degraded or self._view.refused_ns is not None

    @property
    def halted(self) -> bool:
        """Whether the venue has halted trading in the symbol."""
        return self._view.trading.halted

    @property
    def bands(self) -> PriceBands | None:
        """The symbol's price bands."""
        return self._view.trading.bands

    @property
    def rng(self) -> Random:
        """The random source of this instance alone."""
        if self.random_source is None:
            self.random_source = Random(f"{self._now.session}/{self.entry.name}/{self.symbol}")  # noqa: S311 - a seeded source is the point
        return self.random_source

    @property
    def open_orders(self) -> tuple[str, ...]:
        """Ids of the orders that are not done, oldest first."""
        return tuple(self.orders)

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
        return self._order("buy", quantity, limit, stop, tif, extended_hours)

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
        return self._order("sell", quantity, limit, stop, tif, extended_hours)

    def close(self, *, limit: float | None = None, extended_hours: bool = False) -> str | None:
        """Ask for an order that flattens the position."""
        held = self.position.quantity
        if held == 0:
            return None
        if self.closing not in self.orders:
            side: Side = "sell" if held > 0 else "buy"
            self.closing = self._order(side, abs(held), limit, None, "day", extended_hours)
        return self.closing

    def cancel(self, client_order_id: str) -> None:
        """Ask to cancel the remainder of an order."""
        key = plain_text(client_order_id)
        if key not in self.orders:
            raise ValueError(f"{client_order_id!r} is no open order of {self.entry.name} on {self.symbol}")
        intent = CancelIntent(key, self.entry.name, self.symbol, self._now.session_ns)
        self._outbox.intents.append(intent)

    def recover_order(self, event: OrderEvent) -> None:
        """Record an order placed after the checkpoint from which this instance was restored.

        Its number is not reused: the ledger refuses a second order with the same id.
        """
        number = order_number(event.client_order_id)
        is_first = event.last_order > 0 and event.status == "accepted"
        if number > self.number or is_first:
            self.orders[event.client_order_id] = event.side
        self.number = max(self.number, number, event.last_order)

    def on_event(self, event: OrderEvent) -> Fill | None:
        """Apply one event of one of its orders; returns the fill, if the event is one."""
        done = event.status in TERMINAL
        if done:
            self.orders.pop(event.client_order_id, None)
        if event.fill_quantity == 0:
            return None
        self._position = after_fill(self._position, event.side, event.fill_quantity, event.fill_price, event.fee)
        return Fill(
            event.client_order_id, event.side, event.fill_quantity, event.fill_price, event.fee, event.ts_ns, done
        )

    def _order(
        self,
        side: Side,
        quantity: float,
        limit: float | None,
        stop: float | None,
        tif: TimeInForce,
        extended_hours: bool,
    ) -> str:
        quantity = positive("quantity", quantity)
        kind: OrderKind = "market"
        if limit is not None:
            limit = positive("limit", limit)
            kind = "limit"
        if stop is not None:
            stop = positive("stop", stop)
            kind = "stop" if limit is None else "stop_limit"
        plain_tif = next((known for known in TIMES_IN_FORCE if known == plain_text(tif)), None)
        if plain_tif is None:
            raise ValueError(f"tif must be one of {', '.join(TIMES_IN_FORCE)}, not {tif!r}")
        extended_hours = bool(extended_hours)
        if extended_hours and (kind != "limit" or plain_tif == "ioc"):
            raise ValueError(
                f"extended_hours is for limit orders with tif day or gtc, not a {kind} order with tif {plain_tif}"
            )
        now = self._now
        self.number += 1
        intent = Intent(
            client_order_id(now.session, self.entry.name, self.symbol, self.number),
            self.entry.name,
            self.symbol,
            self.number,
            side,
            quantity,
            now.session_ns,
            self.age_ns,
            self.degraded,
            self.price or 0.0,
            kind,
            limit,
            stop,
            plain_tif,
            extended_hours,
            self.halted,
        )
        self._outbox.intents.append(intent)
        self.orders[intent.client_order_id] = side
        return intent.client_order_id
