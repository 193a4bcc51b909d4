"""Builds shards and scanners with the plan's classes.

Tests: tests/desk/inprocess/test_in_process_desk.py
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from time import perf_counter_ns
from typing import Final

from desk.config import Plan, StrategyPlan
from desk.consumer.engine import Engine, EngineConfig, StrategyEntry
from desk.consumer.engine.guard import MIB
from desk.consumer.shard import Shard, ShardConfig, checkpoint_symbols
from desk.loading import load_entry, load_scanner
from desk.model.bars import Bar
from desk.model.blocks import BlockSource
from desk.model.errors import StrategyError
from desk.model.items import Stop
from desk.model.session import Session
from desk.model.timeframes import Timeframe
from desk.model.units import MS_NS, SECOND_NS
from desk.ports import Clock, ShardBroker, ShardKeeper
from desk.scanner import MarketSnapshot
from desk.scanning.live_runner import LiveScannerRunner
from desk.scanning.live_view import LiveMarketView
from desk.scanning.market_view import MarketView
from desk.scanning.runner import ScannerRunner
from desk.scanning.scanner_calls import ScannerCalls, ScannerEntry
from desk.strategy import Strategy
from desk.telemetry.breadcrumb_port import AT, CALL, CODES, EVERYWHERE, BreadcrumbWriter, NoBreadcrumbs
from desk.telemetry.hop_meter import HopMeter
from desk.telemetry.span_recorder import NO_SPANS, SpanRecorder
from desk.wiring.exchange_days import day_start_ns
from desk.wiring.markets import live_market

NO_HISTORY: Final[Mapping[Timeframe, int]] = {}
LONGEST_REPAIR_NS: Final = 2 * 3600 * SECOND_NS
"""Partial minutes of a live feed are kept so long, so that history can still complete those of a long gap's start."""


def strategy_entries(
    plan: Plan, crumbs: BreadcrumbWriter, stopped: Collection[str] = (), *, restoring: bool = False
) -> list[StrategyEntry]:
    """Load and check the plan's strategies, except those that are `stopped`. Raises StrategyError.

    With `restoring`, a strategy that fails to load raises later, when an instance is created: it is then stopped for
    each symbol, and the session continues.
    """
    entries = []
    for entry in plan.strategies:
        symbols = None if entry.symbols == ("*",) or entry.scanner else frozenset(entry.symbols)
        create, history = _stopped_strategy, NO_HISTORY
        if entry.name not in stopped:
            with mark_loading(crumbs, entry.name, EVERYWHERE):
                create, history = _loaded(entry, restoring=restoring)
        entries.append(StrategyEntry(entry.name, create, symbols, entry.scanner or None, entry.bars, history))
    return entries


def scanner_entries(plan: Plan, crumbs: BreadcrumbWriter, reasons: Mapping[str, str]) -> list[ScannerEntry]:
    """Load and check the plan's scanners, except stopped ones, whose `reasons` are given. Raises StrategyError."""
    entries = []
    for entry in plan.scanners:
        scanner = None
        crumb = crumbs.register(entry.name, "")
        if entry.name not in reasons:
            with mark_loading(crumbs, entry.name, ""):
                scanner = load_scanner(entry.use, entry.params, f"[[scanners]] {entry.name}").create()
        reason = reasons.get(entry.name, "")
        entries.append(ScannerEntry(entry.name, scanner, entry.every_s, entry.max_symbols, crumb, reason))
    return entries


@contextmanager
def mark_loading(crumbs: BreadcrumbWriter, name: str, symbol: str) -> Iterator[None]:
    """Record in the breadcrumbs that this class is being loaded: its code runs."""
    crumbs.cells[AT] = 0
    crumbs.cells[CALL] = crumbs.register(name, symbol) + CODES["load"]
    try:
        yield
    finally:
        crumbs.cells[CALL] = 0


def _loaded(entry: StrategyPlan, *, restoring: bool) -> tuple[Callable[[], Strategy], Mapping[Timeframe, int]]:
    """How to create the strategy, and the history that it declares."""
    try:
        factory = load_entry(entry, f"[[strategies]] {entry.name}")
    except StrategyError as fault:
        if not restoring:
            raise
        return partial(_raise, fault), NO_HISTORY
    return factory.create, factory.history


def _raise(fault: StrategyError) -> Strategy:
    raise fault


def _stopped_strategy() -> Strategy:
    raise RuntimeError("a strategy that is stopped for all symbols must not be created")


def build_scanner_runner(
    plan: Plan,
    session: Session,
    source: BlockSource | None,
    crumbs: BreadcrumbWriter | None = None,
    stops: Sequence[Stop] = (),
) -> ScannerRunner | LiveScannerRunner:
    """Build the scanners that are not stopped, with their own view of the market. Raises CredentialsError."""
    crumbs = crumbs or NoBreadcrumbs()
    entries = scanner_entries(plan, crumbs, {stop.strategy: stop.why for stop in stops})
    if source is None and (market := live_market(plan, session)) is not None:
        view = LiveMarketView(session.start_ns, day_start_ns(session))
        return LiveScannerRunner(market, view, ScannerCalls(entries, session.start_ns, crumbs.cells))
    if source is None:
        return ScannerRunner(NoMarketView(), entries, session.start_ns)
    new_view = partial(
        MarketView,
        source,
        session.start_ns,
        round(max(plan.bars.revise_s, plan.bars.grace_s) * SECOND_NS),
        channels=frozenset(plan.feed.channels),
    )
    return ScannerRunner(new_view(), entries, session.start_ns, new_view, crumbs.cells)


class NoMarketView:
    """The empty market view of a live feed without scanners."""

    def advance(self, until_ns: int) -> None:
        """Do nothing."""

    def snapshot(self) -> MarketSnapshot:
        """Raise LookupError: there is no scanner."""
        raise LookupError("a live market cannot be scanned")

    def bars(self, symbols: Iterable[str], until_ns: int) -> dict[str, list[Bar]]:  # noqa: ARG002  the port's
        """No bars."""
        return {symbol: [] for symbol in symbols}

    def remembered(self, symbols: Iterable[str]) -> dict[str, bytes]:  # noqa: ARG002  the port's
        """No trades."""
        return {}


def build_engine(
    plan: Plan,
    session: Session,
    crumbs: BreadcrumbWriter | None = None,
    stops: Sequence[Stop] = (),
    *,
    restoring: bool = False,
) -> Engine:
    """Build a shard's engine with the plan's strategies that are not stopped for all symbols."""
    crumbs = crumbs or NoBreadcrumbs()
    stopped = {stop.strategy for stop in stops if stop.symbol == EVERYWHERE}
    config = EngineConfig(
        session.id,
        session.start_ns,
        round(plan.bars.grace_s * SECOND_NS),
        round(plan.bars.revise_s * SECOND_NS),
        round(plan.guards.strategy_budget_ms * MS_NS),
        plan.broker.slippage_bps,
        plan.broker.fee_per_share,
        session.hours,
        round(plan.feed.delay_s * SECOND_NS),
        session.has_trades,
        live=plan.feed.is_live,
        state_bytes=round(plan.guards.state_mb * MIB),
        repair_ns=LONGEST_REPAIR_NS if plan.feed.is_live and plan.bars.repair_s else 0,
    )
    entries = strategy_entries(plan, crumbs, stopped, restoring=restoring)
    return Engine(config, entries, perf_counter_ns, crumbs, {(stop.strategy, stop.symbol) for stop in stops})


def build_shard(
    plan: Plan,
    session: Session,
    number: int,
    epoch: int,
    clock: Clock,
    keeper: ShardKeeper,
    broker: ShardBroker,
    stops: Sequence[Stop] = (),
    crumbs: BreadcrumbWriter | None = None,
    spans: SpanRecorder = NO_SPANS,
    hops: HopMeter | None = None,
) -> Shard:
    """Build a shard and restore it from its last checkpoint."""
    delay_ns, checkpoint_ns = round(plan.feed.delay_s * SECOND_NS), round(plan.flow.checkpoint_s * SECOND_NS)
    older_ns = round(plan.telemetry.trace_older_ms * MS_NS)
    config = ShardConfig(number, epoch, checkpoint_ns, session.lockstep, session.live, delay_ns, older_ns)
    checkpoint = keeper.latest(number)
    engine = build_engine(plan, session, crumbs, stops, restoring=checkpoint is not None)
    shard = Shard(config, engine, clock, keeper, broker, spans, hops)
    if checkpoint is not None:
        shard.restore(checkpoint, keeper.bars(checkpoint_symbols(checkpoint)))
    shard.stop(stops)
    return shard
