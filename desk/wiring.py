"""From the plan to objects: the one place that knows which class stands behind a word of the plan."""

from collections.abc import Iterable
from datetime import date, datetime, time
from pathlib import Path
from time import perf_counter_ns
from zoneinfo import ZoneInfo

import exchange_calendars
from exchange_calendars.errors import InvalidCalendarName

from desk.brokers.simulated import SimulatedVenue
from desk.config import Plan
from desk.engine import Engine, EngineConfig, StrategyEntry
from desk.feeds.synthetic import SyntheticConfig, SyntheticMarket
from desk.flow import Lane, LaneConfig
from desk.ledger import SqlLedger
from desk.loading import load_scanner, load_strategy
from desk.market.blocks import BlockSource
from desk.market.replay import BlockFeed
from desk.market.view import MarketView
from desk.model.errors import PlanError
from desk.model.units import MS_NS, SECOND_NS, floor_to
from desk.orders import OrderManager
from desk.pipeline.intake import Intake, IntakeConfig
from desk.pipeline.scanning import ScannerEntry, Scanning
from desk.pipeline.session import Session
from desk.pipeline.shard import Shard, ShardConfig
from desk.pipeline.subscriptions import Subscriptions
from desk.ports import BrokerDoor, Clock, KeeperDoor, Ledger, ScannerDoor, ShardLinks
from desk.risk import RiskGate, RiskLimits
from desk.routing import RoutingTable
from desk.tape.reader import TapeSource

OPEN = time(9, 30)


def market_source(plan: Plan) -> BlockSource:
    """The market data that the plan names. Raises TapeError, PlanError."""
    feed = plan.feed
    if feed.kind == "tape":
        return TapeSource(Path(feed.path))
    made = feed.synthetic
    return SyntheticMarket(
        SyntheticConfig(
            seed=made.seed,
            symbols=made.symbols,
            events_per_s=made.events_per_s,
            start_ns=exchange_ns(date.fromisoformat(made.date), OPEN, exchange_zone(plan)),
            duration_s=60 * made.minutes,
            bursts=made.bursts,
            late_fraction=made.late_fraction,
            odd_lot_fraction=made.odd_lot_fraction,
        )
    )


def exchange_zone(plan: Plan) -> ZoneInfo:
    """The time zone of the plan's exchange. Raises PlanError for a calendar that nobody knows."""
    try:
        calendar = exchange_calendars.get_calendar(plan.session.calendar)
    except InvalidCalendarName as error:
        raise PlanError(
            "[session] calendar",
            f'`"{plan.session.calendar}"`, which is no exchange that is known here',
            'an ISO 10383 code such as "XNYS"',
            "Name the exchange whose hours apply.",
        ) from error
    return ZoneInfo(str(calendar.tz))


def exchange_ns(day: date, at: time, zone: ZoneInfo) -> int:
    """A time of day on the exchange's clock, in ns since the epoch."""
    return int(datetime.combine(day, at, zone).timestamp()) * SECOND_NS


def open_session(plan: Plan, source: BlockSource) -> Session:
    """What the plan and the market data make of the session. Raises PlanError where the two do not fit."""
    zone = exchange_zone(plan)
    day = datetime.fromtimestamp(source.start_ns / SECOND_NS, zone).date()
    start_ns = floor_to(source.start_ns, SECOND_NS)
    if plan.session.start_time is not None:
        start_ns = max(start_ns, exchange_ns(day, plan.session.start_time, zone))
    stop_ns = None
    if plan.session.stop_time is not None:
        stop_ns = exchange_ns(day, plan.session.stop_time, zone)
    _require_rows(plan, source, start_ns, stop_ns, zone)
    ends = [-(-source.end_ns // SECOND_NS) * SECOND_NS] + ([stop_ns] if stop_ns is not None else [])
    return Session(
        id=f"{plan.session.name}-{day:%Y%m%d}",
        day=day.isoformat(),
        timezone=str(zone),
        start_ns=start_ns,
        stop_ns=stop_ns,
        end_ns=min(ends),
        market=tuple(source.symbols),
        always=_always(plan, source),
        history=start_ns > floor_to(source.start_ns, SECOND_NS),
        lockstep=plan.session.lockstep and plan.feed.speed == "max" and bool(plan.strategies),
    )


def _require_rows(plan: Plan, source: BlockSource, start_ns: int, stop_ns: int | None, zone: ZoneInfo) -> None:
    if source.end_ns < start_ns or (stop_ns is not None and stop_ns <= start_ns):
        first, last = (
            datetime.fromtimestamp(ns / SECOND_NS, zone).isoformat(sep=" ", timespec="seconds")
            for ns in (source.start_ns, source.end_ns)
        )
        raise PlanError(
            "[session] start, stop",
            f'`"{plan.session.start}"` to `"{plan.session.stop}"`, in which {source.place} has no data',
            f"times between {first} and {last} ({zone})",
            "Move `start` and `stop`, or leave them empty.",
        )


def _always(plan: Plan, source: BlockSource) -> tuple[str, ...]:
    if plan.feed.symbols == ("*",):
        return tuple(source.symbols)
    unknown = [symbol for symbol in plan.feed.symbols if symbol not in source.symbols]
    if unknown:
        raise PlanError(
            "[feed] symbols",
            f'`"{unknown[0]}"`, which {source.place} does not have',
            f"symbols such as {', '.join(source.symbols[:5])}",
            'Correct it, or take all with symbols = ["*"].',
        )
    return plan.feed.symbols


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


def scanning(plan: Plan, session: Session, source: BlockSource) -> Scanning:
    """The scanners with their own view of the market."""
    return Scanning(MarketView(source, session.start_ns), scanner_entries(plan), session.start_ns)


def market_feed(plan: Plan, session: Session, source: BlockSource, clock: Clock) -> BlockFeed:
    """The feed of ticks."""
    return BlockFeed(
        source,
        clock,
        channels=frozenset(plan.feed.channels),
        start_ns=session.start_ns,
        stop_ns=session.stop_ns,
        speed=None if plan.feed.speed == "max" else plan.feed.speed,
    )


def engine(plan: Plan, session: Session) -> Engine:
    """One shard's engine with the plan's strategies."""
    config = EngineConfig(
        session.id,
        session.start_ns,
        round(plan.bars.grace_s * SECOND_NS),
        round(plan.bars.revise_s * SECOND_NS),
        round(plan.guards.strategy_budget_ms * MS_NS),
        plan.broker.slippage_bps,
        plan.broker.fee_per_share,
    )
    return Engine(config, strategy_entries(plan), perf_counter_ns)


def shard(
    plan: Plan, session: Session, number: int, epoch: int, clock: Clock, keeper: KeeperDoor, broker: BrokerDoor
) -> Shard:
    """One consumer shard."""
    config = ShardConfig(number, epoch, round(plan.flow.checkpoint_s * SECOND_NS), session.lockstep, session.live)
    return Shard(config, engine(plan, session), clock, keeper, broker)


def lanes(plan: Plan, shards: Iterable[int], epoch: int, lossless: bool) -> dict[int, Lane]:
    """One lane for each shard."""
    config = LaneConfig(
        source="producer",
        epoch=epoch,
        capacity=plan.flow.capacity,
        window_batches=plan.flow.window,
        linger_ns=round(plan.flow.linger_ms * MS_NS),
        write_timeout_ns=round(plan.flow.write_timeout_ms * MS_NS),
        lag_threshold=plan.flow.lag_threshold,
        max_data_latency_ns=round(plan.guards.max_data_latency_s * SECOND_NS),
        lossless=lossless,
    )
    return {number: Lane(number, config) for number in shards}


def intake(
    plan: Plan,
    session: Session,
    source: BlockSource,
    links: ShardLinks,
    broker: BrokerDoor,
    scanner: ScannerDoor,
    clock: Clock,
    *,
    epoch: int,
) -> Intake:
    """The producer's work, with a lane to each of the plan's consumers."""
    feed = market_feed(plan, session, source, clock)
    shards = range(plan.consumers.count)
    config = IntakeConfig(
        session.lockstep,
        session.start_ns,
        round(plan.guards.max_data_latency_s * SECOND_NS),
        session.history,
    )
    return Intake(
        config,
        feed,
        RoutingTable.even(shards),
        lanes(plan, shards, epoch, feed.lossless),
        links,
        broker,
        scanner,
        clock,
        Subscriptions(session.always),
    )


def ledger(plan: Plan, session: Session, run_dir: Path, now_ns: int) -> SqlLedger:
    """The plan's ledger, with this session opened in it."""
    book = SqlLedger(plan.ledger.url.format(run_dir=run_dir), session.id)
    book.open_session(session.id, plan=plan.session.name, mode=plan.session.mode, day=session.day, now_ns=now_ns)
    return book


def order_manager(plan: Plan, session: Session, book: Ledger) -> OrderManager:
    """The work behind the broker door."""
    limits = RiskLimits(**plan.risk.model_dump())
    return OrderManager(session.id, RiskGate(limits), book, SimulatedVenue())
