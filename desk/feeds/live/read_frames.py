"""Frames of socket reads: ticks whose times cannot be right are rejected, the lag of the others is measured.

Tests: tests/desk/venues/alpaca/test_alpaca_feed.py
"""

from collections.abc import Iterable

from desk.feeds.live.tick_times import SocketRead, TickTimes, count_rejected, rejected_total
from desk.model.feed_health import FeedHealth
from desk.model.ticks import Event, Frame, class_of
from desk.ports import FeedCounts


class ReadFrames:
    """Makes the frames of a live feed, and keeps its counts of rejected and skipped ticks."""

    def __init__(self, place: str, counts: FeedCounts, times: TickTimes, health: FeedHealth) -> None:
        self._place = place
        self._counts = counts
        self._times = times
        self._health = health
        self._rejected = 0

    @property
    def has_rejected(self) -> bool:
        """Whether ticks were rejected since the last frame."""
        return rejected_total(self._counts) > self._rejected

    def frame(self, ticks: list[Event], read: SocketRead) -> Frame:
        """The frame of one read. If ticks came and all are rejected, nothing new is known: the data age."""
        sound = self._times.sound(ticks, read) if ticks else ticks
        if len(sound) < len(ticks):
            count_rejected(self._counts, self._place, ticks, sound)
        has_rejected, self._rejected = self.has_rejected, rejected_total(self._counts)
        if not ticks:
            self._times.caught_up()
        if not sound:
            doubt_ns = self._times.doubt_ns(read) if has_rejected else None
            return Frame(sound, read.session_ns, mark=False, lag_ns=doubt_ns)
        lag_ns = self._times.lag_ns(sound, read)
        fastest_ns = None if lag_ns is None else read.session_ns - self._times.newest_ns
        return Frame(sound, read.session_ns, False, lag_ns, fastest_ns)

    def skip(self, ticks: Iterable[Event], *, is_early: bool = False) -> None:
        """Count ticks read before the start or after the end as skipped instead of received."""
        for tick in ticks:
            kind = class_of(tick)
            self._counts.received[kind] -= 1
            self._counts.skipped[kind] += 1
            self._health.early += is_early
            self._health.late += not is_early
