import threading
from typing import Annotated, ClassVar

import numpy as np
import pytest
from msgspec import Meta

from desk import strategy
from desk.model.bars import Bar
from desk.model.errors import BadInput, StrategyError
from desk.model.notices import TradingStatus
from desk.model.ticks import Quote, Trade
from desk.model.units import MINUTE_NS, SECOND_NS
from desk.testing import START_NS, MarketRow, StrategyHarness, bar, market, past_days


class Recorder(strategy.Strategy):
    """Keeps every hook call."""

    class Params(strategy.Params, frozen=True):
        size: Annotated[int, Meta(ge=1)] = 10

    params: Params

    def __init__(self, params: Params) -> None:
        super().__init__(params)
        self.calls: list[tuple[str, object]] = []

    def on_second(self, ctx: strategy.Context) -> None:
        self.calls.append(("second", (ctx.now_ns - START_NS) // SECOND_NS))

    def on_bar(self, ctx: strategy.Context, bar: Bar) -> None:
        self.calls.append(("bar", (bar.open, bar.high, bar.low, bar.close, bar.volume)))

    def on_trade(self, ctx: strategy.Context, trade: Trade) -> None:
        self.calls.append(("trade", trade.price))

    def on_quote(self, ctx: strategy.Context, quote: Quote) -> None:
        self.calls.append(("quote", quote.bid))

    def on_fill(self, ctx: strategy.Context, fill: strategy.Fill) -> None:
        self.calls.append(("fill", (fill.quantity, fill.done)))

    def on_gap(self, ctx: strategy.Context, gap: strategy.Gap) -> None:
        self.calls.append(("gap", (gap.to_ns - gap.from_ns, gap.is_open)))


class Halting(strategy.Strategy):
    """Keeps every status, with what the context says."""

    def __init__(self, params: strategy.Params) -> None:
        super().__init__(params)
        self.seen: list[tuple[str, bool, float | None]] = []

    def on_status(self, ctx: strategy.Context, status: TradingStatus) -> None:
        self.seen.append((status.message, ctx.halted, None if ctx.bands is None else ctx.bands.up))


def test_a_halt_and_price_bands_are_played() -> None:
    run = StrategyHarness(Halting)

    run.bands(9.5, 10.5)
    run.status("P", "pause", reason_code="LUDP")
    run.restart()
    halted = run.context.halted
    run.status("T", "resumed")

    assert halted
    assert run.strategy.seen == [("pause", True, 10.5), ("resumed", False, None)]
    assert run.context.bands is None


class Failing(strategy.Strategy):
    def on_trade(self, ctx: strategy.Context, trade: Trade) -> None:
        raise ZeroDivisionError("no size")


class Locked(strategy.Strategy):
    """Has state that does not pickle once it has seen a trade."""

    def on_trade(self, ctx: strategy.Context, trade: Trade) -> None:
        self.lock = threading.Lock()


class Misspelt(strategy.Strategy):
    def on_tick(self, ctx: strategy.Context, trade: Trade) -> None: ...


def test_every_hook_is_called_in_the_order_played() -> None:
    run = StrategyHarness(Recorder)

    run.trade(10.0)
    run.quote(9.0, 11.0)
    run.advance(2)
    run.context.buy(5.0)
    run.fill(10.0, quantity=2.0)
    run.fill(10.0)
    run.gap(2, is_open=True)

    assert run.strategy.calls == [
        ("trade", 10.0),
        ("quote", 9.0),
        ("second", 1),
        ("second", 2),
        ("fill", (2.0, False)),
        ("fill", (3.0, True)),
        ("gap", (2 * SECOND_NS, True)),
    ]


def test_a_minute_gives_the_bar_that_was_named_and_its_seconds() -> None:
    run = StrategyHarness(Recorder)

    run.minute(10.5, open=10.0, high=11.0, low=9.0, volume=800.0)

    assert ("bar", (10.0, 11.0, 9.0, 10.5, 800.0)) in run.strategy.calls
    assert [at for kind, at in run.strategy.calls if kind == "second"] == list(range(1, 62))
    assert run.context.bars.close.tolist() == [10.5]
    assert run.context.price == 10.5


def test_orders_and_cancels_are_collected_and_end_as_the_test_says() -> None:
    run = StrategyHarness(Recorder)
    first = run.context.buy(5.0, limit=9.5, tif="gtc")
    second = run.context.sell(3.0)
    run.context.cancel(first)

    run.end_order("canceled", order=first)

    assert run.decisions == [("buy", 5.0), ("sell", 3.0)]
    assert (run.sent[0].kind, run.sent[0].limit_price, run.sent[0].tif) == ("limit", 9.5, "gtc")
    assert run.cancels == [first]
    assert run.context.open_orders == (second,)


def test_a_strategy_may_begin_with_bars_and_a_position() -> None:
    earlier = [bar(minute, 10.0 + minute) for minute in range(3)]

    run = StrategyHarness(Recorder, bars=earlier, position=strategy.Position(7.0, 9.0))

    assert run.context.bars.close.tolist() == [10.0, 11.0, 12.0]
    assert run.context.warm
    assert run.context.now_ns == START_NS + 3 * MINUTE_NS + SECOND_NS
    assert run.context.close() is not None
    assert run.decisions == [("sell", 7.0)]


class Daily(strategy.Strategy):
    """Keeps the closes of the days before, and of the bars that it gets."""

    history: ClassVar = {"1d": 3}

    def __init__(self, params: strategy.Params) -> None:
        super().__init__(params)
        self.bars: list[tuple[str, float]] = []
        self.days: list[float] = []

    def on_second(self, ctx: strategy.Context) -> None:
        self.days = ctx.bars_of("1d").close.tolist()

    def on_bar(self, ctx: strategy.Context, bar: Bar) -> None:
        self.bars.append((bar.timeframe, bar.close))


def test_a_strategy_gets_longer_bars_and_the_history_that_it_declares() -> None:
    run = StrategyHarness(Daily, on_bar=("1m", "5m"), history={"1d": past_days([9.0, 10.0, 11.0, 12.0])})

    for close in range(1, 7):
        run.minute(float(close))
    run.restart()
    run.advance(390 * 60)

    minutes = [("1m", float(close)) for close in range(1, 7)]
    assert run.strategy.bars == [*minutes[:5], ("5m", 5.0), minutes[5], ("5m", 6.0)]
    assert run.strategy.days == [10.0, 11.0, 12.0, 6.0]
    assert run.context.warm


def test_a_strategy_without_the_history_that_it_declares_is_not_warm() -> None:
    run = StrategyHarness(Daily)

    run.minute(10.0)

    assert not run.context.warm
    assert run.strategy.days == []


def test_without_warm_the_sessions_start_is_not_known() -> None:
    assert not StrategyHarness(Recorder, warm=False).context.warm
    assert StrategyHarness(Recorder).context.warm


def test_old_and_degraded_data_are_seen_from_the_next_second_on() -> None:
    run = StrategyHarness(Recorder)
    run.degraded, run.age_s = True, 12.0
    before = run.context.degraded, run.context.age_ns

    run.advance()

    assert before == (False, 0)
    assert (run.context.degraded, run.context.age_ns) == (True, 12 * SECOND_NS)


def test_random_numbers_are_those_of_session_class_and_symbol() -> None:
    drawn = [
        StrategyHarness(Recorder, session=session, symbol=symbol).context.rng.random()
        for session, symbol in (("a", "X"), ("a", "X"), ("b", "X"), ("a", "Y"))
    ]

    assert drawn[0] == drawn[1]
    assert len(set(drawn)) == 3


def test_a_restart_keeps_state_bars_orders_position_and_prices() -> None:
    run = StrategyHarness(Recorder, {"size": 3})
    run.minute(10.0)
    run.context.buy(5.0)
    run.fill(10.0, quantity=2.0)
    before = run.strategy, list(run.strategy.calls), run.context.position, run.context.open_orders

    run.restart()
    run.restart()

    assert run.strategy is not before[0]
    assert (run.strategy.calls, run.context.position, run.context.open_orders) == before[1:]
    assert run.strategy.params.size == 3
    assert run.context.bars.close.tolist() == [10.0]
    assert run.context.price == 10.0
    run.fill(10.0)
    assert run.context.position.quantity == 5.0
    assert run.decisions == [("buy", 5.0)]


def test_what_a_hook_raises_is_raised_with_its_traceback() -> None:
    run = StrategyHarness(Failing)

    with pytest.raises(StrategyError, match=r"Failing\.on_trade on SPY: (?s:.*)no size(?s:.*)test_testing\.py"):
        run.trade(10.0)


def test_state_that_does_not_pickle_is_named_at_a_restart() -> None:
    run = StrategyHarness(Locked)
    run.trade(10.0)

    with pytest.raises(StrategyError, match=r"`Locked\.lock` .* does not pickle"):
        run.restart()


def test_a_restart_before_the_first_second_is_one_too() -> None:
    run = StrategyHarness(Recorder)

    run.restart()
    run.trade(10.0)

    assert run.strategy.calls == [("trade", 10.0)]


def test_what_the_desk_would_refuse_is_refused() -> None:
    with pytest.raises(StrategyError, match="on_tick"):
        StrategyHarness(Misspelt)
    with pytest.raises(StrategyError, match="size"):
        StrategyHarness(Recorder, {"size": 0})


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"bars": [bar(0, 10.0, symbol="QQQ")]}, "another symbol"),
        ({"bars": [bar(1, 10.0), bar(0, 10.0)]}, "out of order"),
        ({"bars": [bar(-1, 10.0)]}, "out of order"),
        ({"bars": [bar(0, 10.0)], "warm": False}, "without warm"),
        ({"start_ns": START_NS + 1}, "whole second"),
    ],
)
def test_beginnings_that_cannot_be_are_refused(changes: dict[str, object], found: str) -> None:
    with pytest.raises(BadInput, match=found):
        StrategyHarness(Recorder, **changes)  # type: ignore[arg-type]  # by name


def test_fills_and_ends_that_cannot_be_are_refused() -> None:
    run = StrategyHarness(Recorder)
    with pytest.raises(BadInput, match="no order is open"):
        run.fill(10.0)
    order = run.context.buy(5.0)

    for price, quantity in ((10.0, 6.0), (10.0, 0.0), (0.0, 5.0), (float("nan"), 5.0)):
        with pytest.raises(BadInput):
            run.fill(price, quantity)
    with pytest.raises(BadInput, match="'filled'"):
        run.end_order("filled")
    with pytest.raises(BadInput, match="'other' is not open"):
        run.end_order(order="other")
    run.fill(10.0)
    with pytest.raises(BadInput, match="is not open"):
        run.fill(10.0, order=order)


def test_minutes_and_seconds_that_cannot_be_are_refused() -> None:
    run = StrategyHarness(Recorder)

    with pytest.raises(BadInput, match="low ≤ open"):
        run.minute(10.0, high=9.0)
    with pytest.raises(BadInput, match="whole number"):
        run.advance(0)


def test_a_market_is_sorted_filled_up_and_read_only() -> None:
    rows = [
        MarketRow(symbol="B", price=20.0, open=19.0, minute_volume=[1.0, 2.0], minute_close=[19.0, 20.0]),
        MarketRow(symbol="A", trades=0, minute_volume=[5.0]),
    ]

    snapshot = market(rows, now_ns=7)

    assert (snapshot.now_ns, snapshot.symbols) == (7, ("A", "B"))
    assert np.isnan(snapshot.price[0])
    assert (snapshot.price[1], snapshot.open[1], snapshot.high[1]) == (20.0, 19.0, 20.0)
    assert snapshot.minute_volume.tolist() == [[0.0, 1.0], [5.0, 2.0]]
    assert snapshot.volume.tolist() == [5.0, 3.0]
    assert np.isnan(snapshot.minute_close[:, 0]).all()
    with pytest.raises(ValueError, match="read-only"):
        snapshot.price[0] = 1.0


def test_markets_that_cannot_be_are_refused() -> None:
    with pytest.raises(BadInput, match="a symbol twice: A, A"):
        market([MarketRow(symbol="A"), MarketRow(symbol="A")])
    with pytest.raises(BadInput, match="61 minutes"):
        market([MarketRow(symbol="A", minute_volume=[1.0] * 61)])
