"""Builds the producer's loop and the lanes that it fills.

Tests: tests/desk/inprocess/test_in_process_desk.py
"""

from collections.abc import Mapping, Sequence
from typing import Final
from uuid import uuid4

from desk.config import Plan
from desk.feeds.live.socket_feed import SocketFeed
from desk.flow import LaneConfig
from desk.flow.routing_table import RoutingTable
from desk.model.batch import LaneTotals
from desk.model.blocks import BlockSource
from desk.model.session import Session
from desk.model.units import MS_NS, SECOND_NS
from desk.ports import (
    Clock,
    DirectoryLinks,
    HistoryPort,
    Mailbox,
    ProducerBroker,
    ProducerKeeper,
    ScannerPort,
    TickWriter,
)
from desk.producer.feed_watch.watch import FeedWatchConfig
from desk.producer.loop import ProducerLoop
from desk.producer.parts import Beginning, ProducerConfig, ProducerPorts
from desk.producer.subscriptions import Subscriptions
from desk.telemetry.hop_meter import HopMeter
from desk.telemetry.span_recorder import NO_SPANS, SpanRecorder
from desk.wiring.markets import market_feed

MIB: Final = 1024 * 1024


def market_waits(plan: Plan) -> bool:
    """Whether the feed waits for the consumers, which are then always fully busy, so their load says nothing."""
    return plan.session.lockstep or plan.feed.is_lossless


def lane_config(plan: Plan, epoch: int, *, lossless: bool) -> LaneConfig:
    """The configuration of all lanes of a producer."""
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
        trace_sample=plan.telemetry.trace_sample,
        trace_salt=uuid4().hex,
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
    spans: SpanRecorder = NO_SPANS,
    hops: HopMeter | None = None,
    history: HistoryPort | None = None,
    recorder: TickWriter | None = None,
) -> ProducerLoop:
    """Build the producer's loop, restored from the keeper's last state.

    `first` are the shards at the start of the session, `joined` the shards that are running, `asleep` the lane totals
    of shards that are stopped because the load does not need them. `history` is None if the plan needs none, and
    `recorder` if it does not record.
    """
    state = keeper.producer()
    feed = market_feed(plan, session, source, clock, epoch, None if state is None else state.feed)
    live = feed if isinstance(feed, SocketFeed) else None
    place = live.place if live is not None else source.place if source is not None else ""
    config = _producer_config(plan, session, epoch, place)
    beginning = Beginning(
        RoutingTable.even(first),
        lane_config(plan, epoch, lossless=feed.lossless),
        Subscriptions(session.always),
        joined,
        state,
        asleep or {},
    )
    ports = ProducerPorts(
        *(feed, links, broker, scanners, keeper, clock, mailbox, live, spans, hops or HopMeter(), recorder, history)
    )
    return ProducerLoop(config, ports, beginning)


def _producer_config(plan: Plan, session: Session, epoch: int, feed_place: str) -> ProducerConfig:
    return ProducerConfig(
        epoch,
        session.lockstep,
        session.start_ns,
        round(plan.guards.max_data_latency_s * SECOND_NS),
        round(plan.flow.checkpoint_s * SECOND_NS),
        session.history,
        session.waits,
        FeedWatchConfig(
            feed_place,
            round(plan.feed.delay_s * SECOND_NS),
            round(plan.guards.max_clock_skew_ms * MS_NS),
            session.hours,
            len(plan.feed.tick_channels),
            session.has_trades,
        ),
        round(plan.bars.repair_s * SECOND_NS),
        session.needs,
    )
