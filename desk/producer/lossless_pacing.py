"""Pacing of a feed that waits: it is not read while a lane has no room, and shards change between two marks.

Tests: tests/desk/producer/test_loop.py
"""

from typing import Final

from desk.model.ticks import Event
from desk.model.units import MS_NS
from desk.ports import LOOK, NOTHING, AckWait, Clock, Wait, Waits
from desk.producer.parts import ProducerParts

FLUSH_NS: Final = 50 * MS_NS
NO_WAIT: Final = Wait(AckWait.SKIP)


class LosslessPacing:
    """Waits for room; sends full batches, and everything each FLUSH_NS."""

    def __init__(self, parts: ProducerParts, clock: Clock) -> None:
        self._parts = parts
        self._clock = clock
        self._flushed_ns = 0

    def wait(self) -> Wait:
        """None: the feed is read as soon as the previous frame is in the lanes."""
        return NO_WAIT

    def put(self, ticks: list[Event]) -> Waits:
        """Put the ticks in, part by part, each as soon as every lane has room for it."""
        parts, lanes = self._parts, self._parts.lanes
        most = lanes.config.capacity
        for first in range(0, len(ticks), most):
            part = ticks[first : first + most]
            while any(lane.room < len(part) for lane in lanes):
                lanes.request_checkpoints(lane for lane in lanes if lane.needs_checkpoint)
                if not lanes.send(hurry=True):
                    yield Wait(AckWait.ONE)
            parts.watch.met(parts.router.put(part, parts.progress.session_ns))

    def pump(self) -> Waits:
        """Send full batches, and each FLUSH_NS everything."""
        parts = self._parts
        parts.router.give(parts.deliveries.waiting())
        now_ns = self._clock.wall_ns()
        full_only = now_ns - self._flushed_ns < FLUSH_NS
        if not full_only:
            self._flushed_ns = now_ns
        return LOOK if parts.lanes.send(full_only=full_only) else NOTHING

    def between_marks(self, mark_ns: int) -> Waits:
        """Complete every requested change of shards and slots, in a way that survives any death."""
        lanes, moves, enlisting = self._parts.lanes, self._parts.moves, self._parts.enlisting
        if ready := enlisting.ready:
            yield from lanes.flush()
            yield from lanes.checkpoint_until(lambda lane: lane.durable or lane.shard not in ready)
            yield from lanes.flush()
        enlisting.apply_requests()
        while enlisting.joining:
            yield Wait(AckWait.ONE)
        while (moves.has_requests and moves.begin(lanes.by_shard, mark_ns, self._clock.wall_ns())) or moves.under_way:
            yield from lanes.flush()
            lanes.request_checkpoints(lanes[shard] for shard in moves.unsaved)
            yield Wait(AckWait.ALL)
