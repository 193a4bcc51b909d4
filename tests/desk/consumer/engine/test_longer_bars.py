"""Longer bars in the engine: what strategies see of them, in which order, and that nothing disturbs them."""

from collections.abc import Sequence
from random import Random
from typing import Any

import pytest
from engine_parts import (
    NO_PARAMS,
    START_NS,
    QueuedEngine,
    TradeLog,
    a_trade,
    a_watch,
    an_engine,
    an_entry,
    at,
    instance_of,
    mark,
    marks,
    strategy_calling,
    strategy_of,
)
from hypothesis import given
from hypothesis import strategies as st

from desk import strategy
from desk.flow.routing_table import SLOTS
from desk.model.bars import Bar
from desk.model.hours import TradingDay
from desk.model.items import Adopt, Close, GapItem, Item, LostTrades, Release, encode_items
from desk.model.ticks import Cancel, Correction, Trade
from desk.model.timeframes import TIMEFRAMES
from desk.model.units import MINUTE_NS, floor_to

HOURS = TradingDay(
    START_NS - 3 * MINUTE_NS, START_NS + 2 * MINUTE_NS, START_NS + 19 * MINUTE_NS, START_NS + 25 * MINUTE_NS
)
"""The day opens two minutes into the session and closes after 17 minutes."""
ALL = ("1m", "5m", "15m", "1h", "1d")


class BarRecorder(strategy.Strategy):
    """Records every bar with what `ctx.bars_of` has at that moment."""

    def __init__(self, params: strategy.Params = NO_PARAMS) -> None:
        super().__init__(params)
        self.bars: list[tuple[str, int, float]] = []
        self.handed: list[Bar] = []
        self.known: list[tuple[int, ...]] = []

    def on_bar(self, ctx: strategy.Context, bar: Bar) -> None:
        self.handed.append(bar)
        self.bars.append((bar.timeframe, (bar.minute_ns - START_NS) // MINUTE_NS, bar.volume))
        self.known.append(tuple(len(ctx.bars_of(timeframe)) for timeframe in TIMEFRAMES))


def a_recorder(*bars: str, **more: Any) -> Any:
    return an_entry(BarRecorder, bars=bars or ALL, **more)


def an_engine_with_hours(*entries: Any, **more: Any) -> QueuedEngine:
    return an_engine(*entries, hours=HOURS, **more)


def test_bars_come_by_their_end_then_by_timeframe_then_by_symbol_then_by_strategy() -> None:
    seen: list[tuple[str, str, str, int]] = []

    class Telling(strategy.Strategy):
        name = "first"

        def on_bar(self, ctx: strategy.Context, bar: Bar) -> None:
            seen.append((bar.timeframe, ctx.symbol, self.name, (bar.minute_ns - START_NS) // MINUTE_NS))

    class Second(Telling):
        name = "second"

    entries = [
        an_entry(lambda: Telling(NO_PARAMS), "p", bars=ALL),
        an_entry(lambda: Second(NO_PARAMS), "q", bars=("5m",)),
    ]
    engine = an_engine_with_hours(*entries)

    engine.apply([a_watch("B"), a_watch("A"), *(a_trade(1, 70, symbol=symbol) for symbol in "AB"), mark(100)])
    engine.apply([a_trade(2, 130, symbol="A"), mark(1_000)])

    five = [("5m", symbol, name) for symbol in "AB" for name in ("first", "second")]
    at_the_open = [("1m", "A", "first", 1), ("1m", "B", "first", 1), *((*one, -3) for one in five)]
    at_the_open += [(timeframe, symbol, "first", -3) for timeframe in ("15m", "1h") for symbol in "AB"]
    assert seen == [*at_the_open, ("1m", "A", "first", 2), ("5m", "A", "first", 2), ("5m", "A", "second", 2)]


def test_a_longer_bar_comes_with_its_last_minute_though_that_had_no_trade() -> None:
    engine = an_engine_with_hours(a_recorder("5m"), grace_s=2)

    engine.apply([a_watch(), a_trade(1, 130), *marks(1, 7 * 60 + 1)])
    early = list(strategy_of(engine).bars)
    engine.apply([mark(7 * 60 + 2)])

    assert (early, strategy_of(engine).bars) == ([], [("5m", 2, 100.0)])
    assert strategy_of(engine).known == [(1, 1, 0, 0, 0)]


def test_while_several_bars_close_at_one_mark_each_call_sees_those_before_it() -> None:
    engine = an_engine_with_hours(a_recorder())

    engine.apply([a_watch(), *(a_trade(minute + 1, 60.0 * minute) for minute in range(8)), mark(500)])

    bars = [(timeframe, minute) for timeframe, minute, _ in strategy_of(engine).bars]
    assert bars == [
        *(("1m", 0), ("1m", 1), ("5m", -3), ("15m", -3), ("1h", -3)),
        *(("1m", minute) for minute in range(2, 7)),
        *(("5m", 2), ("1m", 7)),
    ]
    assert strategy_of(engine).known == [
        *((1, 0, 0, 0, 0), *[(2, 1, 1, 1, 0)] * 4),
        *((count, 1, 1, 1, 0) for count in range(3, 7)),
        *((7, 2, 1, 1, 0), (7, 2, 1, 1, 0), (8, 2, 1, 1, 0)),
    ]


def test_the_last_bars_of_the_day_end_at_the_close_and_the_day_with_them() -> None:
    engine = an_engine_with_hours(a_recorder("15m", "1h", "1d"))

    engine.apply([a_watch(), a_trade(1, 18 * 60), a_trade(2, 19 * 60), *marks(1, 26 * 60)])

    assert strategy_of(engine).bars == [
        ("15m", 17, 100.0),
        ("1h", 2, 100.0),
        ("1d", 2, 100.0),
        *[(timeframe, 19, 100.0) for timeframe in ("15m", "1h")],
    ]
    assert instance_of(engine).bars_of("1d").minute_ns.tolist() == [HOURS.open_ns]


def test_a_strategy_gets_the_timeframes_of_its_entry_alone() -> None:
    engine = an_engine_with_hours(an_entry(BarRecorder, "minutes"), a_recorder("5m", name="fives"))

    engine.apply([a_watch(), a_trade(1, 60), *marks(1, 130)])

    assert [frame for frame, *_ in strategy_of(engine, name="minutes").bars] == ["1m"]
    assert [frame for frame, *_ in strategy_of(engine, name="fives").bars] == ["5m"]


def test_a_late_trade_revises_a_longer_bar_without_a_second_call() -> None:
    engine = an_engine_with_hours(a_recorder("5m"))

    engine.apply([a_watch(), a_trade(1, 130), *marks(1, 450), a_trade(2, 140, price=20.0), *marks(451, 500)])

    assert strategy_of(engine).bars == [("5m", 2, 100.0)]
    series = instance_of(engine).bars_of("5m")
    assert (series.high.tolist(), series.volume.tolist()) == ([20.0], [200.0])


def test_a_longer_bar_is_partial_after_a_gap_although_no_minute_of_the_gap_has_a_bar() -> None:
    engine = an_engine_with_hours(a_recorder("5m", "15m"))

    engine.apply([a_watch(), a_trade(1, 130), a_trade(2, 430), *marks(1, 250), GapItem(at(200), at(230), "away")])
    engine.apply(marks(251, 1_100))

    assert [(bar.timeframe, bar.flags) for bar in strategy_of(engine).handed] == [
        *(("5m", "partial"), ("5m", "complete"), ("15m", "partial")),
    ]


def test_the_end_of_the_session_gives_no_longer_bar_that_has_not_ended() -> None:
    engine = an_engine_with_hours(a_recorder())

    engine.apply([a_watch(), a_trade(1, 130), *marks(1, 150), Close(at(150))])

    assert strategy_of(engine).bars == []


@pytest.mark.parametrize("name", ["2m", "", "5M", 5, None, ["5m"]])
def test_an_unknown_timeframe_is_an_error_that_names_the_known_ones(name: Any) -> None:
    engine = an_engine_with_hours(an_entry(strategy_calling(lambda ctx: ctx.bars_of(name))))

    engine.apply([a_watch(), mark(1)])

    assert "bars_of takes one of 1m, 5m, 15m, 1h, 1d" in engine.audit.stopped[0].what


def test_the_minutes_of_bars_of_are_those_of_bars() -> None:
    engine = an_engine_with_hours(a_recorder())

    engine.apply([a_watch(), a_trade(1, 10), *marks(1, 61)])

    ctx = instance_of(engine)
    assert ctx.bars_of("1m").close.tolist() == ctx.bars.close.tolist() == [10.0]


# Any order of trades, and any restarts and moves

Numbers = st.lists(st.integers(0, 2**20), min_size=1, max_size=80)


class RandomMarket:
    """Makes items from numbers: trades in any order, late ones, corrections, cancels, losses, gaps, marks."""

    def __init__(self) -> None:
        self.second = 0
        self.ordinal = 0
        self.lost: set[tuple[str, int]] = set()

    def items(self, number: int) -> list[Item]:
        what, rest = number % 8, number // 8
        symbol = "AB"[rest % 2]
        self.ordinal += 1
        ts_ns = at(max(0, self.second - rest % 200) + (rest % 97) / 100)
        match what:
            case 0 | 1 | 2:
                price, conditions = 5 + rest % 40 / 4, ("", "", "I", "Z")[rest % 4]
                return [Trade(self.ordinal, symbol, ts_ns, 0, price, 1.0 + rest % 5, conditions, "V", rest % 30)]
            case 3:
                trade_id, price = rest % 30, 5 + rest % 40 / 4
                return [Correction(self.ordinal, symbol, ts_ns, 0, trade_id, price, 9.0, "", "V", trade_id + 100)]
            case 4:
                return [Cancel(self.ordinal, symbol, ts_ns, 0, rest % 30, "V")]
            case 5 if rest % 3 == 0:
                minute_ns = floor_to(ts_ns, MINUTE_NS)
                self.lost.add((symbol, minute_ns))
                return [LostTrades([(symbol, minute_ns)])]
            case _:
                self.second += 1 + rest % 90
                return [mark(self.second)]


def handed_to(engine: QueuedEngine) -> list[list[Bar]]:
    return [strategy_of(engine, symbol).handed for symbol in "AB"]


def shown_by(engine: QueuedEngine) -> list[list[Any]]:
    names = ("minute_ns", "open", "high", "low", "close", "volume", "vwap", "trades", "flags")
    views = [instance_of(engine, symbol).bars_of(timeframe) for symbol in "AB" for timeframe in TIMEFRAMES]
    return [[getattr(view, name).tolist() for name in names] for view in views]


def longer_of(minutes: Sequence[Bar], start_ns: int, end_ns: int) -> list[Any]:
    """One longer bar from the rows of bars.parquet: open, high, low, close, volume, trades."""
    inside = [bar for bar in sorted(minutes, key=lambda bar: bar.minute_ns) if start_ns <= bar.minute_ns < end_ns]
    if not inside:
        return []
    high, low = max(bar.high for bar in inside), min(bar.low for bar in inside)
    volume, trades = sum(bar.volume for bar in inside), sum(bar.trades for bar in inside)
    return [inside[0].open, high, low, inside[-1].close, volume, trades]


@given(Numbers)
def test_longer_bars_equal_those_of_the_keepers_minutes(numbers: list[int]) -> None:
    engine, market = an_engine_with_hours(a_recorder(), revise_s=120), RandomMarket()
    kept: dict[tuple[str, int], Bar] = {}

    engine.apply([a_watch("A"), a_watch("B")])
    for number in numbers:
        engine.apply(market.items(number))
        kept |= {(bar.symbol, bar.minute_ns): bar for bar in engine.take_bars()}

    grid, closed_to_ns = engine._now.grid, engine._minutes.closed_to_ns
    for symbol in "AB":
        minutes = [bar for (of, _), bar in kept.items() if of == symbol and bar.priced]
        for timeframe in TIMEFRAMES[1:]:
            spans = grid.ending(timeframe, HOURS.start_ns, closed_to_ns)
            expected = [longer_of(minutes, *span) for span in spans]
            view = instance_of(engine, symbol).bars_of(timeframe)
            columns = (view.open, view.high, view.low, view.close, view.volume, view.trades)
            assert [list(row) for row in zip(*(column.tolist() for column in columns), strict=True)] == [
                row for row in expected if row
            ]
            worst = {"complete": 0, "repaired": 1, "partial": 2}
            for start_ns, flag in zip(view.minute_ns.tolist(), view.flags.tolist(), strict=True):
                end_ns = next(span.end_ns for span in spans if span.start_ns == start_ns)
                flags = [bar.flags for bar in minutes if start_ns <= bar.minute_ns < end_ns]
                assert worst[flag] >= max(worst[one] for one in flags)


@given(Numbers, st.integers(0, 2**20))
def test_restarts_and_moves_change_no_longer_bar(numbers: list[int], seed: int) -> None:
    random = Random(seed)
    calm, market = an_engine_with_hours(a_recorder(), revise_s=120), RandomMarket()
    disturbed = an_engine_with_hours(a_recorder(), revise_s=120)
    kept: dict[tuple[str, int], Bar] = {}
    logged = TradeLog()
    moves, last = 0, mark(0)

    for engine in calm, disturbed:
        engine.apply([a_watch("A"), a_watch("B")])
    for number in numbers:
        items = market.items(number)
        last = next((item for item in items if type(item) is type(last)), last)
        for engine in calm, disturbed:
            engine.apply(items)
        kept |= {(bar.symbol, bar.minute_ns): bar for bar in disturbed.take_bars()}
        match random.randrange(6):
            case 0:
                state = disturbed.snapshot()
                logged.take(disturbed.take_trades())
                disturbed = an_engine_with_hours(a_recorder(), revise_s=120)
                disturbed.restore(state, kept.values(), logged)
            case 1:
                moves += 1
                disturbed.apply([Release(moves, list(range(SLOTS)), 1)])
                state = disturbed.released[moves].state
                disturbed = an_engine_with_hours(a_recorder(), revise_s=120)
                disturbed.apply([last] if last.session_ns > START_NS else [])
                disturbed.apply([Adopt(moves, list(range(SLOTS)), state, encode_items([]))])
                logged = TradeLog()

    assert handed_to(disturbed) == handed_to(calm)
    assert shown_by(disturbed) == shown_by(calm)


def test_a_shard_whose_strategies_ask_for_no_longer_bar_makes_none() -> None:
    engine = an_engine_with_hours(an_entry(BarRecorder, name="x", bars=("1m",)), an_entry(name="s"))

    engine.apply([a_watch(), a_trade(1, 10), mark(30)])

    assert engine.symbols["A"].longer is None
    assert engine.symbols["A"].on_longer == {}
