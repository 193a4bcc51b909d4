"""The desk's figures as metrics of the catalogue: one function for each part of the desk.

Tests: tests/desk/report/test_metric_readings.py
"""

from collections.abc import Mapping
from typing import Final

from desk.consumer.shard_stats import ShardStats
from desk.model.lane_row import LaneRow
from desk.model.ticks import CLASSES
from desk.model.units import SECOND_NS
from desk.orders import OrderSummary
from desk.producer.stats import LoopStats
from desk.report.run_record import FeedRecord
from desk.telemetry.audit import Audit
from desk.telemetry.histogram import HistogramSnapshot
from desk.telemetry.readings import Readings
from desk.telemetry.span_recorder import SpanRecorder

FEED_COUNTS: Final = frozenset({"events.produced", "events.rejected", "events.skipped"})


def add_producer(readings: Readings, loop: LoopStats) -> None:
    """Add the producer's metrics."""
    _add_feed_counts(readings, loop)
    for lane in loop.lanes:
        _add_lane(readings, lane)
    readings.set("symbols.subscribed", loop.subscribed)
    readings.set("session.time", loop.session_ns / SECOND_NS)
    readings.set("feed.connected", int(loop.feed.up))
    readings.count("feed.reconnects", loop.feed.reconnects)
    readings.set("feed.lag", loop.feed.lag_ns / SECOND_NS)
    readings.set("clock.skew", loop.feed.skew_ns / SECOND_NS)
    readings.count("feed.gaps", len(loop.gaps))
    readings.count("slots.moves", loop.moves)
    readings.record("slots.pause", loop.pauses)


def replace_feed_counts(readings: Readings, feed: FeedRecord) -> None:
    """Replace the producer's counts of ticks by those of its last record."""
    readings.values = [reading for reading in readings.values if reading.metric not in FEED_COUNTS]
    _add_feed_counts(readings, feed)


def _add_feed_counts(readings: Readings, counts: LoopStats | FeedRecord) -> None:
    for kind, ticks in counts.received.items():
        readings.count("events.produced", ticks, **{"class": kind})
    for kind, causes in counts.rejected.items():
        for cause, ticks in causes.items():
            readings.count("events.rejected", ticks, **{"class": kind}, cause=cause)
    for kind, ticks in counts.skipped.items():
        readings.count("events.skipped", ticks, **{"class": kind})


def _add_lane(readings: Readings, lane: LaneRow) -> None:
    shard = str(lane.shard)
    readings.count("events.conflated", lane.conflated, shard=shard)
    for cause, ticks in lane.dropped_by_cause.items():
        readings.count("events.dropped", ticks, shard=shard, cause=cause)
    readings.set("lane.depth", lane.depth, shard=shard)
    readings.set("lane.use", lane.depth / lane.capacity, shard=shard)
    readings.set("lane.age", lane.age_ns / SECOND_NS, shard=shard)
    readings.set("lane.in_flight", lane.in_flight, shard=shard)


def add_shard(readings: Readings, stats: ShardStats) -> None:
    """Add a shard's metrics."""
    audit = stats.audit
    for kind in CLASSES:
        readings.count("events.consumed", getattr(audit, kind), **{"class": kind})
        for cause, ticks in audit.rejected(kind).items():
            readings.count("events.rejected", ticks, **{"class": kind}, cause=cause)
    lost = audit.lost_trades + audit.lost_quotes
    readings.count("events.dropped", lost, shard=str(stats.shard), cause="unprotected")
    readings.count("events.backfilled", audit.backfilled)
    readings.count("events.repeated", audit.repeated)
    _add_venue_bars(readings, audit)
    readings.count("batches.applied", stats.batches)
    readings.count("shard.busy", stats.busy_ns / SECOND_NS)
    readings.set("shard.symbols", stats.symbols)
    readings.record("data.latency", stats.data_latency)
    readings.record("queue.time", stats.time_in_queue)
    readings.record("queue.lane.time", stats.in_lane)
    readings.record("queue.link.time", stats.on_link)
    for strategy, hooks in stats.strategy_times.items():
        for hook, durations in hooks.items():
            readings.record("strategy.duration", durations, strategy=strategy, hook=hook)
    readings.count("strategy.slow", audit.slow_calls)
    readings.count("strategy.stopped", len(audit.stopped))
    readings.count("strategy.intents", audit.intents)


def _add_venue_bars(readings: Readings, audit: Audit) -> None:
    readings.count("bars.compared", audit.bars_equal, outcome="equal")
    readings.count("bars.compared", audit.bars_compared - audit.bars_equal, outcome="different")
    for field, number in audit.bars_differing.items():
        readings.count("bars.differing", number, field=field)
    if audit.bars_compared:
        readings.set("bars.agreement", audit.bars_equal / audit.bars_compared)


def add_orders(readings: Readings, orders: OrderSummary, times: Mapping[str, HistogramSnapshot]) -> None:
    """Add the broker's metrics; `times` are the durations of orders by step."""
    readings.count("orders.submitted", orders.submitted)
    readings.count("orders.filled", orders.filled)
    for rule, number in orders.refused.items():
        readings.count("orders.refused", number, rule=rule)
    for step, durations in times.items():
        readings.record("orders.latency", durations, step=step)
    readings.set("pnl", orders.realized + orders.unrealized - orders.fees)
    readings.set("exposure", orders.gross)


def add_spans(readings: Readings, spans: SpanRecorder) -> None:
    """Add what became of a process's spans; nothing for a process that records none."""
    if spans.on:
        readings.count("trace.spans", spans.recorded, outcome="recorded")
        readings.count("trace.spans", spans.dropped, outcome="dropped")
        readings.count("trace.spans", spans.slow_untraced, outcome="slow_untraced")
