"""Hypothesis strategies for days, deaths and moves, and checks that disturbed days have undisturbed results."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import examples as profiles
from crashing_desk import CrashSimulation, Death, Delays, DeskSetup, Move, differences
from hypothesis import HealthCheck, assume, settings
from hypothesis import strategies as st
from pipeline_parts import NO_PARAMS, NOTICE_KINDS, Row, Rows, ScriptedScanner, a_notice, at
from shard_parts import RandomStrategy

from desk import strategy
from desk.consumer.engine import StrategyEntry
from desk.model.bars import Bar
from desk.model.errors import RunFailed
from desk.model.hours import TradingDay
from desk.model.notices import TradingStatus
from desk.model.ticks import Event, Frame, Quote, Trade
from desk.model.units import SECOND_NS
from desk.scanning.scanner_calls import ScannerEntry
from desk.trading.risk_limits import RiskLimits

SYMBOLS = ("A", "B", "C", "D")
START_S = 48
HOURS = TradingDay(at(-600), at(-240), at(36_000), at(54_000))
"""Five minutes end with the minute that ends during the days here."""


def examples(count: int) -> settings:
    return profiles.examples(count, suppress_health_check=list(HealthCheck))


class RandomStrategyOnAllHooks(RandomStrategy):
    """A random strategy that also records bars and data age, and sends another order at each fill."""

    def on_second(self, ctx: strategy.Context) -> None:
        bands = None if ctx.bands is None else (ctx.bands.down, ctx.bands.up)
        self.seen.append((ctx.age_ns, ctx.degraded, ctx.warm, ctx.bars.close.tolist(), ctx.halted, bands))
        longer = ctx.bars_of("5m")
        self.seen.append((longer.volume.tolist(), longer.flags.tolist()))
        super().on_second(ctx)

    def on_trade(self, ctx: strategy.Context, trade: Trade) -> None:
        quote = ctx.quote
        self.seen.append((trade.ordinal, trade.price, None if quote is None else quote.ordinal))

    def on_bar(self, ctx: strategy.Context, bar: Bar) -> None:
        self.seen.append((bar,))

    def on_status(self, ctx: strategy.Context, status: TradingStatus) -> None:
        self.seen.append((status.ordinal, status.code, ctx.halted, ctx.price))

    def on_fill(self, ctx: strategy.Context, fill: strategy.Fill) -> None:
        super().on_fill(ctx, fill)
        self._send_random_order(ctx)


ENTRIES = (
    StrategyEntry("p", lambda: RandomStrategyOnAllHooks(NO_PARAMS), bars=("1m", "5m")),
    StrategyEntry("q", lambda: RandomStrategyOnAllHooks(NO_PARAMS), scanner="S"),
)


class TickRecorder(strategy.Strategy):
    """Records the ordinal of each tick that it receives."""

    def __init__(self, params: strategy.Params = NO_PARAMS) -> None:
        super().__init__(params)
        self.ordinals: list[int] = []

    def on_trade(self, ctx: strategy.Context, trade: Trade) -> None:
        self.ordinals.append(trade.ordinal)

    def on_quote(self, ctx: strategy.Context, quote: Quote) -> None:
        self.ordinals.append(quote.ordinal)


# Market data

rows = st.lists(
    st.builds(
        Row,
        at_s=st.integers(START_S * 10 - 20, START_S * 10 + 180).map(lambda tenths: tenths / 10),
        symbol=st.sampled_from(SYMBOLS),
        kind=st.sampled_from(["trade"] * 4 + ["quote", "quote", "other", "correction", "cancel", *NOTICE_KINDS]),
        price=st.sampled_from([0.0, 9.5, 10.0, 10.5]),
        size=st.sampled_from([1.0, 5.0, 100.0]),
        late_s=st.sampled_from([0.0, 0.0, 0.25, 5.0, 12.0]),
        trade_id=st.integers(0, 9),
        original_id=st.integers(0, 9),
    ),
    min_size=1,
    max_size=60,
)
symbols = st.sets(st.sampled_from(SYMBOLS), max_size=3) | st.just({"*"})
plans = st.lists(st.lists(st.sampled_from(SYMBOLS), unique=True, max_size=3), min_size=1, max_size=8)
LiveTick = tuple[int, str, bool | str]
"""Tenths of a second since the one before, symbol, and whether it is a trade, or the kind of a notice."""
live_ticks = st.lists(
    st.tuples(
        st.sampled_from([0, 0, 1, 7, 300]),
        st.sampled_from(SYMBOLS),
        st.sampled_from([True, True, False, False, *NOTICE_KINDS]),
    ),
    min_size=1,
    max_size=60,
)
_flow = {
    "shards": st.integers(1, 3),
    "window": st.integers(1, 3),
    "max_batch_bytes": st.sampled_from([150, 90 * 1024]),
    "checkpoint_s": st.sampled_from([0.0, 0.000_01, 0.000_1, 1e6]),
}
flows = st.fixed_dictionaries(
    _flow | {"capacity": st.sampled_from([1, 3, 1000]), "retain_bytes": st.sampled_from([300, 2_000, 1 << 20])}
)
live_flows = st.fixed_dictionaries(
    _flow | {"capacity": st.sampled_from([2, 5, 1000]), "retain_bytes": st.sampled_from([1, 300, 2_000, 1 << 20])}
)


class TapeDay(NamedTuple):
    """The market data and the settings of a desk that replays a tape."""

    tape: list[Row]
    always: set[str]
    plan: list[list[str]]
    flow: dict[str, Any]

    def desk(self, **more: Any) -> DeskSetup:
        """A desk in lockstep whose risk limits refuse some orders, by symbol and in total."""
        limits = RiskLimits(max_order_notional=80.0, max_position_notional=150.0, max_gross_notional=200.0)
        parts = {"strategies": ENTRIES, "scanners": scanners_of(self.plan), "start_ns": at(START_S), "limits": limits}
        parts |= {"hours": HOURS}
        return DeskSetup(sorted(self.always), Rows(self.tape, SYMBOLS), **(parts | self.flow | more))


tape_days = st.builds(TapeDay, rows, symbols, plans, flows)
paced_days = st.builds(TapeDay, rows, symbols, plans, live_flows)

# Disturbances


class Disturbance(NamedTuple):
    """Deaths, moves, and delays of messages."""

    dying: list[Death]
    moving: list[Move]
    delay: Delays


deaths = st.lists(st.builds(Death, st.integers(1, 150), st.integers(0, 8), st.integers(0, 11)), min_size=1, max_size=8)
a_move = st.builds(Move, st.integers(START_S, START_S + 18), st.sampled_from(SYMBOLS), st.integers(0, 2))
moves = st.lists(a_move, max_size=4)
delays = st.builds(
    Delays, st.integers(0, 4), st.integers(0, 4), st.integers(0, 12), st.integers(0, 12), st.integers(0, 20)
)

disturbances = st.builds(Disturbance, deaths, moves, delays)
disturbances_or_moves = st.builds(Disturbance, st.just([]) | deaths, moves, delays)


def scanners_of(plan: Sequence[Sequence[str]]) -> Callable[[], Sequence[ScannerEntry]]:
    """One scanner that picks each entry of the plan for two seconds, and nothing before START_S."""
    wanted = {START_S + 2 * number: symbols for number, symbols in enumerate(plan)} | {0: []}
    return lambda: [ScannerEntry("S", ScriptedScanner(wanted), 2, 3)]


def live_frames(ticks: Sequence[LiveTick]) -> list[Frame]:
    """A frame for each tick and each second. A tick comes `tenths` tenths of a second after the previous one."""
    frames, now_ns, mark_ns = [], at(START_S), at(START_S)
    for ordinal, (tenths, symbol, kind) in enumerate(ticks, start=1):
        now_ns += tenths * SECOND_NS // 10
        while mark_ns + SECOND_NS <= now_ns:
            mark_ns += SECOND_NS
            frames.append(Frame([], mark_ns, True, 0))
        tick: Event = (
            a_notice(kind, symbol, now_ns, ordinal=ordinal)
            if isinstance(kind, str)
            else Trade(ordinal, symbol, now_ns, 0, 10.0, 5.0)
            if kind
            else Quote(ordinal, symbol, now_ns, 0, 9.5, 5.0, 10.5, 5.0)
        )
        frames.append(Frame([tick], now_ns, False, 0))
    return [*frames, Frame([], mark_ns + SECOND_NS, True, 0)]


def a_live_desk(ticks: Sequence[LiveTick], flow: dict[str, Any]) -> DeskSetup:
    return DeskSetup(
        SYMBOLS,
        frames=live_frames(ticks),
        strategies=[StrategyEntry("w", lambda: TickRecorder(NO_PARAMS))],
        start_ns=at(START_S),
        lockstep=False,
        **flow,
    )


def play_desk(
    desk: DeskSetup, deaths: Sequence[Death] = (), moves: Sequence[Move] = (), delays: Any = None, stop_at: int = 0
) -> CrashSimulation:
    """Play a desk to its end. If `stop_at` is not 0, the desk is stopped after that many calls."""
    return play_to_end(CrashSimulation(desk, deaths, moves, delays, stop_at))


def play_to_end(simulation: CrashSimulation) -> CrashSimulation:
    """Play to the end. Discard examples in which so many deaths hit one item that the desk takes it for the cause."""
    try:
        simulation.play()
    except RunFailed as fault:
        assume("sent alone from batch" not in fault.found)
        raise
    assume(not simulation.loop.problems)
    return simulation


# Results that must not depend on disturbances


def assert_same_results(lived: CrashSimulation, died: CrashSimulation) -> None:
    assert differences(lived.results(), died.results()) == {}
    assert lived.balance() == died.balance() == {"trades": 0, "quotes": 0, "notices": 0}
    assert died.manager.problems == []


def assert_ticks_once_in_order(simulation: CrashSimulation) -> None:
    """Strategies received exactly the ticks that are counted as applied."""
    assert _shown(simulation) == sum(simulation.applied()[kind] for kind in ("trades", "quotes"))


def assert_ticks_once_or_lost(simulation: CrashSimulation) -> None:
    """The same where symbols move and both sides die: strategies may have received more than the accounts say.

    A shard that died after it handed symbols over counts their ticks since its checkpoint as lost. If the producer dies
    too, ticks since its last saved state count as never received.
    """
    applied = sum(simulation.applied()[kind] for kind in ("trades", "quotes"))
    audits = [shard.engine.audit for shard in simulation.shards()]
    lost = sum(audit.lost_trades + audit.lost_quotes for audit in audits)
    uncounted = sum(len(frame.ticks) for frame in simulation.desk.frames) - sum(
        simulation.feed.counts.received.values()
    )
    assert applied <= _shown(simulation) <= applied + lost + uncounted


def _shown(simulation: CrashSimulation) -> int:
    shown = [found[0]["ordinals"] for found in simulation.strategies().values()]
    assert all(ordinals == sorted(set(ordinals)) for ordinals in shown)
    return sum(map(len, shown))


def assert_symbols_on_their_shards(simulation: CrashSimulation) -> None:
    for shard in simulation.shards():
        for symbol in shard.engine.symbols:
            assert simulation.loop.moves.table.shard_of(symbol) == shard.config.shard
