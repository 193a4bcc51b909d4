"""The producer's side: lanes, and the intake that fills them.

Tests: tests/desk/inprocess/test_in_process_desk.py
"""

from collections.abc import Mapping, Sequence
from typing import Final

from desk.config import Plan
from desk.feeds.live.socket_feed import SocketFeed
from desk.flow import LaneConfig
from desk.flow.routing_table import RoutingTable
from desk.model.batch import LaneTotals
from desk.model.blocks import BlockSource
from desk.model.session import Session
from desk.model.units import MS_NS, SECOND_NS
from desk.ports import Clock, DirectoryLinks, Mailbox, ProducerBroker, ProducerKeeper, ScannerPort
from desk.producer.feed_watch.watch import FeedWatchConfig
from desk.producer.loop import ProducerLoop
from desk.producer.parts import Beginning, ProducerConfig, ProducerPorts
from desk.producer.subscriptions import Subscriptions
from desk.telemetry.hop_meter import HopMeter
from desk.wiring.markets import market_feed

MIB: Final = 1024 * 1024


def market_waits(plan: Plan) -> bool:
    """Whether the market waits for its consumers: then they are always as busy as can be, whatever their number."""
    return plan.session.lockstep or plan.feed.is_lossless


def lane_config(plan: Plan, epoch: int, *, lossless: bool) -> LaneConfig:
    """What all lanes of one producer share."""
    return LaneConfig(
        source="producer",
        epoch=epoch,
        capacity=plan.flow.capacity,
        window_batches=plan.flow.window,
        linger_ns=round(plan.flow.linger_ms * MS_NS),
        write_timeout_ns=round(plan.flow.write_timeout_ms * MS_NS),
        lag_threshold=plan.flow.lag_threshold,
        max_data_latency_ns=round(plan.guards.max_data_latency_s * SECOND_NS),
        lossless=lossless,
        retain_bytes=round(plan.flow.retain_mb * MIB),
    )


def build_producer_loop(
    plan: Plan,
    session: Session,
    source: BlockSource | None,
    links: DirectoryLinks,
    broker: ProducerBroker,
    scanners: ScannerPort,
    keeper: ProducerKeeper,
    clock: Clock,
    mailbox: Mailbox,
    *,
    epoch: int,
    first: Sequence[int],
    joined: Sequence[int],
    asleep: Mapping[int, LaneTotals] | None = None,
    hops: HopMeter | None = None,
) -> ProducerLoop:
    """The producer's work, with a lane to each shard of the links; it goes on from what the keeper has.

    `first` are the shards with which the session began, `joined` those that there are, `asleep` the lane totals of
    those that are not needed now.
    """
    state = keeper.producer()
    feed = market_feed(plan, session, source, clock, epoch, None if state is None else state.feed)
    config = ProducerConfig(
        epoch,
        session.lockstep,
        session.start_ns,
        round(plan.guards.max_data_latency_s * SECOND_NS),
        round(plan.flow.checkpoint_s * SECOND_NS),
        session.history,
        session.waits,
        FeedWatchConfig(
            feed.place if isinstance(feed, SocketFeed) else source.place if source is not None else "",
            round(plan.feed.delay_s * SECOND_NS),
            round(plan.guards.max_clock_skew_ms * MS_NS),
            session.hours,
            len(plan.feed.channels),
        ),
    )
    live = feed if isinstance(feed, SocketFeed) else None
    beginning = Beginning(
        RoutingTable.even(first),
        lane_config(plan, epoch, lossless=feed.lossless),
        Subscriptions(session.always),
        joined,
        state,
        asleep or {},
    )
    ports = ProducerPorts(feed, links, broker, scanners, keeper, clock, mailbox, live, hops or HopMeter())
    return ProducerLoop(config, ports, beginning)
