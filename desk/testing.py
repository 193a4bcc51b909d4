"""Run a strategy or a scanner in a test, without a feed, a broker or Ray.

`StrategyHarness` runs one strategy on one symbol in the desk's own engine: hooks, bars, prices, positions and the
pickling of state are those of a run. The test plays the market and the venue:

    run = StrategyHarness(Template, Template.Params(minutes=3))
    for close in (10.0, 10.0, 11.0):
        run.minute(close)
    run.fill(11.0)

    assert run.decisions == [("buy", 10.0)]
    assert run.context.position.quantity == 10.0

`market` makes the snapshot that a scanner's `scan` takes.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, Generic, TypeVar, cast

from desk.consumer.engine import Engine, EngineConfig, StrategyEntry
from desk.consumer.engine.instance import Instance
from desk.flow.routing_table import SLOTS
from desk.loading.declared_history import check_bars, read_history
from desk.loading.factory import StrategyFactory
from desk.loading.hooks import check_hooks
from desk.loading.params import read_params
from desk.loading.pickling import check_pickles
from desk.model.bars import Bar, BarFlag
from desk.model.errors import BadInput, StrategyError
from desk.model.hours import TradingDay
from desk.model.items import Adopt, GapItem, History, Item, Mark, Release, Watch, encode_items
from desk.model.notices import PriceBands, TradingStatus
from desk.model.orders import TERMINAL, CancelIntent, Intent, OrderEvent, OrderStatus, Side
from desk.model.ticks import Quote, Trade
from desk.model.timeframes import Timeframe
from desk.model.units import DAY_NS, MINUTE_NS, SECOND_NS, floor_to
from desk.scanning.market_rows import MarketRow, market
from desk.strategy import Context, Params, Position, Strategy

__all__ = ["START_NS", "SYMBOL", "MarketRow", "StrategyHarness", "bar", "market", "past_days"]

S = TypeVar("S", bound=Strategy)

START_NS: Final = 1_381_152_600 * SECOND_NS
"""The session's start unless a test names another: 2013-10-07, 09:30 in New York."""
SYMBOL: Final = "SPY"
GRACE_NS: Final = SECOND_NS
"""A minute's bar is closed so long after the minute's end: `[bars] grace_s` by default."""
REVISE_NS: Final = 900 * SECOND_NS
DAY_MINUTES: Final = 390
"""The regular hours of the harness's exchange day, from the session's start; five hours before and four after them are
extended hours."""


class StrategyHarness(Generic[S]):
    """One strategy on one symbol, in a real engine, with a market and a venue that the test plays.

    Time moves by `advance` and `minute` alone. Nothing is filled, canceled or expires unless the test says so, and no
    risk gate refuses an order. `sent` are the orders sent so far, `cancels` the ids of those taken back, oldest first.
    `degraded` and `age_s` are what `ctx.degraded` and `ctx.age_ns` become with the next second.

    `params` are an instance of the class's `Params`, or a mapping that is checked as a plan's table is. `bars` are the
    session's earlier minutes (see `bar`): the strategy begins one second after the last of them. Without `warm` it
    begins a minute after the session's start and knows nothing of that minute. `session` and the class's name are parts
    of order ids, and seed `ctx.rng` together with the symbol.

    `on_bar` are the timeframes of the bars that come to on_bar, as `bars` in a plan. `history` are the bars of before
    the exchange day by timeframe (see `past_days`); without it `ctx.warm` is false for a class that declares some. The
    exchange day opens at `start_ns` and closes 390 minutes later.

    Raises StrategyError for a class or params that `desk check` would refuse, and when the strategy raises in a hook,
    with the traceback. Raises BadInput for what cannot happen in a run, as a fill of an order that is not open.
    """

    def __init__(
        self,
        strategy: type[S],
        params: Params | Mapping[str, object] | None = None,
        *,
        symbol: str = SYMBOL,
        start_ns: int = START_NS,
        session: str = "test",
        bars: Sequence[Bar] = (),
        warm: bool = True,
        position: Position | None = None,
        on_bar: Sequence[Timeframe] = ("1m",),
        history: Mapping[Timeframe, Sequence[Bar]] | None = None,
    ) -> None:
        place = f"StrategyHarness({strategy.__name__})"
        _check_history(place, symbol, start_ns, bars, warm=warm)
        read = params if isinstance(params, Params) else read_params(strategy, params or {}, place)
        self.degraded = False
        self.age_s = 0.0
        self._symbol = symbol
        self._sent: list[Intent] = []
        self._cancels: list[str] = []
        self._filled: dict[str, float] = {}
        self._ordinal = self._events = self._moves = 0
        check_bars(strategy, tuple(on_bar), place)
        create, needs = StrategyFactory(strategy, read).create, read_history(strategy, place)
        self._entry = StrategyEntry(strategy.__name__, create, bars=tuple(on_bar), history=needs)
        self._config = EngineConfig(session, start_ns, GRACE_NS, REVISE_NS, 0, hours=_hours(start_ns))
        self._engine = self._new_engine()
        self._now_ns = start_ns
        self._last: Mark | None = None
        if bars:
            self._mark(bars[-1].minute_ns + MINUTE_NS + GRACE_NS)
        elif not warm:
            self._mark(start_ns + MINUTE_NS)
        if history is not None:
            past = {timeframe: list(rows) for timeframe, rows in history.items()}
            self._apply(History(symbol, self._now_ns, past, warm))
        whole = warm and not bars
        self._apply(Watch(symbol, self._now_ns, [""], warm=bool(bars), bars=list(bars), first=whole))
        check_hooks(self.strategy, place)
        if position is not None:
            self._instance.resume(position)

    @property
    def strategy(self) -> S:
        """The instance of the strategy: another one after every `restart`."""
        return cast("S", self._instance.strategy)

    @property
    def context(self) -> Context:
        """The context of the strategy's hooks. Orders sent by it are the strategy's own."""
        return self._instance.context

    @property
    def now_ns(self) -> int:
        """Session time: that of the last second played. The next ticks bear it as the venue's time."""
        return self._now_ns

    @property
    def sent(self) -> list[Intent]:
        """The orders that the strategy sent, oldest first: side, quantity, kind, limit_price, stop_price, tif."""
        self._apply()
        return list(self._sent)

    @property
    def cancels(self) -> list[str]:
        """Ids of the orders that the strategy took back, oldest first."""
        self._apply()
        return list(self._cancels)

    @property
    def decisions(self) -> list[tuple[Side, float]]:
        """(side, quantity) of every order sent, oldest first."""
        return [(order.side, order.quantity) for order in self.sent]

    def trade(self, price: float, size: float = 100.0, **more: Any) -> Trade:
        """A trade now; `more` are further fields of `desk.model.ticks.Trade`, as conditions or trade_id."""
        self._ordinal += 1
        trade = Trade(self._ordinal, self._symbol, self._now_ns, self._now_ns, price, size, **more)
        self._apply(trade)
        return trade

    def quote(self, bid: float, ask: float, bid_size: float = 100.0, ask_size: float = 100.0) -> Quote:
        """A quote now. Sizes in shares."""
        self._ordinal += 1
        quote = Quote(self._ordinal, self._symbol, self._now_ns, self._now_ns, bid, bid_size, ask, ask_size)
        self._apply(quote)
        return quote

    def status(self, code: str, message: str = "", **more: Any) -> TradingStatus:
        """The venue reports a trading status now: "H" and "P" halt the symbol, "T" resumes it; on_status is called."""
        self._ordinal += 1
        status = TradingStatus(self._ordinal, self._symbol, self._now_ns, self._now_ns, code, message, **more)
        self._apply(status)
        return status

    def bands(self, down: float, up: float) -> PriceBands:
        """The venue reports the price bands of limit up, limit down now."""
        self._ordinal += 1
        bands = PriceBands(self._ordinal, self._symbol, self._now_ns, self._now_ns, down, up)
        self._apply(bands)
        return bands

    def advance(self, seconds: int = 1) -> None:
        """Complete so many seconds: at each of them minutes are closed that are over, and on_second is called."""
        if seconds < 1 or seconds != int(seconds):
            raise BadInput("StrategyHarness.advance", f"{seconds!r} seconds", "a whole number from 1")
        for _ in range(int(seconds)):
            self._mark(self._now_ns + SECOND_NS)

    def minute(
        self,
        close: float,
        *,
        open: float | None = None,  # noqa: A002 - the field's name
        high: float | None = None,
        low: float | None = None,
        volume: float = 400.0,
    ) -> None:
        """Play the minute under way to its end, and the second after it, when its bar is closed.

        Its bar comes of four trades now, each of a quarter of the volume: at open, low, high and close. Without them
        open is `close`, and high and low are the outer ones of open and close.
        """
        first = close if open is None else open
        lowest = min(first, close) if low is None else low
        highest = max(first, close) if high is None else high
        if not lowest <= min(first, close) <= max(first, close) <= highest:
            found = f"open {first}, high {highest}, low {lowest}, close {close}"
            raise BadInput("StrategyHarness.minute", found, "low ≤ open, close ≤ high")
        for price in (first, lowest, highest, close):
            self.trade(price, volume / 4)
        end_ns = floor_to(self._now_ns, MINUTE_NS) + MINUTE_NS + GRACE_NS
        self.advance((end_ns - self._now_ns) // SECOND_NS)

    def gap(self, seconds: int, why: str = "the feed was down", *, is_open: bool = False) -> None:
        """Ticks of the last so many seconds are missing: on_gap is called; with `is_open` the feed is still down."""
        self._apply(
            GapItem(self._now_ns - seconds * SECOND_NS, self._now_ns, why, symbols=[self._symbol], is_open=is_open)
        )

    def fill(self, price: float, quantity: float | None = None, *, order: str | None = None, fee: float = 0.0) -> None:
        """The venue fills an order, in whole or with `quantity` in part: the oldest open one, or the one of this id."""
        place = "StrategyHarness.fill"
        intent = self._open_order(place, order)
        filled = self._filled.get(intent.client_order_id, 0.0)
        left = intent.quantity - filled
        quantity = left if quantity is None else quantity
        if not 0 < quantity <= left:
            raise BadInput(place, f"{quantity!r} of {intent.client_order_id}", f"a quantity above 0, at most {left}")
        if not 0 < price < float("inf"):
            raise BadInput(place, f"a price of {price!r}", "a positive finite number")
        self._filled[intent.client_order_id] = filled + quantity
        status: OrderStatus = "filled" if quantity == left else "partially_filled"
        self._event(intent, status, filled + quantity, fill_quantity=quantity, fill_price=price, fee=fee)

    def end_order(self, status: OrderStatus = "canceled", *, order: str | None = None, reason: str = "") -> None:
        """An order ends without being filled further: canceled, expired, rejected (venue) or refused (risk gate)."""
        place = "StrategyHarness.end_order"
        if status not in TERMINAL or status == "filled":
            raise BadInput(place, f"{status!r}", ", ".join(sorted(TERMINAL - {"filled"})), "Use `fill` for fills.")
        intent = self._open_order(place, order)
        self._event(intent, status, self._filled.get(intent.client_order_id, 0.0), reason=reason)

    def restart(self) -> None:
        """Continue in a fresh engine from the pickled state, as after a restart or a move to another process.

        Raises StrategyError for state that does not pickle.
        """
        check_pickles(self.strategy, f"StrategyHarness({self._entry.name})")
        self._apply()
        self._moves += 1
        slots = list(range(SLOTS))
        self._apply(Release(self._moves, slots, 1))
        state = self._engine.released[self._moves].state
        self._engine = self._new_engine()
        if self._last is not None:
            self._apply(self._last)
        self._apply(Adopt(self._moves, slots, state, encode_items([])))

    @property
    def _instance(self) -> Instance:
        return self._engine.symbols[self._symbol].instances[0]

    def _new_engine(self) -> Engine:
        return Engine(self._config, [self._entry], lambda: 0)

    def _mark(self, session_ns: int) -> None:
        self._now_ns = session_ns
        self._last = Mark(session_ns, session_ns, round(self.age_s * SECOND_NS), degraded=self.degraded)
        self._apply(self._last)

    def _apply(self, *items: Item) -> None:
        """Apply items, and take in what the strategy sent: in them, or by `context` since the last call."""
        for intent in self._engine.apply(items).intents:
            if isinstance(intent, CancelIntent):
                self._cancels.append(intent.client_order_id)
            else:
                self._sent.append(intent)
        for fault in self._engine.audit.stopped:
            place = f"{fault.strategy}.{fault.hook} on {fault.symbol}"
            raise StrategyError(place, f"the strategy was stopped: {fault.what}\n{fault.detail}")

    def _open_order(self, place: str, order: str | None) -> Intent:
        is_open = self.context.open_orders
        wanted = is_open[0] if order is None and is_open else order
        for intent in self.sent:
            if intent.client_order_id == wanted and wanted in is_open:
                return intent
        found = "no order is open" if order is None else f"order {order!r} is not open"
        raise BadInput(place, found, "an open order of the strategy", f"Open are: {', '.join(is_open) or 'none'}.")

    def _event(self, intent: Intent, status: OrderStatus, filled: float, **more: Any) -> None:
        self._events += 1
        self._apply(
            OrderEvent(
                self._events,
                intent.symbol,
                intent.strategy,
                intent.client_order_id,
                status,
                intent.side,
                intent.kind,
                intent.tif,
                intent.quantity,
                self._now_ns,
                filled,
                limit_price=intent.limit_price,
                stop_price=intent.stop_price,
                **more,
            )
        )


def bar(
    minute: int,
    close: float,
    *,
    open: float | None = None,  # noqa: A002 - the field's name
    high: float | None = None,
    low: float | None = None,
    volume: float = 400.0,
    symbol: str = SYMBOL,
    start_ns: int = START_NS,
    flags: BarFlag = "complete",
) -> Bar:
    """The closed minute of this number, from 0 at the session's start; open, high and low are `close` unless given."""
    first = close if open is None else open
    highest = max(first, close) if high is None else high
    lowest = min(first, close) if low is None else low
    begin_ns = floor_to(start_ns, MINUTE_NS) + minute * MINUTE_NS
    close_ns = begin_ns + MINUTE_NS - 1
    return Bar(
        symbol, begin_ns, first, highest, lowest, close, volume, volume * close, 1, begin_ns, 0, close_ns, 0, flags
    )


def past_days(
    closes: Sequence[float], *, volume: float = 1e6, symbol: str = SYMBOL, start_ns: int = START_NS
) -> list[Bar]:
    """Daily bars of the days before the session, oldest first; open, high and low are the close."""
    return [
        bar(-day * DAY_NS // MINUTE_NS, close, volume=volume, symbol=symbol, start_ns=start_ns)
        for day, close in zip(range(len(closes), 0, -1), closes, strict=True)
    ]


def _hours(start_ns: int) -> TradingDay:
    open_ns = floor_to(start_ns, MINUTE_NS)
    close_ns = open_ns + DAY_MINUTES * MINUTE_NS
    return TradingDay(open_ns - 300 * MINUTE_NS, open_ns, close_ns, close_ns + 240 * MINUTE_NS)


def _check_history(place: str, symbol: str, start_ns: int, bars: Sequence[Bar], *, warm: bool) -> None:
    minutes = [each.minute_ns for each in bars]
    if bars and not warm:
        raise BadInput(place, "bars without warm", "one of them", "A strategy that has earlier bars is warm.")
    if start_ns % SECOND_NS:
        raise BadInput(place, f"start_ns = {start_ns}", "a whole second, in ns since the epoch")
    if any(each.symbol != symbol for each in bars):
        raise BadInput(place, "bars of another symbol", f"bars of {symbol}", "Give `bar` the symbol.")
    if minutes != sorted(set(minutes)) or (minutes and minutes[0] < floor_to(start_ns, MINUTE_NS)):
        raise BadInput(place, "bars out of order", "one bar per minute, oldest first, none before start_ns")
