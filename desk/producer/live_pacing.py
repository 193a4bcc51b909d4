"""A feed that cannot wait: lanes conflate, drop and count, the ladder asks for less, and shards change meanwhile.

Tests: tests/desk/producer/test_loop.py
"""

from typing import Final

from desk.model.ticks import Tick
from desk.model.units import MS_NS
from desk.ports import LOOK, NOTHING, Clock, LiveFeed, Waits
from desk.producer.parts import ProducerParts

ACKS_NS: Final = 20 * MS_NS
PATIENCE_BUSY_S: Final = 0.001
PATIENCE_IDLE_S: Final = 0.05


class LivePacing:
    """Never waits for a lane. Looking for acks costs as much as sending: only when windows fill up, or now and then."""

    def __init__(self, parts: ProducerParts, clock: Clock, live: LiveFeed | None) -> None:
        self._parts = parts
        self._clock = clock
        self._live = live
        self._acked_ns = 0

    def put(self, ticks: list[Tick]) -> Waits:
        """Put ticks in: a full lane makes room, and what is too old may not get in at all."""
        parts, now_ns = self._parts, self._clock.wall_ns()
        admitted = parts.overload.admit(ticks, now_ns)
        parts.watch.met(parts.router.offer(admitted.ticks, admitted.shed, parts.progress.session_ns, now_ns))
        return NOTHING

    def pump(self) -> Waits:
        """Do what the ladder says, let shards and slots change, and send as the lanes will have it."""
        parts, lanes = self._parts, self._parts.lanes
        parts.router.give(parts.deliveries.waiting())
        now_ns = self._clock.wall_ns()
        parts.router.put_items(parts.overload.control(now_ns))
        parts.enlisting.apply_requests()
        if parts.moves.has_requests:
            parts.moves.begin(lanes.by_shard, parts.progress.session_ns, now_ns)
        before = lanes.sent
        lanes.send()
        parts.overload.batches += lanes.sent - before
        if self._live is not None:
            waiting = any(lane.depth for lane in lanes)
            self._live.patience_s = PATIENCE_BUSY_S if waiting else PATIENCE_IDLE_S
        crowded = any(2 * len(lane.in_flight) >= lane.config.window_batches for lane in lanes)
        if not crowded and now_ns - self._acked_ns < ACKS_NS:
            return NOTHING
        self._acked_ns = now_ns
        return LOOK

    def between_marks(self, mark_ns: int) -> Waits:  # noqa: ARG002 - nothing stands still
        """Nothing: shards and slots change while the feed goes on."""
        return NOTHING
