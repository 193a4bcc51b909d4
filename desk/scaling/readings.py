"""The input of scaling: one reading a second from the figures of producer and shards."""

from collections.abc import Collection, Sequence
from typing import Final

from desk.consumer.shard_stats import ShardStats
from desk.model.lane_row import LaneRow
from desk.model.units import SECOND_NS
from desk.producer.stats import LoopStats
from desk.scaling import ScalingReading
from desk.telemetry.histogram import HistogramSnapshot, counted_since

EVERY_NS: Final = SECOND_NS
LOPSIDED: Final = 1.5
"""A shard this far above the mean, and above LEAST_BUSY, is relieved by moves first."""
LEAST_BUSY: Final = 0.3


class ScalingReadings:
    """Takes readings, at least EVERY_NS apart by the producer's clock; each covers the time since the previous one.

    Busy times come from the acks that the producer received, because an overloaded shard is slow to answer anything
    else. For the same reason the age of the oldest tick in a lane counts beside the shards' own times in queue.
    """

    def __init__(self) -> None:
        self._before: LoopStats | None = None
        self._shards: dict[int, ShardStats] = {}

    def take(
        self, loop: LoopStats, shards: Sequence[ShardStats], working: Collection[int], pending: int
    ) -> ScalingReading | None:
        """The reading, if one is due; `working`: the shards with a lane; `pending`: the shards yet to join."""
        before = self._before
        if before is not None and loop.wall_ns - before.wall_ns < EVERY_NS:
            return None
        self._before = loop
        told_before, self._shards = self._shards, {stats.shard: stats for stats in shards if stats.shard in working}
        if before is None:
            return None
        known = {lane.shard: lane for lane in before.lanes}
        lanes = [lane for lane in loop.lanes if lane.shard in working]
        passed_ns = loop.wall_ns - before.wall_ns
        busy = {lane.shard: _busy(lane, known.get(lane.shard), passed_ns) for lane in lanes}
        waits_ns = [lane.age_ns for lane in lanes if lane.age_ns]
        for shard, stats in self._shards.items():
            wait_ns = _wait_ns(stats, told_before.get(shard))
            if wait_ns is not None:
                waits_ns.append(wait_ns)
        mean = sum(busy.values()) / len(busy) if busy else 0.0
        high = max(busy.values(), default=0.0)
        return ScalingReading(
            loop.wall_ns,
            busy,
            max(waits_ns, default=None),
            sum(_dropped(lane, known.get(lane.shard)) for lane in loop.lanes),
            pending,
            lopsided=loop.moving or bool(loop.waiting) or (high > LEAST_BUSY and high > LOPSIDED * mean),
        )


def _busy(lane: LaneRow, before: LaneRow | None, passed_ns: int) -> float:
    """The busy fraction since then; 0 for a shard that had no lane, or has restarted.

    If ticks waited all the time without an ack, the shard was busy all the time.
    """
    if before is None:
        return 0.0
    grown_ns = lane.busy_ns - before.busy_ns
    if grown_ns == 0 and lane.age_ns >= passed_ns:
        return 1.0
    return max(grown_ns, 0) / passed_ns


def _wait_ns(stats: ShardStats, before: ShardStats | None) -> int | None:
    """The 99th percentile of time in queue since then; for a restarted shard, since its restart."""
    known = before.time_in_queue if before is not None else HistogramSnapshot()
    if sum(known.buckets.values()) > sum(stats.time_in_queue.buckets.values()):
        known = HistogramSnapshot()
    return counted_since(stats.time_in_queue, known).quantile(0.99)


def _dropped(lane: LaneRow, before: LaneRow | None) -> int:
    """Ticks dropped or conflated since then; a reopened lane continues its shard's totals."""
    if before is None:
        return 0
    return max(lane.conflated + lane.dropped - before.conflated - before.dropped, 0)
