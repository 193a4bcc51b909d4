"""Shards and scanners: the plan's own classes, and what they run in.

Tests: tests/desk/inprocess/test_in_process_desk.py
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from time import perf_counter_ns

from desk.config import Plan, StrategyPlan
from desk.consumer.engine import Engine, EngineConfig, StrategyEntry
from desk.consumer.engine.guard import MIB
from desk.consumer.shard import Shard, ShardConfig, checkpoint_symbols
from desk.loading import load_scanner, load_strategy
from desk.model.bars import Bar
from desk.model.blocks import BlockSource
from desk.model.errors import StrategyError
from desk.model.items import Stop
from desk.model.session import Session
from desk.model.units import MS_NS, SECOND_NS
from desk.ports import Clock, ShardBroker, ShardKeeper
from desk.scanner import MarketSnapshot
from desk.scanning.market_view import MarketView
from desk.scanning.runner import ScannerEntry, ScannerRunner
from desk.strategy import Strategy
from desk.telemetry.breadcrumb_port import AT, CALL, CODES, EVERYWHERE, BreadcrumbWriter, NoBreadcrumbs
from desk.telemetry.hop_meter import HopMeter


def strategy_entries(
    plan: Plan, crumbs: BreadcrumbWriter, barred: Collection[str] = (), *, restoring: bool = False
) -> list[StrategyEntry]:
    """The plan's strategies, loaded and checked; those that are barred are not. Raises StrategyError.

    When a shard is restored, a strategy that loaded before and does not load now is no reason to end the session: it
    is stopped on each symbol.
    """
    entries = []
    for entry in plan.strategies:
        symbols = None if entry.symbols == ("*",) or entry.scanner else frozenset(entry.symbols)
        create = _barred
        if entry.name not in barred:
            with mark_loading(crumbs, entry.name, EVERYWHERE):
                create = _creator(entry, restoring=restoring)
        entries.append(StrategyEntry(entry.name, create, symbols, entry.scanner or None))
    return entries


def scanner_entries(plan: Plan, crumbs: BreadcrumbWriter, barred: Mapping[str, str]) -> list[ScannerEntry]:
    """The plan's scanners, loaded and checked; those that are barred are not, which is why. Raises StrategyError."""
    entries = []
    for entry in plan.scanners:
        scanner = None
        crumb = crumbs.register(entry.name, "")
        if entry.name not in barred:
            with mark_loading(crumbs, entry.name, ""):
                scanner = load_scanner(entry.use, entry.params, f"[[scanners]] {entry.name}").create()
        why = barred.get(entry.name, "")
        entries.append(ScannerEntry(entry.name, scanner, entry.every_s, entry.max_symbols, crumb, why))
    return entries


@contextmanager
def mark_loading(crumbs: BreadcrumbWriter, name: str, symbol: str) -> Iterator[None]:
    """Say that this class is being loaded: its code runs."""
    crumbs.cells[AT] = 0
    crumbs.cells[CALL] = crumbs.register(name, symbol) + CODES["load"]
    try:
        yield
    finally:
        crumbs.cells[CALL] = 0


def _creator(entry: StrategyPlan, *, restoring: bool) -> Callable[[], Strategy]:
    try:
        return load_strategy(entry.use, entry.params, f"[[strategies]] {entry.name}").create
    except StrategyError as fault:
        if not restoring:
            raise
        return partial(_raise, fault)


def _raise(fault: StrategyError) -> Strategy:
    raise fault


def _barred() -> Strategy:
    raise RuntimeError("a strategy that is stopped everywhere was to be built")


def build_scanner_runner(
    plan: Plan,
    session: Session,
    source: BlockSource | None,
    crumbs: BreadcrumbWriter | None = None,
    stops: Sequence[Stop] = (),
) -> ScannerRunner:
    """The scanners with their own view of the market, without those that are stopped."""
    crumbs = crumbs or NoBreadcrumbs()
    entries = scanner_entries(plan, crumbs, {stop.strategy: stop.why for stop in stops})
    if source is None:
        return ScannerRunner(NoMarketView(), entries, session.start_ns)
    afresh = partial(
        MarketView,
        source,
        session.start_ns,
        round(max(plan.bars.revise_s, plan.bars.grace_s) * SECOND_NS),
        channels=frozenset(plan.feed.channels),
    )
    return ScannerRunner(afresh(), entries, session.start_ns, afresh, crumbs.cells)


class NoMarketView:
    """The market view of a live feed: empty, since plans with scanners on a live feed are rejected."""

    def advance(self, until_ns: int) -> None:
        """There is nothing to take in."""

    def snapshot(self) -> MarketSnapshot:
        """Raise LookupError: a scanner was let through that should not have been."""
        raise LookupError("a live market cannot be scanned")

    def bars(self, symbols: Iterable[str], until_ns: int) -> dict[str, list[Bar]]:  # noqa: ARG002  the port's
        """No minutes are known."""
        return {symbol: [] for symbol in symbols}

    def remembered(self, symbols: Iterable[str]) -> dict[str, bytes]:  # noqa: ARG002  the port's
        """Nor trades."""
        return {}


def build_engine(
    plan: Plan,
    session: Session,
    crumbs: BreadcrumbWriter | None = None,
    stops: Sequence[Stop] = (),
    *,
    restoring: bool = False,
) -> Engine:
    """One shard's engine with the plan's strategies, without those that are stopped everywhere."""
    crumbs = crumbs or NoBreadcrumbs()
    barred = {stop.strategy for stop in stops if stop.symbol == EVERYWHERE}
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
    )
    entries = strategy_entries(plan, crumbs, barred, restoring=restoring)
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
    hops: HopMeter | None = None,
) -> Shard:
    """Build one shard, restored from its last checkpoint."""
    delay_ns, checkpoint_ns = round(plan.feed.delay_s * SECOND_NS), round(plan.flow.checkpoint_s * SECOND_NS)
    config = ShardConfig(number, epoch, checkpoint_ns, session.lockstep, session.live, delay_ns)
    checkpoint = keeper.latest(number)
    brain = build_engine(plan, session, crumbs, stops, restoring=checkpoint is not None)
    made = Shard(config, brain, clock, keeper, broker, hops)
    if checkpoint is not None:
        made.restore(checkpoint, keeper.bars(checkpoint_symbols(checkpoint)))
    made.stop(stops)
    return made
