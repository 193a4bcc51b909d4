"""Builders of engines, items and order events, and strategies that record their calls."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

from desk import strategy
from desk.consumer.engine import Engine, EngineConfig, Outcome, StrategyEntry
from desk.model.bars import Bar
from desk.model.checkpoint import NO_TRADES, LoggedTrades
from desk.model.items import Item, Mark, Watch
from desk.model.orders import Intent, OrderEvent, Request
from desk.model.records import Decision
from desk.model.ticks import Quote, Trade
from desk.model.units import MINUTE_NS, SECOND_NS

START_NS = 1_000 * MINUTE_NS
NO_PARAMS = strategy.Params()


class TradeLog(dict[str, LoggedTrades]):
    """The remembered trades of an engine's checkpoints, appended by symbol as the keeper does."""

    def take(self, trades: dict[str, LoggedTrades]) -> None:
        for symbol, more in trades.items():
            before = self.get(symbol, NO_TRADES)
            self[symbol] = LoggedTrades(before.count + more.count, before.entries + more.entries)


class QueuedEngine(Engine):
    """An engine with its pending outcome, which a shard holds outside tests."""

    def __init__(self, *settings: Any) -> None:
        super().__init__(*settings)
        self.pending = Outcome()
        self._unsaved = TradeLog()

    def apply(self, items: Iterable[Item], pending: Outcome | None = None) -> Outcome:
        self.pending = super().apply(items, pending or self.pending)
        return self.pending

    def restore(
        self, snapshot: bytes, closed_bars: Iterable[Bar], trades: Mapping[str, LoggedTrades] | None = None
    ) -> Outcome:
        self.pending = super().restore(snapshot, closed_bars, trades)
        return self.pending

    def take_request(self) -> Request:
        """The request for the broker, with the orders that a test placed by an instance's methods."""
        return self.apply([]).take_request(self.prices(), self.mark_ns)

    def take_bars(self) -> list[Bar]:
        return self.pending.take_bars()

    def snapshot(self) -> bytes:
        made = self.checkpoint(self.pending)
        self._unsaved.take(made.trades)
        return made.state

    def take_trades(self) -> dict[str, LoggedTrades]:
        """The remembered trades of the snapshots since the last call."""
        taken, self._unsaved = self._unsaved, TradeLog()
        return taken


class Stopwatch:
    """A timer in ns that only the test advances."""

    def __init__(self) -> None:
        self.now_ns = 0

    def __call__(self) -> int:
        return self.now_ns


class RecordingStrategy(strategy.Strategy):
    """Records every hook call in `seen`."""

    def __init__(self, params: strategy.Params = NO_PARAMS) -> None:
        super().__init__(params)
        self.seen: list[tuple[Any, ...]] = []

    def on_second(self, ctx: strategy.Context) -> None:
        self.seen.append(("second", ctx.now_ns))

    def on_bar(self, ctx: strategy.Context, bar: Bar) -> None:
        self.seen.append(("bar", bar.minute_ns, bar.close))

    def on_trade(self, ctx: strategy.Context, trade: Trade) -> None:
        self.seen.append(("trade", trade.ordinal))

    def on_quote(self, ctx: strategy.Context, quote: Quote) -> None:
        self.seen.append(("quote", quote.ordinal))

    def on_fill(self, ctx: strategy.Context, fill: strategy.Fill) -> None:
        self.seen.append(("fill", fill.quantity, ctx.position.quantity))


class IgnoringLedger:
    """A ledger that discards everything."""

    def record(self, *written: Sequence[object]) -> None: ...

    def decisions(self) -> list[Decision]:
        return []


class CallbackStrategy(strategy.Strategy):
    """Calls the test's function `act` at every second."""

    act: Callable[[strategy.Context], Any] = staticmethod(lambda ctx: None)

    def __init__(self, params: strategy.Params = NO_PARAMS) -> None:
        super().__init__(params)

    def on_second(self, ctx: strategy.Context) -> None:
        self.act(ctx)


def strategy_calling(act: Callable[[strategy.Context], Any]) -> Callable[[], CallbackStrategy]:
    def create() -> CallbackStrategy:
        made = CallbackStrategy()
        made.act = act
        return made

    return create


def an_entry(
    create: Callable[[], strategy.Strategy] = RecordingStrategy, name: str = "s", **more: Any
) -> StrategyEntry:
    return StrategyEntry(name, create, **more)


def an_engine(
    *entries: StrategyEntry,
    stopwatch: Callable[[], int] | None = None,
    never_restored: Collection[tuple[str, str]] = (),
    revise_s: int = 900,
    grace_s: int = 1,
    **more: Any,
) -> QueuedEngine:
    config = EngineConfig("day", START_NS, grace_s * SECOND_NS, revise_s * SECOND_NS, 50_000_000, **more)
    return QueuedEngine(config, entries, stopwatch or Stopwatch(), None, never_restored)


def a_watch(symbol: str = "A", at_s: float = 0, **more: Any) -> Watch:
    return Watch(symbol, at(at_s), **({"scanners": [""]} | more))


def at(seconds: float) -> int:
    return START_NS + round(seconds * SECOND_NS)


def mark(seconds: float, **more: Any) -> Mark:
    return Mark(at(seconds), 0, **more)


def marks(first: int, last: int) -> list[Mark]:
    return [mark(second) for second in range(first, last + 1)]


def a_trade(ordinal: int, seconds: float, price: float = 10.0, symbol: str = "A", size: float = 100.0) -> Trade:
    return Trade(ordinal, symbol, at(seconds), 0, price, size)


def a_quote(ordinal: int, seconds: float = 0.0, symbol: str = "A", bid: float = 9.0, ask: float = 11.0) -> Quote:
    return Quote(ordinal, symbol, at(seconds), 0, bid, 500.0, ask, 500.0)


def an_event(intent: Intent, number: int, status: Any = "accepted", **more: Any) -> OrderEvent:
    return OrderEvent(
        number,
        intent.symbol,
        intent.strategy,
        intent.client_order_id,
        status,
        intent.side,
        intent.kind,
        intent.tif,
        intent.quantity,
        intent.decision_ns,
        **more,
    )


def a_fill(intent: Intent, number: int, price: float = 10.0, **more: Any) -> OrderEvent:
    """The event that fills the whole order."""
    filled = {"filled": intent.quantity, "fill_quantity": intent.quantity, "fill_price": price}
    return an_event(intent, number, "filled", **(filled | more))


def strategy_of(engine: Engine, symbol: str = "A", name: str = "s") -> Any:
    return instance_of(engine, symbol, name).strategy


def instance_of(engine: Engine, symbol: str = "A", name: str = "s") -> Any:
    return next(instance for instance in engine.symbols[symbol].instances if instance.entry.name == name)


def kinds(seen: Iterable[tuple[Any, ...]]) -> list[str]:
    return [str(kind) for kind, *_ in seen]


def intents_of(engine: QueuedEngine) -> list[Intent]:
    return [intent for intent in engine.take_request().intents if isinstance(intent, Intent)]
