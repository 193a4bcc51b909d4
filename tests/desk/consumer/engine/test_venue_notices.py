"""Halts, price bands and the venue's own bars in a shard."""

from typing import Any

import msgspec
import pytest
from engine_parts import (
    NO_PARAMS,
    QueuedEngine,
    a_fill,
    a_quote,
    a_trade,
    a_watch,
    an_engine,
    an_entry,
    an_event,
    at,
    instance_of,
    intents_of,
    mark,
    marks,
    strategy_of,
)
from test_engine_backfill import a_gap, a_print, history

from desk import strategy
from desk.flow.routing_table import SLOTS
from desk.model.items import (
    Adopt,
    Close,
    GapItem,
    Item,
    LostTrades,
    Release,
    Unwatch,
    encode_items,
)
from desk.model.notices import PriceBands, TradingStatus, VenueBar
from desk.model.records import BarDifference
from desk.model.units import MINUTE_NS
from desk.trading.exposure import Exposure
from desk.trading.risk_gate import RiskGate, rule_of
from desk.trading.risk_limits import RiskLimits


def status(ordinal: int, seconds: float, code: str = "H", symbol: str = "A") -> TradingStatus:
    return TradingStatus(ordinal, symbol, at(seconds), 0, code)


def bands(ordinal: int, seconds: float, down: float = 9.0, up: float = 11.0) -> PriceBands:
    return PriceBands(ordinal, "A", at(seconds), 0, down, up)


def bar(ordinal: int, minute: int = 0, price: float = 10.0, volume: float = 100.0, **more: Any) -> VenueBar:
    """The venue's bar of a minute with one price."""
    return VenueBar(ordinal, "A", at(60 * minute), 0, price, price, price, price, volume, **more)


class StatusRecorder(strategy.Strategy):
    """Records what it sees of halts and bands."""

    def __init__(self, params: strategy.Params = NO_PARAMS) -> None:
        super().__init__(params)
        self.statuses: list[tuple[str, bool]] = []
        self.seconds: list[tuple[bool, float | None]] = []

    def on_status(self, ctx: strategy.Context, status: TradingStatus) -> None:
        self.statuses.append((status.code, ctx.halted))

    def on_second(self, ctx: strategy.Context) -> None:
        self.seconds.append((ctx.halted, None if ctx.bands is None else ctx.bands.up))


def watching() -> QueuedEngine:
    engine = an_engine(an_entry(StatusRecorder))
    engine.apply([a_watch(), mark(1)])
    return engine


def test_strategies_get_every_status_and_see_halts_and_bands() -> None:
    engine = watching()

    engine.apply([bands(1, 1), status(2, 1), status(3, 1, "Q"), mark(2), status(4, 2, "T"), mark(3)])

    seen = strategy_of(engine)
    assert seen.statuses == [("H", True), ("Q", True), ("T", False)]
    assert seen.seconds == [(False, None), (True, 11.0), (False, None)]
    assert engine.audit.notices == 4


def test_a_repeated_notice_counts_once() -> None:
    engine = watching()

    engine.apply([status(2, 1), status(2, 1), bands(1, 1), mark(2)])

    assert strategy_of(engine).statuses == [("H", True)]
    assert (engine.audit.notices, engine.audit.repeated) == (1, 2)


def test_notices_of_unknown_symbols_and_superseded_ones_are_rejected() -> None:
    engine = watching()

    engine.apply([status(1, 1, symbol="B"), status(2, 5), status(3, 4, "T"), bands(4, 6), bands(5, 5)])

    assert engine.audit.notices == 2
    assert engine.audit.rejected_notices == {"unwatched": 1, "superseded": 2}
    assert instance_of(engine).halted


def test_an_entry_in_a_halt_is_refused_by_name_and_an_exit_is_not() -> None:
    engine = watching()
    instance = instance_of(engine)
    engine.apply([a_trade(1, 1)])
    instance.buy(5)
    (bought,) = intents_of(engine)
    engine.apply([a_fill(bought, 1), status(2, 1)])
    instance.buy(5)
    instance.close()
    gate, exposure = RiskGate(RiskLimits()), Exposure()
    exposure.book.fill(("s", "A"), "buy", 5.0, 10.0)

    entry, leaving = intents_of(engine)[-2:]
    refused = gate.judge(entry, exposure)

    assert isinstance(refused, str)
    assert rule_of(refused) == "halted"
    assert not isinstance(gate.judge(leaving, exposure), str)
    assert (bought.halted, entry.halted, leaving.halted) == (False, True, True)


def ordered(engine: QueuedEngine, **more: Any) -> None:
    """A simulated market order of ten shares is accepted."""
    instance_of(engine).buy(10, **more)
    engine.apply([an_event(intents_of(engine)[-1], 1, simulated=True)])


def fills(engine: QueuedEngine) -> list[tuple[str, float]]:
    return [(report.status, report.price) for report in engine.take_request().reports]


def test_an_order_waits_through_the_halt_and_fills_after_it() -> None:
    engine = watching()
    engine.apply([a_quote(1, 1, bid=9.9, ask=10.1), status(2, 1)])
    ordered(engine)

    engine.apply([a_quote(3, 2, bid=9.9, ask=10.1), a_trade(4, 2), mark(3)])
    waited = fills(engine)
    engine.apply([status(5, 3, "T"), mark(4), a_quote(6, 4, bid=7.9, ask=8.0)])

    assert waited == []
    assert fills(engine) == [("filled", 8.0)]


def test_quotes_of_before_a_halt_and_of_within_it_set_no_price_afterwards() -> None:
    engine = watching()

    engine.apply([a_trade(1, 1, price=10.0), a_quote(2, 1, bid=10.5, ask=11.0)])
    before = instance_of(engine).price
    engine.apply([status(3, 1)])
    within = instance_of(engine).price
    engine.apply([a_quote(4, 2, bid=12.0, ask=12.5), status(5, 3, "T")])

    assert (before, within, instance_of(engine).price) == (10.5, 10.0, 10.0)


def restored(engine: QueuedEngine) -> QueuedEngine:
    """A successor of this engine."""
    fresh = an_engine(an_entry(StatusRecorder))
    fresh.restore(engine.snapshot(), [], engine.take_trades())
    return fresh


def moved(engine: QueuedEngine) -> QueuedEngine:
    """An engine that has adopted all symbols of this one."""
    slots = list(range(SLOTS))
    engine.apply([Release(1, slots, 1)])
    other = an_engine(an_entry(StatusRecorder))
    other.apply([mark((engine.mark_ns - at(0)) // 10**9), Adopt(1, slots, engine.released[1].state, encode_items([]))])
    return other


@pytest.mark.parametrize("successor", [restored, moved])
def test_halts_bands_and_waiting_bars_survive_a_restart_and_a_move(successor: Any) -> None:
    engine = watching()
    engine.apply([a_trade(1, 5), bar(2, volume=300.0), bands(3, 5), status(4, 6), mark(62)])

    other = successor(engine)
    halted = instance_of(other).halted, instance_of(other).bands
    other.apply([status(4, 6), status(5, 70, "T"), *marks(63, 121)])

    assert halted == (True, bands(3, 5))
    assert not instance_of(other).halted
    assert other.audit.bars_differing == {"volume": 1}
    assert strategy_of(other).statuses == [("H", True), ("T", False)]


@pytest.mark.parametrize("successor", [restored, moved])
def test_a_halt_whose_end_may_be_missing_ends_with_the_first_trade_after_the_gap(successor: Any) -> None:
    engine = watching()
    engine.apply([a_trade(1, 1), status(2, 2), mark(3), GapItem(at(3), at(8), "the feed was down"), mark(9)])
    doubtful = instance_of(engine).halted

    other = successor(engine)
    other.apply([a_trade(3, 2.5), mark(10)])
    still = instance_of(other).halted
    other.apply([a_trade(4, 9.5), mark(11)])

    assert (doubtful, still, instance_of(other).halted) == (True, True, False)
    assert strategy_of(other).statuses == [("H", True), ("T", False)]
    assert other.audit.trades + engine.audit.trades >= 3


def test_without_a_gap_trades_end_no_halt() -> None:
    engine = watching()

    engine.apply([status(1, 2), a_trade(2, 5), *marks(3, 9)])

    assert instance_of(engine).halted


def test_a_subscription_that_ends_takes_the_halt_with_it() -> None:
    engine = watching()

    engine.apply([status(1, 1), Unwatch("A", at(1)), mark(2), a_watch(at_s=2)])

    assert not instance_of(engine).halted


# The venue's own bars


def compared(*items: Item, to_s: int = 180, **settings: Any) -> tuple[int, int, dict[str, int]]:
    """Minutes compared, minutes equal, and differences by field, of an engine that was watching from the start."""
    engine = an_engine(an_entry(StatusRecorder), **settings)
    engine.apply([a_watch()])
    second = 0
    for item in items:
        engine.apply([item])
        second = max(second, (engine.mark_ns - at(0)) // 10**9)
    engine.apply(marks(second + 1, to_s))
    audit = engine.audit
    assert audit.bars_compared - audit.bars_equal == len({each.minute_ns for each in audit.bar_differences})
    return audit.bars_compared, audit.bars_equal, audit.bars_differing


def test_an_equal_minute_is_equal() -> None:
    assert compared(a_trade(1, 5), mark(61), bar(2)) == (1, 1, {})


def test_every_field_is_compared() -> None:
    other = VenueBar(2, "A", at(0), 0, 9.0, 11.0, 8.0, 9.5, 300.0, 2, 10.1)

    fields = dict.fromkeys(("open", "high", "low", "close", "volume", "vwap", "trades"), 1)
    assert compared(a_trade(1, 5), mark(61), other) == (1, 0, fields)


def test_a_bar_without_a_price_of_ours_is_a_difference() -> None:
    assert compared(mark(61), bar(1)) == (1, 0, {"bar": 1})


def test_an_updated_bar_replaces_the_first_and_late_trades_count() -> None:
    late = a_trade(3, 30)

    assert compared(a_trade(1, 5), mark(61), bar(2), late, mark(90), bar(4, volume=200.0, updated=True)) == (1, 1, {})


def test_a_bar_that_comes_before_its_update_is_out_of_date() -> None:
    engine = watching()

    engine.apply([bar(1, volume=200.0, updated=True), bar(2)])

    assert engine.audit.rejected_notices == {"superseded": 1}


def test_a_minute_is_compared_once() -> None:
    engine = an_engine(an_entry(StatusRecorder))

    engine.apply([a_watch(), a_trade(1, 5), mark(61), bar(2), *marks(62, 130), bar(3, updated=True), *marks(131, 200)])

    assert (engine.audit.bars_compared, engine.audit.notices) == (1, 2)


@pytest.mark.parametrize(
    "spoiled", [LostTrades([("A", at(0))]), GapItem(at(20), at(30), "away")], ids=["lost trades", "a gap"]
)
def test_a_partial_minute_is_not_compared(spoiled: Item) -> None:
    assert compared(a_trade(1, 5), spoiled, mark(61), bar(2)) == (0, 0, {})


@pytest.mark.parametrize("repaired_s", [65, 150], ids=["in time", "later"])
def test_a_minute_is_compared_when_it_is_repaired(repaired_s: int) -> None:
    engine = an_engine(an_entry(StatusRecorder), repair_ns=60 * MINUTE_NS)
    day = [a_print(1, 5), a_print(2, 25), a_print(4, 200)]
    engine.apply([a_watch(), day[0], a_gap(20, 30), *marks(30, 61), bar(3, volume=200.0)])

    engine.apply(marks(62, repaired_s))
    before = engine.audit.bars_compared
    engine.apply([history(day, 0, 1, gap=(20, 30)), *marks(repaired_s + 1, 180)])

    assert (before, engine.audit.bars_compared, engine.audit.bars_equal) == (0, 1, 1)


def test_minutes_of_before_the_subscription_are_not_compared() -> None:
    engine = an_engine(an_entry(StatusRecorder))

    engine.apply([mark(30), a_watch(at_s=30), a_trade(1, 31), mark(61), bar(2), *marks(62, 180)])

    assert engine.audit.bars_compared == 0


def test_a_short_time_of_revision_shortens_the_wait() -> None:
    assert compared(a_trade(1, 5), mark(59), bar(2), to_s=62, revise_s=1) == (1, 1, {})


def test_the_last_minutes_are_compared_at_the_close() -> None:
    engine = an_engine(an_entry(StatusRecorder))
    engine.apply([a_watch(), a_trade(1, 5), *marks(1, 61), bar(2), a_trade(3, 65), bar(4, 1)])

    engine.apply([Close(at(100))])

    assert (engine.audit.bars_compared, engine.audit.bars_equal) == (1, 1)


def test_a_bar_of_no_whole_minute_is_rejected() -> None:
    engine = watching()

    engine.apply([msgspec.structs.replace(bar(1), ts_ns=at(0) + 1)])

    assert engine.audit.rejected_notices == {"minute": 1}


def test_the_first_differences_are_named_and_bounded() -> None:
    engine = an_engine(an_entry(StatusRecorder))
    ordinal = 0
    engine.apply([a_watch()])
    for minute in range(30):
        engine.apply([a_trade(ordinal + 1, 60 * minute + 5), mark(60 * minute + 61), bar(ordinal + 2, minute, 10.5)])
        ordinal += 2
    engine.apply([mark(60 * 31 + 1)])

    first = engine.audit.bar_differences
    assert engine.audit.bars_differing == dict.fromkeys(("open", "high", "low", "close"), 30)
    assert len(first) == 20
    assert first[0] == BarDifference("A", at(0), "open", 10.0, 10.5)
    assert first[-1].minute_ns == at(0) + 4 * MINUTE_NS
