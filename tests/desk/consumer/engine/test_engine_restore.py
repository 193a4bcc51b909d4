"""A shard is a function of its items, however the sequence is divided by restarts."""

import pickle
from collections.abc import Callable, Iterator
from random import Random
from typing import Any, NamedTuple

import msgspec
import pytest
from engine_parts import (
    NO_PARAMS,
    START_NS,
    IgnoringLedger,
    QueuedEngine,
    RecordingStrategy,
    Stopwatch,
    TradeLog,
    a_trade,
    a_watch,
    an_engine,
    an_entry,
    at,
    instance_of,
    mark,
    marks,
    strategy_of,
)
from hypothesis import given
from hypothesis import strategies as st

from desk import strategy
from desk.consumer.engine import EngineConfig, StrategyEntry
from desk.consumer.engine.snapshot import decode_state
from desk.model.bars import Bar
from desk.model.hours import TradingDay
from desk.model.items import Close, GapItem, Item, LostTrades, Mark, QuotesLost, Stop, Unwatch, Watch
from desk.model.orders import OrderEvent, Request
from desk.model.ticks import Cancel, Correction, Quote, Trade
from desk.model.units import MINUTE_NS, SECOND_NS, floor_to
from desk.orders import OrderManager
from desk.trading.risk_gate import RiskGate
from desk.trading.risk_limits import RiskLimits
from desk.venues.simulated import SimulatedVenue

SYMBOLS = ("A", "B", "C")
HOURS = TradingDay(START_NS, START_NS + 90 * SECOND_NS, START_NS + 20 * MINUTE_NS, START_NS + 25 * MINUTE_NS)
"""Sessions here reach into all of it, in most cases."""


class RandomStrategy(strategy.Strategy):
    """Does everything a strategy may do, at random, keeps what it saw, and breaks now and then."""

    def __init__(self, params: strategy.Params = NO_PARAMS) -> None:
        super().__init__(params)
        self.seen: list[tuple[Any, ...]] = []
        self.bars: list[Bar] = []
        self.last: Trade | None = None

    def on_second(self, ctx: strategy.Context) -> None:
        closes = ctx.bars.close
        self.seen.append((ctx.now_ns, ctx.age_ns, ctx.degraded, ctx.warm, len(closes), float(closes.sum())))
        self._send_random_order(ctx)

    def on_bar(self, ctx: strategy.Context, bar: Bar) -> None:
        self.bars.append(bar)

    def on_trade(self, ctx: strategy.Context, trade: Trade) -> None:
        self.last = trade
        if ctx.rng.random() < 0.1:
            self._send_random_order(ctx)

    def on_quote(self, ctx: strategy.Context, quote: Quote) -> None:
        self.seen.append((quote.ordinal, ctx.quote == quote))

    def on_fill(self, ctx: strategy.Context, fill: strategy.Fill) -> None:
        self.seen.append((fill.price, fill.done, ctx.position, ctx.open_orders))
        if ctx.rng.random() < 0.05:
            raise ZeroDivisionError("unlucky")

    def on_gap(self, ctx: strategy.Context, gap: strategy.Gap) -> None:
        self.seen.append((gap.from_ns, gap.to_ns, gap.why))
        self._send_random_order(ctx)

    def _send_random_order(self, ctx: strategy.Context) -> None:
        match ctx.rng.randrange(6):
            case 0:
                limit = ctx.rng.choice([None, 9.5, 10.5])
                early_or_late = limit is not None and ctx.rng.random() < 0.3
                ctx.buy(ctx.rng.randint(1, 9), limit=limit, extended_hours=early_or_late)
            case 1:
                ctx.sell(ctx.rng.randint(1, 9), stop=ctx.rng.choice([None, 9.5]), tif="ioc")
            case 2:
                ctx.close()
            case 3 if ctx.open_orders:
                ctx.cancel(ctx.rng.choice(ctx.open_orders))


def an_engine_of_gamblers() -> QueuedEngine:
    config = EngineConfig("day", START_NS, 2 * SECOND_NS, 100 * SECOND_NS, 10**18, 1.0, 0.01, HOURS)
    entries = (
        StrategyEntry("found", RandomStrategy, scanner="S"),
        StrategyEntry("all", RandomStrategy),
        StrategyEntry("named", RandomStrategy, symbols=frozenset({"B"})),
    )
    return QueuedEngine(config, entries, Stopwatch())


class Step(NamedTuple):
    """One encoded item, or, where it is None, the moment at which the shard was asked for its request."""

    item: bytes | None
    request: bytes | None = None


encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(Item).decode


class Session:
    """Makes an item sequence from a stream of numbers, with the market, the producer and the broker in the loop."""

    def __init__(self, numbers: Iterator[int], *, lossy: bool, faulty: bool = False) -> None:
        self.engine = an_engine_of_gamblers()
        self.steps: list[Step] = []
        self._numbers = numbers
        self._lossy = lossy
        self._faulty = faulty
        limits = RiskLimits(max_order_notional=80.0, max_position_notional=150.0)
        self._manager = OrderManager("day", RiskGate(limits, HOURS), IgnoringLedger(), SimulatedVenue())
        self._ordinal = 0
        self._now_ns = START_NS
        self._watched: set[str] = set()
        self._changed: dict[str, int] = {"A": START_NS}

    def play(self) -> None:
        self._give(Watch("A", START_NS, [""]))
        self._watched.add("A")
        for number in self._numbers:
            self._act(number % 11, number // 11)
        self._give(Close(self._now_ns))
        self._ask()
        self._ask()

    def _act(self, what: int, more: int) -> None:
        symbol = SYMBOLS[more % 3]
        match what:
            case 0 | 1 | 2:
                self._ordinal += 1
                late_s = (0, 0, 0, 1, 30, 70, 130)[more % 7]
                condition = ("", "", "I", "M", "Z")[more % 5]
                price = 9.0 + more % 9 * 0.25
                ts_ns = self._now_ns + more % 1000 - late_s * SECOND_NS
                trade_id = more % 13 if symbol != "C" else 0
                self._give(Trade(self._ordinal, symbol, ts_ns, 0, price, 10.0 + more % 7, condition, "Q", trade_id))
            case 4 if more % 3 == 0:
                self._ordinal += 1
                old, new, at_ns = more % 13, more // 13 % 26, self._now_ns
                revision = Correction(self._ordinal, symbol, at_ns, 0, old, 9.5, 5.0, ("", "I")[more % 2], "Q", new)
                self._give(revision if more % 2 else Cancel(self._ordinal, symbol, at_ns, 0, old, "Q"))
            case 3 | 4:
                self._ordinal += 1
                bid = 9.0 + more % 8 * 0.25
                self._give(Quote(self._ordinal, symbol, self._now_ns, 0, bid, 3.0, bid + more % 2 * 0.25, 4.0))
            case 5 | 6 | 7 | 8:
                self._now_ns += (1, 1, 20, 59)[more % 4] * SECOND_NS
                self._give(Mark(self._now_ns, 0, more % 5, more % 3, more % 4 == 0))
                self._ask()
            case 9:
                self._watch(symbol, more)
            case 10 if self._faulty and more % 3 == 0:
                from_ns = self._now_ns - more % 90 * SECOND_NS
                to_ns, symbols = from_ns + more % 70 * SECOND_NS, [None, [symbol, "Z"]][more % 2]
                trades, quotes = (3, 4) if more % 8 < 4 else (0, 0)
                self._give(GapItem(from_ns, to_ns, "away", trades, quotes, symbols, more % 4 < 2))
            case 10 if self._faulty and more % 5 == 1:
                self._give(QuotesLost(symbol, self._now_ns + self._ordinal))
            case 10 if self._faulty and more % 11 == 1:
                self._give(Stop(("found", "all", "named", "unknown")[more % 4], symbol, "it hung"))
            case 10 if self._lossy:
                self._give(LostTrades([(symbol, floor_to(self._now_ns - more % 90 * SECOND_NS, MINUTE_NS))]))

    def _watch(self, symbol: str, more: int) -> None:
        """Change a subscription: at one mark the producer does so once per symbol at most."""
        if self._changed.get(symbol) == self._now_ns:
            return
        self._changed[symbol] = self._now_ns
        if symbol in self._watched and more % 8 == 1:
            self._watched.discard(symbol)
            self._give(Unwatch(symbol, self._now_ns))
            return
        bars = []
        if symbol not in self._watched:
            minutes = range(START_NS - MINUTE_NS, self._now_ns, MINUTE_NS)
            bars = [Bar(symbol, minute, 9, 9, 9, 9, 5, 45, 1, minute, 0, minute, 0) for minute in minutes][-more % 5 :]
        self._watched.add(symbol)
        self._give(Watch(symbol, self._now_ns, [["S"], ["", "S"], [""], []][more % 4], bool(bars), bars))

    def _ask(self) -> None:
        request = self.engine.take_request()
        self.steps.append(Step(None, encode(request)))
        for event in self._manager.decide(request):
            self._give(event)

    def _give(self, item: Item) -> None:
        self.steps.append(Step(encode(item)))
        self.engine.apply([decode(encode(item))])


class Shard:
    """Follows steps, checking that it asks for what was asked for then; keeps closed bars as the keeper does."""

    def __init__(self, kept: dict[tuple[str, int], bytes] | None = None, trades: TradeLog | None = None) -> None:
        self.engine = an_engine_of_gamblers()
        self.kept = kept or {}
        self.trades = trades or TradeLog()

    def follow(self, steps: list[Step], *, asked: bool = True) -> None:
        for step in steps:
            if step.item is not None:
                self.engine.apply([decode(step.item)])
            elif asked:
                assert encode(self.engine.take_request()) == step.request

    def keep(self) -> None:
        for bar in self.engine.take_bars():
            self.kept[bar.symbol, bar.minute_ns] = encode(bar)

    def successor(self) -> "Shard":
        self.keep()
        state = self.engine.snapshot()
        self.trades.take(self.engine.take_trades())
        next_one = Shard(dict(self.kept), TradeLog(self.trades))
        closed = [msgspec.msgpack.decode(bar, type=Bar) for bar in self.kept.values()]
        next_one.engine.restore(state, closed, self.trades)
        return next_one


def comparable_state(engine: QueuedEngine, *, repeated: bool = True) -> bytes:
    """Everything there is to an engine; pickles opened, as equal objects may have unequal pickles."""
    state = decode_state(engine.snapshot())
    if not repeated:
        state.audit.repeated = 0
    strategies = []
    for symbol in state.symbols:
        for seat in symbol.instances:
            strategies.append(seat.strategy and vars(pickle.loads(seat.strategy)))
            seat.strategy = b""
    shown = {symbol: state.bars.series.close.tolist() for symbol, state in engine.symbols.items()}
    return encode([state, strategies, shown, engine.prices()])


def numbers_of(seed: int, length: int) -> list[int]:
    """A stream long enough to be a session; lists drawn by hypothesis hardly ever are."""
    chance = Random(seed)
    return [chance.randrange(10**6) for _ in range(length)]


numbers = st.lists(st.integers(0, 10**6), max_size=30) | st.builds(
    numbers_of, st.integers(0, 2**32), st.integers(50, 250)
)


@given(numbers, st.data())
def test_a_restart_at_any_point_changes_nothing(stream: list[int], data: st.DataObject) -> None:
    session = Session(iter(stream), lossy=True, faulty=True)
    session.play()
    whole = Shard()
    whole.follow(session.steps)
    whole.keep()

    first_cut, second_cut = sorted(data.draw(st.tuples(*[st.integers(0, len(session.steps))] * 2)))
    shard = Shard()
    shard.follow(session.steps[:first_cut])
    shard = shard.successor()
    shard.follow(session.steps[first_cut:second_cut])
    shard = shard.successor()
    shard.follow(session.steps[second_cut:])
    shard.keep()

    assert shard.kept == whole.kept
    assert comparable_state(shard.engine) == comparable_state(whole.engine)


@given(numbers, st.data())
def test_items_that_come_again_after_a_restart_change_nothing(stream: list[int], data: st.DataObject) -> None:
    session = Session(iter(stream), lossy=False, faulty=True)
    session.play()
    whole = Shard()
    whole.follow(session.steps)
    whole.keep()

    again, cut = sorted(data.draw(st.tuples(*[st.integers(0, len(session.steps))] * 2)))
    shard = Shard()
    shard.follow(session.steps[:cut])
    shard = shard.successor()
    shard.follow(session.steps[again:cut], asked=False)
    shard.follow(session.steps[cut:])
    shard.keep()

    assert shard.kept == whole.kept
    assert comparable_state(shard.engine, repeated=False) == comparable_state(whole.engine, repeated=False)


def test_gamblers_do_what_the_properties_are_about() -> None:
    session = Session(iter(numbers_of(2, 1_000)), lossy=True)

    session.play()

    audit = session.engine.audit
    statuses = {decode(step.item).status for step in session.steps if step.item and is_event(step.item)}
    reasons = {decode(step.item).reason for step in session.steps if step.item and is_event(step.item)}
    assert statuses >= {"accepted", "refused", "pending_cancel", "filled", "canceled", "expired"}
    assert reasons >= {"day order: the regular close", "day order: the end of extended hours"}
    assert any(reason.startswith("hours: ") for reason in reasons)
    assert audit.stopped
    assert audit.intents > 50
    assert set(audit.rejected_trades) == {"duplicate", "late", "unmatched", "unwatched"}


def test_gaps_and_stops_happen_where_the_properties_are_about_them() -> None:
    session = Session(iter(numbers_of(2, 1_000)), lossy=False, faulty=True)

    session.play()

    audit = session.engine.audit
    assert "watchdog" in {fault.hook for fault in audit.stopped}
    assert audit.lost_trades > 0


def is_event(item: bytes) -> bool:
    return isinstance(decode(item), OrderEvent)


class Unpicklable(RecordingStrategy):
    """Grows something that does not pickle."""

    def on_second(self, ctx: strategy.Context) -> None:
        super().on_second(ctx)
        if ctx.symbol == "B" and len(self.seen) == 2:
            self.ctx = ctx


class Opaque(RecordingStrategy):
    """Can be pickled but not unpickled."""

    def __setstate__(self, state: dict[str, Any]) -> None:
        raise OSError("lost in the post")


def restored(engine: QueuedEngine, *entries: StrategyEntry) -> QueuedEngine:
    closed = engine.take_bars()
    successor = an_engine(*entries)
    successor.restore(engine.snapshot(), closed)
    return successor


def test_a_strategy_that_does_not_pickle_is_stopped_and_does_not_cost_the_checkpoint() -> None:
    bad, good = an_entry(Unpicklable, "bad"), an_entry(name="good")
    engine = an_engine(bad, good)
    engine.apply([a_watch("A"), a_watch("B"), mark(1), mark(2), a_trade(1, 2, symbol="B")])

    successor = restored(engine, bad, good)
    for one in (engine, successor):
        one.apply([mark(3)])

    for one in (engine, successor):
        (fault,) = one.audit.stopped
        assert (fault.strategy, fault.symbol, fault.hook, fault.session_ns) == ("bad", "B", "checkpoint", at(2))
        assert fault.what.startswith("TypeError: a context is valid during a hook call only")
        assert strategy_of(one, "A", "bad").seen[-1] == ("second", at(3))
        assert strategy_of(one, "B", "good").seen[-1] == ("second", at(3))
    assert comparable_state(successor) == comparable_state(engine)


def test_a_strategy_that_does_not_come_back_is_stopped_and_the_shard_continues() -> None:
    bad, good = an_entry(Opaque, "bad"), an_entry(name="good")
    engine = an_engine(bad, good)
    engine.apply([a_watch(), mark(1)])

    successor = restored(engine, bad, good)
    successor.apply([mark(2)])

    (fault,) = successor.audit.stopped
    assert (fault.hook, fault.what) == ("restore", "OSError: lost in the post")
    assert strategy_of(successor, name="good").seen == [("second", at(1)), ("second", at(2))]


def test_a_stopped_strategy_stays_stopped() -> None:
    def fail(ctx: strategy.Context) -> None:
        raise ValueError("no")

    entry = an_entry(lambda: made(fail))
    engine = an_engine(entry)
    engine.apply([a_watch(), mark(1)])

    successor = restored(engine, entry)
    successor.apply([mark(2)])

    assert instance_of(successor).stopped
    assert len(successor.audit.stopped) == 1


def made(act: Callable[[strategy.Context], None]) -> RecordingStrategy:
    witness = RecordingStrategy()
    witness.on_second = act  # type: ignore[method-assign, assignment]
    return witness


@pytest.mark.parametrize("cut", range(1, 130, 7))
def test_bars_that_the_keeper_holds_are_what_a_successor_shows(cut: int) -> None:
    items: list[Item] = [a_watch(), a_trade(1, 10), *marks(1, 61), a_trade(2, 61, price=11.0), *marks(62, 121)]
    items += [a_trade(3, 30, price=7.0), *marks(122, 130)]
    engine = an_engine(an_entry())
    engine.apply(items[:cut])

    successor = restored(engine, an_entry())
    successor.apply(items[cut:])

    assert successor.symbols["A"].bars.series.close.tolist() == [7.0, 11.0]
    assert [entry for entry in strategy_of(successor).seen if entry[0] == "bar"] == [
        ("bar", at(0), 10.0),
        ("bar", at(60), 11.0),
    ]


def test_a_request_that_was_not_handed_over_is_requested_by_the_successor() -> None:
    session = Session(iter([]), lossy=False)
    engine = session.engine
    engine.apply([a_watch("A", 0, scanners=[""])])
    instance_of(engine, name="all").buy(3)
    expected = Request(list(engine.apply([]).intents))

    successor = an_engine_of_gamblers()
    successor.restore(engine.snapshot(), [])

    assert successor.take_request() == expected
    assert successor.audit.intents == 1
