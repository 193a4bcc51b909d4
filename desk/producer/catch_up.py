"""How a successor of a producer catches up with what the shards have already applied.

Tests: tests/desk/inprocess/test_recovery.py
"""

from collections.abc import Iterable
from typing import Final

from desk.model.batch import LaneTotals, ShardPosition
from desk.model.ticks import Event, Frame, class_of
from desk.model.units import SECOND_NS
from desk.ports import Clock, Feed, LiveFeed

CONNECT_NS: Final = 10 * SECOND_NS


class CatchUp:
    """Decides how far a successor must play before it may stop, and which ticks it reads a second time.

    A shard behind the mark or the ticks of another shard needs those in between. All marks are sent again; the ticks
    too, if the feed can be read again. If such a feed cannot wait for the lanes, a tick that an earlier lane delivered,
    conflated or dropped is not routed again, because it is already counted. A live feed has CONNECT_NS to connect: a
    stop before that would report a feed that was up as down.
    """

    def __init__(self, feed: Feed, live: LiveFeed | None, clock: Clock) -> None:
        self._feed = feed
        self._live = live
        self._clock = clock
        self._connect_by_ns = 0
        self._behind = False
        self._mark_ns = 0
        self._end_ns = 0
        self._last_routed = -1
        self._last_read = -1
        self._routed: dict[str, int] = {}

    def begin(
        self, positions: Iterable[ShardPosition], closed: Iterable[LaneTotals], start_ns: int, mark_ns: int
    ) -> None:
        """Start from the positions of all shards and the totals of closed lanes.

        `start_ns` is the session's start, `mark_ns` the last mark that any shard or decision has reached.
        """
        known = list(positions)
        if not self._feed.lossless:
            self._restore_received([position.lane for position in known] + list(closed))
        self._mark_ns = mark_ns
        self._behind = self._mark_ns > 0
        self._connect_by_ns = self._clock.wall_ns() + CONNECT_NS
        if not self._feed.repeatable:
            return
        routed: dict[str, int] = {}
        for position in known:
            for symbol, ordinal in position.ordinals.items():
                routed[symbol] = max(routed.get(symbol, -1), ordinal)
        self._last_routed = max(routed.values(), default=-1)
        self._behind = self._behind or self._last_routed >= 0
        self._end_ns = max(self._mark_ns, start_ns) + SECOND_NS
        if not self._feed.lossless:
            self._routed = routed

    def take(self, frame: Frame) -> list[Event]:
        """Return the frame's ticks without those that an earlier producer routed."""
        ticks = frame.ticks
        if not self._behind or not ticks:
            return ticks
        self._last_read = max(self._last_read, ticks[-1].ordinal)
        if not self._routed:
            return ticks
        routed, received = self._routed, self._feed.counts.received
        fresh = []
        for tick in ticks:
            if tick.ordinal > routed.get(tick.symbol, -1):
                fresh.append(tick)
            else:
                received[class_of(tick)] -= 1
        return fresh

    def done(self, session_ns: int) -> bool:
        """Whether all shards have, at this session time, everything that any of them routed."""
        if self._behind and session_ns >= self._mark_ns:
            self._behind = self._connecting or (self._last_read < self._last_routed and session_ns < self._end_ns)
            if not self._behind:
                self._routed = {}
        return not self._behind

    @property
    def _connecting(self) -> bool:
        live = self._live
        return live is not None and live.down_from_ns is not None and self._clock.wall_ns() < self._connect_by_ns

    def _restore_received(self, lanes: Iterable[LaneTotals]) -> None:
        """Restore the counts of received ticks: those cut or dropped in lanes, and those that the feed rejected."""
        counts = self._feed.counts
        totals = list(lanes)
        for kind in counts.received:
            counts.received[kind] = sum(getattr(lane, kind) for lane in totals)
            counts.received[kind] += sum(counts.rejected.get(kind, {}).values())
        counts.received["trades"] += sum(lane.revisions for lane in totals)
