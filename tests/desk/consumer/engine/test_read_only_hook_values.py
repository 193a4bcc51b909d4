"""Values passed to hooks are read-only: a change stops the strategy, and the next strategy sees the original."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from engine_parts import (
    NO_PARAMS,
    QueuedEngine,
    RecordingStrategy,
    a_fill,
    a_quote,
    a_trade,
    a_watch,
    an_engine,
    an_entry,
    intents_of,
    marks,
    strategy_of,
)

from desk import strategy
from desk.model.items import GapItem

HOOKS = ("on_second", "on_bar", "on_trade", "on_quote", "on_fill", "on_gap")
COLUMNS = ("minute_ns", "open", "high", "low", "close", "volume", "vwap", "trades", "flags")
FIELDS = {
    "on_bar": ("symbol", "minute_ns", "open", "high", "low", "close", "volume", "notional", "trades", "flags"),
    "on_trade": ("ordinal", "symbol", "ts_ns", "received_ns", "price", "size", "conditions", "exchange", "trade_id"),
    "on_quote": ("ordinal", "symbol", "ts_ns", "received_ns", "bid", "bid_size", "ask", "ask_size", "exchange"),
    "on_fill": ("client_order_id", "side", "quantity", "price", "fee", "ts_ns", "done"),
    "on_gap": ("from_ns", "to_ns", "why"),
}
OF_CONTEXT = (
    *(
        "symbol",
        "now_ns",
        "session_start_ns",
        "age_ns",
        "degraded",
        "warm",
        "bars",
        "bars_of",
        "trade",
        "quote",
        "position",
    ),
    *("rng", "open_orders", "buy", "sell", "close", "cancel", "orders", "number", "closing", "wanted", "stopped"),
    *("strategy", "entry", "crumb", "anything", "_of", "__class__"),
)
ON_ARRAYS: dict[str, Callable[[Any], object]] = {
    "item": lambda array: array.__setitem__(-1, 0),
    "slice": lambda array: array.__setitem__(slice(None), 0),
    "in place": lambda array: array.__iadd__(1),
    "out": lambda array: np.multiply(array, 2, out=array),
    "sort": lambda array: array.sort(),
    "fill": lambda array: array.fill(0),
    "put": lambda array: array.put([0], [0]),
    "copyto": lambda array: np.copyto(array, 0),
    "flags": lambda array: setattr(array.flags, "writeable", True),
    "setflags": lambda array: array.setflags(write=True),
    "flags of a view": lambda array: array[:].setflags(write=True),
    "flags of the base": lambda array: array.base.setflags(write=True),
    "item of the base": lambda array: array.base.__setitem__(0, 0),
    "resize": lambda array: array.resize(1),
    "byteswap": lambda array: array.byteswap(inplace=True),
    "partition": lambda array: array.partition(0),
    "memory": lambda array: memoryview(array).cast("B").__setitem__(0, 1),
}


class Meddler(strategy.Strategy):
    """Tries something with what one hook is handed."""

    def __init__(self, hook: str, attempt: Callable[[Any, Any], object]) -> None:
        super().__init__(NO_PARAMS)

        def tried(ctx: Any, handed: Any = None) -> None:
            # The strategy has to hold something for on_fill.
            attempt(ctx, handed)

        setattr(self, hook, tried)
        if hook != "on_second":
            self.on_second = self._buy_once
        self.bought = False

    def _buy_once(self, ctx: strategy.Context) -> None:
        if not self.bought:
            self.bought = True
            ctx.buy(5.0)


class Reader(RecordingStrategy):
    """Writes down the values that it is shown."""

    def on_second(self, ctx: strategy.Context) -> None:
        columns = [getattr(ctx.bars, name).tolist() for name in COLUMNS]
        self.seen.append(("columns", len(ctx.bars), columns))
        self.seen.append(("ticks", repr(ctx.trade), repr(ctx.quote)))
        self.seen.append(("own", ctx.now_ns, ctx.symbol, ctx.open_orders, ctx.position, ctx.degraded, ctx.warm))

    def on_bar(self, ctx: strategy.Context, bar: Any) -> None:
        self.seen.append(("bar", repr(bar)))

    def on_trade(self, ctx: strategy.Context, trade: Any) -> None:
        self.seen.append(("trade", repr(trade)))

    def on_quote(self, ctx: strategy.Context, quote: Any) -> None:
        self.seen.append(("quote", repr(quote)))

    def on_gap(self, ctx: strategy.Context, gap: Any) -> None:
        self.seen.append(("gap", repr(gap)))


def played(hook: str, attempt: Callable[[Any, Any], object]) -> QueuedEngine:
    """A few minutes in which every hook runs, first the meddler's, then the reader's."""
    engine = an_engine(an_entry(lambda: Meddler(hook, attempt), "meddler"), an_entry(Reader, "reader"))
    engine.apply([a_watch(), a_trade(1, 1), a_quote(2, 1), *marks(1, 62)])
    for number, intent in enumerate(intents_of(engine), 1):
        engine.apply([a_fill(intent, number)])
    engine.apply(
        [a_trade(3, 63, price=12.0), GapItem(0, 1, "a test"), *marks(63, 125), a_quote(4, 125), *marks(126, 127)]
    )
    return engine


def seen_with(hook: str, attempt: Callable[[Any, Any], object]) -> tuple[list[Any], list[str]]:
    """What the reader saw, and why the meddler was stopped."""
    engine = played(hook, attempt)
    stopped = [f"{fault.strategy} {fault.symbol} {fault.hook}" for fault in engine.audit.stopped]
    return strategy_of(engine, name="reader").seen, stopped


@pytest.fixture(scope="module")
def unmeddled() -> list[Any]:
    seen, stopped = seen_with("on_second", lambda ctx, _: ctx.now_ns)
    assert stopped == []
    return seen


def setting(name: str) -> Callable[[Any, Any], object]:
    return lambda _, handed: setattr(handed, name, getattr(handed, name))


@pytest.mark.parametrize(("hook", "name"), [(hook, name) for hook, names in FIELDS.items() for name in names])
def test_assigning_to_what_a_hook_is_given_stops_the_strategy_and_changes_nothing(
    hook: str, name: str, unmeddled: list[Any]
) -> None:
    seen, stopped = seen_with(hook, setting(name))

    assert stopped == [f"meddler A {hook}"]
    assert seen == unmeddled


@pytest.mark.parametrize("hook", [hook for hook in HOOKS if hook in FIELDS])
def test_deleting_from_what_a_hook_is_given_stops_the_strategy(hook: str, unmeddled: list[Any]) -> None:
    seen, stopped = seen_with(hook, lambda _, handed: delattr(handed, FIELDS[hook][0]))

    assert stopped == [f"meddler A {hook}"]
    assert seen == unmeddled


@pytest.mark.parametrize("name", OF_CONTEXT)
def test_nothing_can_be_assigned_to_the_context(name: str, unmeddled: list[Any]) -> None:
    seen, stopped = seen_with("on_second", lambda ctx, _: setattr(ctx, name, None))

    assert stopped == ["meddler A on_second"]
    assert seen == unmeddled


@pytest.mark.parametrize("name", ["symbol", "position", "bars", "_of"])
def test_nothing_can_be_deleted_from_the_context(name: str) -> None:
    _, stopped = seen_with("on_second", lambda ctx, _: delattr(ctx, name))

    assert stopped == ["meddler A on_second"]


@pytest.mark.parametrize("name", ["quantity", "average_price", "realized", "fees"])
def test_the_position_cannot_be_changed(name: str, unmeddled: list[Any]) -> None:
    seen, stopped = seen_with("on_second", lambda ctx, _: setattr(ctx.position, name, 9.0))

    assert stopped == ["meddler A on_second"]
    assert seen == unmeddled


def test_the_open_orders_cannot_be_changed() -> None:
    def forget(ctx: Any, _: Any) -> None:
        order = ctx.buy(1.0)
        ctx.open_orders.remove(order)

    _, stopped = seen_with("on_second", forget)

    assert stopped == ["meddler A on_second"]


def test_the_params_cannot_be_changed() -> None:
    class Sized(strategy.Params, frozen=True):
        shares: float = 1.0

    params: Any = Sized()

    with pytest.raises(AttributeError):
        params.shares = 2.0


@pytest.mark.parametrize("column", COLUMNS)
@pytest.mark.parametrize("attempt", ON_ARRAYS)
def test_the_columns_of_bars_cannot_be_written_to(column: str, attempt: str, unmeddled: list[Any]) -> None:
    def tried(ctx: Any, _: Any) -> None:
        if len(ctx.bars):
            ON_ARRAYS[attempt](getattr(ctx.bars, column))

    seen, stopped = seen_with("on_second", tried)

    assert stopped == ["meddler A on_second"]
    assert seen == unmeddled


@pytest.mark.parametrize("name", [*COLUMNS, "_of", "put", "anything"])
def test_nothing_can_be_assigned_to_the_bars(name: str, unmeddled: list[Any]) -> None:
    seen, stopped = seen_with("on_second", lambda ctx, _: setattr(ctx.bars, name, np.zeros(1)))

    assert stopped == ["meddler A on_second"]
    assert seen == unmeddled


@pytest.mark.parametrize(
    "reshape",
    [lambda array: setattr(array, "dtype", np.int8), lambda array: setattr(array, "shape", (len(array), 1))],
    ids=["type", "shape"],
)
def test_an_array_that_is_given_another_type_or_shape_belongs_to_no_other(
    reshape: Callable[[Any], object], unmeddled: list[Any]
) -> None:
    def tried(ctx: Any, _: Any) -> None:
        for column in COLUMNS:
            reshape(getattr(ctx.bars, column))

    seen, _ = seen_with("on_second", tried)

    assert seen == unmeddled


def test_arrays_that_were_kept_stay_as_they_were() -> None:
    kept: list[Any] = []
    seen_with("on_second", lambda ctx, _: kept.append(ctx.bars.close))

    lengths = [len(array) for array in kept]

    assert lengths == sorted(lengths)
    assert {tuple(array) for array in kept} == {(), (10.0,), (10.0, 12.0)}


def test_a_context_that_is_kept_is_named_when_the_strategy_is_saved() -> None:
    engine = played("on_second", lambda ctx, _: None)
    strategy_of(engine, name="reader").seen.append(engine.symbols["A"].instances[1].context)

    engine.snapshot()

    assert "valid during a hook call only" in engine.audit.stopped[-1].what
