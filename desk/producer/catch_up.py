"""A producer that continues a session: what the shards have had of it from the producer before.

Tests: tests/desk/inprocess/test_recovery.py
"""

from collections.abc import Iterable
from typing import Final

from desk.model.batch import LaneTotals, ShardPosition
from desk.model.ticks import Frame, Quote, Tick
from desk.model.units import SECOND_NS
from desk.ports import Clock, Feed, LiveFeed

CONNECT_NS: Final = 10 * SECOND_NS


class CatchUp:
    """How far a successor has to play before it may stop, and which ticks it reads again although a shard had them.

    A shard that stands behind the mark or the ticks of another needs what comes between. A live feed's marks are given
    again, and it has CONNECT_NS to connect: else a stop would leave a feed that was up as down. Of a feed that can be
    read again, the ticks come again too. Where such a feed cannot wait for the lanes, a tick that was applied,
    conflated or dropped in an earlier producer's lane is not routed a second time: its fate is counted.
    """

    def __init__(self, feed: Feed, live: LiveFeed | None, clock: Clock) -> None:
        self._feed = feed
        self._live = live
        self._clock = clock
        self._connect_by_ns = 0
        self._behind = False
        self._mark_ns = 0
        self._end_ns = 0
        self._newest = -1
        self._read = -1
        self._had: dict[str, int] = {}

    def begin(
        self, positions: Iterable[ShardPosition], closed: Iterable[LaneTotals], start_ns: int, mark_ns: int
    ) -> None:
        """Take in where all shards stand, and the totals of lanes that are closed.

        `start_ns` is the session's, `mark_ns` the last mark that any shard or decision of the session had.
        """
        known = list(positions)
        if not self._feed.lossless:
            self._count_again([position.lane for position in known] + list(closed))
        self._mark_ns = mark_ns
        self._behind = self._mark_ns > 0
        self._connect_by_ns = self._clock.wall_ns() + CONNECT_NS
        if not self._feed.repeatable:
            return
        had: dict[str, int] = {}
        for position in known:
            for symbol, ordinal in position.ordinals.items():
                had[symbol] = max(had.get(symbol, -1), ordinal)
        self._newest = max(had.values(), default=-1)
        self._behind = self._behind or self._newest >= 0
        self._end_ns = max(self._mark_ns, start_ns) + SECOND_NS
        if not self._feed.lossless:
            self._had = had

    def take(self, frame: Frame) -> list[Tick]:
        """The ticks of a frame that are to be routed."""
        ticks = frame.ticks
        if not self._behind or not ticks:
            return ticks
        self._read = max(self._read, ticks[-1].ordinal)
        if not self._had:
            return ticks
        had, received = self._had, self._feed.counts.received
        fresh = []
        for tick in ticks:
            if tick.ordinal > had.get(tick.symbol, -1):
                fresh.append(tick)
            else:
                received["quotes" if type(tick) is Quote else "trades"] -= 1
        return fresh

    def done(self, session_ns: int) -> bool:
        """Whether all shards have had, at this session time, what any of them had."""
        if self._behind and session_ns >= self._mark_ns:
            self._behind = self._connecting or (self._read < self._newest and session_ns < self._end_ns)
            if not self._behind:
                self._had = {}
        return not self._behind

    @property
    def _connecting(self) -> bool:
        live = self._live
        return live is not None and live.down_from_ns is not None and self._clock.wall_ns() < self._connect_by_ns

    def _count_again(self, lanes: Iterable[LaneTotals]) -> None:
        """What was received: what was cut or dropped in lanes, and what the feed rejected."""
        counts = self._feed.counts
        totals = list(lanes)
        for kind in counts.received:
            counts.received[kind] = sum(getattr(lane, kind) for lane in totals)
            counts.received[kind] += sum(counts.rejected.get(kind, {}).values())
        counts.received["trades"] += sum(lane.revisions for lane in totals)
