"""The producer's side: lanes, and the intake that fills them."""

from collections.abc import Iterable

from desk.config import Plan
from desk.feeds.live import LiveFeed
from desk.flow import Lane, LaneConfig
from desk.market.blocks import BlockSource
from desk.model.units import MS_NS, SECOND_NS
from desk.pipeline.intake import Intake, IntakeConfig
from desk.pipeline.session import Session
from desk.pipeline.subscriptions import Subscriptions
from desk.ports import BrokerDoor, Clock, ScannerDoor, ShardLinks
from desk.routing import RoutingTable
from desk.wiring.markets import market_feed


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
    source: BlockSource | None,
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
        live=feed if isinstance(feed, LiveFeed) else None,
    )
