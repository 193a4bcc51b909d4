"""Whoever dies, whenever: what the desk ends up with is what it would have had if nobody had disturbed it."""

from collections.abc import Sequence
from typing import Any

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from mortal import PRODUCER, SHARD, Death, Delays, MortalDesk, Move, World, differences
from pipeline_parts import NO_PARAMS, Row, Rows, Wanting, at
from shard_parts import Gambler

from desk import strategy
from desk.engine import StrategyEntry
from desk.model.bars import Bar
from desk.model.errors import RunFailed
from desk.model.ticks import Frame, Quote, Tick, Trade
from desk.model.units import SECOND_NS
from desk.pipeline.scanning import ScannerEntry
from desk.risk import RiskLimits

SYMBOLS = ("A", "B", "C", "D")
START_S = 48


class Player(Gambler):
    """A gambler who also looks at bars, and at how old the data are."""

    def on_second(self, ctx: strategy.Context) -> None:
        self.seen.append((ctx.age_ns, ctx.degraded, ctx.warm, ctx.bars.close.tolist()))
        super().on_second(ctx)

    def on_trade(self, ctx: strategy.Context, trade: Trade) -> None:
        quote = ctx.quote
        self.seen.append((trade.ordinal, trade.price, None if quote is None else quote.ordinal))

    def on_bar(self, ctx: strategy.Context, bar: Bar) -> None:
        self.seen.append((bar,))


ENTRIES = (
    StrategyEntry("p", lambda: Player(NO_PARAMS)),
    StrategyEntry("q", lambda: Player(NO_PARAMS), scanner="S"),
)

rows = st.lists(
    st.builds(
        Row,
        at_s=st.integers(START_S * 10 - 20, START_S * 10 + 180).map(lambda tenths: tenths / 10),
        symbol=st.sampled_from(SYMBOLS),
        kind=st.sampled_from(["trade", "trade", "quote", "other"]),
        price=st.sampled_from([0.0, 9.5, 10.0, 10.5]),
        size=st.sampled_from([1.0, 5.0, 100.0]),
        late_s=st.sampled_from([0.0, 0.0, 0.25, 5.0, 12.0]),
    ),
    min_size=1,
    max_size=60,
)
deaths = st.lists(st.builds(Death, st.integers(1, 150), st.integers(0, 8), st.integers(0, 11)), min_size=1, max_size=8)
moves = st.lists(
    st.builds(Move, st.integers(START_S, START_S + 18), st.sampled_from(SYMBOLS), st.integers(0, 2)), max_size=4
)
delays = st.builds(
    Delays, st.integers(0, 4), st.integers(0, 4), st.integers(0, 12), st.integers(0, 12), st.integers(0, 20)
)
flows = st.fixed_dictionaries(
    {
        "shards": st.integers(1, 3),
        "capacity": st.sampled_from([1, 3, 1000]),
        "window": st.integers(1, 3),
        "max_batch_bytes": st.sampled_from([150, 90 * 1024]),
        "retain_bytes": st.sampled_from([300, 2_000, 1 << 20]),
        "checkpoint_s": st.sampled_from([0.0, 0.000_01, 0.000_1, 1e6]),
    }
)
plans = st.lists(st.lists(st.sampled_from(SYMBOLS), unique=True, max_size=3), min_size=1, max_size=8)


def scanners_of(plan: Sequence[Sequence[str]]) -> Any:
    wanted = {START_S + 2 * number: symbols for number, symbols in enumerate(plan)} | {0: []}
    return lambda: [ScannerEntry("S", Wanting(wanted), 2, 3)]


def played(desk: MortalDesk, deaths: Sequence[Death] = (), moves: Sequence[Move] = (), delays: Any = None) -> World:
    world = World(desk, deaths, moves, delays)
    try:
        world.play()
    except RunFailed as fault:
        # Killed from outside again and again at one batch, a shard looks as if it died of it.
        assume("it died twice in batch" not in fault.found)
        raise
    assume(not world.intake.problems)
    return world


def the_same(lived: World, died: World) -> None:
    assert differences(lived.portrait(), died.portrait()) == {}
    assert lived.balance() == died.balance() == {"trades": 0, "quotes": 0}
    assert died.manager.problems == []


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(rows, st.sets(st.sampled_from(SYMBOLS), max_size=3), plans, flows, deaths, moves, delays)
def test_in_lockstep_nothing_depends_on_who_dies_or_moves(
    tape: list[Row],
    always: set[str],
    plan: list[list[str]],
    flow: dict[str, Any],
    deaths: list[Death],
    moves: list[Move],
    delays: Delays,
) -> None:
    desk = MortalDesk(
        sorted(always),
        Rows(tape, SYMBOLS),
        strategies=ENTRIES,
        scanners=scanners_of(plan),
        start_ns=at(START_S),
        limits=RiskLimits(max_order_notional=80.0, max_position_notional=150.0),
        **flow,
    )

    lived, died = played(desk), played(desk, deaths, moves, delays)

    the_same(lived, died)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(rows, st.sets(st.sampled_from(SYMBOLS), max_size=3), plans, flows, deaths, moves, delays)
def test_without_lockstep_a_lossless_feed_makes_the_same_bars_whoever_dies_or_moves(
    tape: list[Row],
    always: set[str],
    plan: list[list[str]],
    flow: dict[str, Any],
    deaths: list[Death],
    moves: list[Move],
    delays: Delays,
) -> None:
    desk = MortalDesk(
        sorted(always),
        Rows(tape, SYMBOLS),
        scanners=scanners_of(plan),
        start_ns=at(START_S),
        lockstep=False,
        **flow,
    )

    lived, died = played(desk), played(desk, deaths, moves, delays)

    the_same(lived, died)


class Witness(strategy.Strategy):
    """Remembers every tick that it is shown."""

    def __init__(self, params: strategy.Params = NO_PARAMS) -> None:
        super().__init__(params)
        self.ordinals: list[int] = []

    def on_trade(self, ctx: strategy.Context, trade: Trade) -> None:
        self.ordinals.append(trade.ordinal)

    def on_quote(self, ctx: strategy.Context, quote: Quote) -> None:
        self.ordinals.append(quote.ordinal)


def live_frames(ticks: Sequence[tuple[int, str, bool]]) -> list[Frame]:
    """A frame per tick and per second: each tick comes so many tenths of a second after the one before."""
    frames, now_ns, mark_ns = [], at(START_S), at(START_S)
    for ordinal, (tenths, symbol, trade) in enumerate(ticks, start=1):
        now_ns += tenths * SECOND_NS // 10
        while mark_ns + SECOND_NS <= now_ns:
            mark_ns += SECOND_NS
            frames.append(Frame([], mark_ns, True, 0))
        tick: Tick = (
            Trade(ordinal, symbol, now_ns, 0, 10.0, 5.0)
            if trade
            else Quote(ordinal, symbol, now_ns, 0, 9.5, 5.0, 10.5, 5.0)
        )
        frames.append(Frame([tick], now_ns, False, 0))
    return [*frames, Frame([], mark_ns + SECOND_NS, True, 0)]


live_ticks = st.lists(
    st.tuples(st.sampled_from([0, 0, 1, 7, 300]), st.sampled_from(SYMBOLS), st.booleans()), min_size=1, max_size=60
)
live_flows = st.fixed_dictionaries(
    {
        "shards": st.integers(1, 3),
        "capacity": st.sampled_from([2, 5, 1000]),
        "window": st.integers(1, 3),
        "max_batch_bytes": st.sampled_from([150, 90 * 1024]),
        "retain_bytes": st.sampled_from([1, 300, 2_000, 1 << 20]),
        "checkpoint_s": st.sampled_from([0.0, 0.000_01, 0.000_1, 1e6]),
    }
)


def a_live_desk(ticks: Sequence[tuple[int, str, bool]], flow: dict[str, Any]) -> MortalDesk:
    return MortalDesk(
        SYMBOLS,
        frames=live_frames(ticks),
        strategies=[StrategyEntry("w", lambda: Witness(NO_PARAMS))],
        start_ns=at(START_S),
        lockstep=False,
        **flow,
    )


def shown_once_and_in_order(world: World) -> None:
    shown = {place: found[0]["ordinals"] for place, found in world.strategies().items()}
    assert all(ordinals == sorted(set(ordinals)) for ordinals in shown.values())
    applied = world.applied()
    assert sum(map(len, shown.values())) == applied["trades"] + applied["quotes"]


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(live_ticks, live_flows, deaths, delays)
def test_a_live_feed_balances_whichever_consumers_die(
    ticks: list[tuple[int, str, bool]],
    flow: dict[str, Any],
    deaths: list[Death],
    delays: Delays,
) -> None:
    consumers = [death._replace(who=SHARD + death.who) for death in deaths]

    died = played(a_live_desk(ticks, flow), consumers, (), delays)

    assert died.balance() == {"trades": 0, "quotes": 0}
    assert sum(died.feed.counts.received.values()) == len(ticks)
    shown_once_and_in_order(died)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(live_ticks, live_flows, deaths, delays)
def test_a_live_feed_balances_by_the_shards_own_totals_when_its_producer_dies(
    ticks: list[tuple[int, str, bool]], flow: dict[str, Any], deaths: list[Death], delays: Delays
) -> None:
    producers = [death._replace(who=PRODUCER) for death in deaths]

    died = played(a_live_desk(ticks, flow), producers, (), delays)

    assert died.balance() == {"trades": 0, "quotes": 0}
    assert sum(died.feed.counts.received.values()) <= len(ticks)
    shown_once_and_in_order(died)
