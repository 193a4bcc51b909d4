"""Shards and scanners: the plan's own classes, and what they run in."""

from collections.abc import Iterable, Sequence
from functools import partial
from time import perf_counter_ns

from desk.config import Plan
from desk.engine import Engine, EngineConfig, StrategyEntry
from desk.engine.crumbs import Crumbs
from desk.engine.guard import MIB
from desk.loading import load_scanner, load_strategy
from desk.market.blocks import BlockSource
from desk.market.view import MarketView
from desk.model.bars import Bar
from desk.model.items import Stop
from desk.model.units import MS_NS, SECOND_NS
from desk.pipeline.scanning import ScannerEntry, Scanning
from desk.pipeline.session import Session
from desk.pipeline.shard import Shard, ShardConfig, symbols_in
from desk.ports import BrokerDoor, Clock, KeeperDoor
from desk.scanner import MarketSnapshot


def strategy_entries(plan: Plan) -> list[StrategyEntry]:
    """The plan's strategies, loaded and checked. Raises StrategyError."""
    entries = []
    for entry in plan.strategies:
        factory = load_strategy(entry.use, entry.params, f"[[strategies]] {entry.name}")
        symbols = None if entry.symbols == ("*",) or entry.scanner else frozenset(entry.symbols)
        entries.append(StrategyEntry(entry.name, factory.create, symbols, entry.scanner or None))
    return entries


def scanner_entries(plan: Plan) -> list[ScannerEntry]:
    """The plan's scanners, loaded and checked. Raises StrategyError."""
    return [
        ScannerEntry(
            entry.name,
            load_scanner(entry.use, entry.params, f"[[scanners]] {entry.name}").create(),
            entry.every_s,
            entry.max_symbols,
        )
        for entry in plan.scanners
    ]


def scanning(plan: Plan, session: Session, source: BlockSource | None) -> Scanning:
    """The scanners with their own view of the market."""
    if source is None:
        return Scanning(Unseen(), scanner_entries(plan), session.start_ns)
    afresh = partial(
        MarketView,
        source,
        session.start_ns,
        round(max(plan.bars.revise_s, plan.bars.grace_s) * SECOND_NS),
        channels=frozenset(plan.feed.channels),
    )
    return Scanning(afresh(), scanner_entries(plan), session.start_ns, afresh)


class Unseen:
    """The view of a live market: nobody sees it whole, and plans with scanners on it are refused."""

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


def engine(plan: Plan, session: Session, crumbs: Crumbs | None = None) -> Engine:
    """One shard's engine with the plan's strategies."""
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
        round(plan.guards.state_mb * MIB),
    )
    return Engine(config, strategy_entries(plan), perf_counter_ns, crumbs)


def shard(
    plan: Plan,
    session: Session,
    number: int,
    epoch: int,
    clock: Clock,
    keeper: KeeperDoor,
    broker: BrokerDoor,
    stops: Sequence[Stop] = (),
    crumbs: Crumbs | None = None,
) -> Shard:
    """One consumer shard, which begins where the keeper says that it stood."""
    delay_ns, checkpoint_ns = round(plan.feed.delay_s * SECOND_NS), round(plan.flow.checkpoint_s * SECOND_NS)
    config = ShardConfig(number, epoch, checkpoint_ns, session.lockstep, session.live, delay_ns)
    made = Shard(config, engine(plan, session, crumbs), clock, keeper, broker)
    made.engine.forbid(stops)
    checkpoint = keeper.latest(number)
    if checkpoint is not None:
        made.restore(checkpoint, keeper.bars(symbols_in(checkpoint)))
    made.engine.apply(stops)
    return made
