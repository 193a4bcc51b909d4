"""What scaling goes by: from the figures that producer and shards tell to one reading a second."""

from collections.abc import Collection, Sequence
from typing import Final

from desk.meters import Snapshot, since
from desk.model.units import SECOND_NS
from desk.pipeline.intake_stats import IntakeStats
from desk.pipeline.shard import ShardStats
from desk.scaling import Reading

EVERY_NS: Final = SECOND_NS
LOPSIDED: Final = 1.5
"""A shard this far above the mean, with more than LEAST_BUSY, is helped by moves first."""
LEAST_BUSY: Final = 0.3


class Readings:
    """Takes readings, at least EVERY_NS apart; each is of the time since the one before."""

    def __init__(self) -> None:
        self._taken_ns: int | None = None
        self._shards: dict[int, ShardStats] = {}
        self._dropped: dict[int, int] = {}

    def take(
        self, now_ns: int, intake: IntakeStats, shards: Sequence[ShardStats], working: Collection[int], pending: int
    ) -> Reading | None:
        """The reading that is due, if any. `working` are the shards with a lane, `pending` counts those awaited."""
        if self._taken_ns is not None and now_ns - self._taken_ns < EVERY_NS:
            return None
        passed_ns = None if self._taken_ns is None else now_ns - self._taken_ns
        self._taken_ns = now_ns
        known = [stats for stats in shards if stats.shard in working]
        before, self._shards = self._shards, {stats.shard: stats for stats in known}
        dropped = self._dropped_since(intake)
        if passed_ns is None:
            return None
        busy = {stats.shard: _busy_ns(stats, before.get(stats.shard)) / passed_ns for stats in known}
        mean = sum(busy.values()) / len(busy) if busy else 0.0
        high = max(busy.values(), default=0.0)
        return Reading(
            now_ns,
            busy,
            max(
                (wait for stats in known if (wait := _wait_ns(stats, before.get(stats.shard))) is not None),
                default=None,
            ),
            dropped,
            pending,
            lopsided=intake.moving or bool(intake.waiting) or (high > LEAST_BUSY and high > LOPSIDED * mean),
        )

    def _dropped_since(self, intake: IntakeStats) -> int:
        """Ticks dropped or conflated; a lane opened anew counts on from what its shard knew."""
        now = {shard: conflated + dropped for shard, *_, conflated, dropped in intake.lanes}
        grown = sum(max(count - self._dropped.get(shard, count), 0) for shard, count in now.items())
        self._dropped |= now
        return grown


def _busy_ns(stats: ShardStats, before: ShardStats | None) -> int:
    return max(stats.busy_ns - before.busy_ns, 0) if before is not None else 0


def _wait_ns(stats: ShardStats, before: ShardStats | None) -> int | None:
    """The 99th percentile of time in queue since then; a successor that counts anew is taken as it is."""
    known = before.time_in_queue if before is not None else Snapshot()
    if sum(known.buckets.values()) > sum(stats.time_in_queue.buckets.values()):
        known = Snapshot()
    return since(stats.time_in_queue, known).quantile(0.99)
