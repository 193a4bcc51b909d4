"""Pacing of a feed that cannot wait: lanes conflate, drop and count, and shards change while it is read.

Tests: tests/desk/producer/test_loop.py
"""

from typing import Final

from desk.model.ticks import Event
from desk.model.units import MS_NS
from desk.ports import NOTHING, AckWait, Clock, Feed, LiveFeed, Wait, Waits
from desk.producer.parts import ProducerParts

ACKS_NS: Final = 20 * MS_NS
BUSY_NS: Final = MS_NS
"""While a lane of a live feed holds ticks, the loop waits no longer than this before it sends again."""


class LivePacing:
    """Never waits for a lane. A look for acks costs as much as a send: only when windows fill up, or each ACKS_NS."""

    def __init__(self, parts: ProducerParts, clock: Clock, feed: Feed, live: LiveFeed | None) -> None:
        self._parts = parts
        self._clock = clock
        self._feed = feed
        self._live = live
        self._acked_ns = 0
        self._acks = AckWait.SKIP

    def wait(self) -> Wait:
        """Until the feed is due, with ticks in a lane BUSY_NS at most; then a look for acks, if one is worth it."""
        due_ns = self._feed.due_ns
        if due_ns and self._live is not None and any(lane.depth for lane in self._parts.lanes):
            due_ns = min(due_ns, self._clock.wall_ns() + BUSY_NS)
        acks, self._acks = self._acks, AckWait.SKIP
        return Wait(acks, due_ns)

    def put(self, ticks: list[Event]) -> Waits:
        """Put the ticks in: a full lane makes room, and ticks that are too old are dropped."""
        parts, now_ns = self._parts, self._clock.wall_ns()
        admitted = parts.overload.admit(ticks, now_ns)
        parts.watch.met(parts.router.offer(admitted.ticks, admitted.shed, parts.progress.session_ns, now_ns))
        return NOTHING

    def pump(self) -> Waits:
        """Apply the overload ladder, change shards and slots, and send as far as windows are open."""
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
        crowded = any(2 * len(lane.in_flight) >= lane.config.window_batches for lane in lanes)
        if crowded or now_ns - self._acked_ns >= ACKS_NS:
            self._acked_ns = now_ns
            self._acks = AckWait.LOOK
        return NOTHING

    def between_marks(self, mark_ns: int) -> Waits:  # noqa: ARG002 - nothing stands still
        """Nothing: shards and slots change while the feed is read."""
        return NOTHING
