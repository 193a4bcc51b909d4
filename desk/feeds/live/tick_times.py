"""The venue's times, judged at the edge: those that cannot be right, and how late ticks usually are.

Theory. The lag of a tick is session time at its reading less the venue's time. It holds the venue's delay, the offset
of its clock, and how far this reader is behind. Only the last is an overload. It grows no faster than time passes, and
one tick says nothing about it. So the floor, which stands for delay and offset, is measured in votes: the median lag
of all ticks of one second is a vote, the median of the last RECENT votes is a level, and the least level of the last
30 to 60 s is the floor. Lag that grows faster than time passes, or falls far below the floor, is no lag but a step of
a clock, or times that are wrong. Where LEAST votes in a row agree on it, it is a step, and all is measured anew.
"""

from collections import deque
from collections.abc import Sequence
from statistics import median_high, median_low
from typing import Final, NamedTuple

import numpy as np

from desk.feeds.live.lag import median_ns
from desk.model.block_rows import EXAMPLES
from desk.model.notes import Note
from desk.model.ticks import TIMED, Event, class_of
from desk.model.units import SECOND_NS
from desk.ports import FeedCounts

AHEAD_NS: Final = 10 * SECOND_NS
"""A tick may be so far ahead of the session beyond the measured offset."""
SLACK_NS: Final = SECOND_NS
RECENT: Final = 10
LEAST: Final = 3
FLOOR_NS: Final = 30 * SECOND_NS
SAMPLE: Final = 64
MOST_SAMPLES: Final = 2_048
END_NS: Final = 1 << 62
CAUSE: Final = "time"


class SocketRead(NamedTuple):
    """A read of the socket: session time, wall time, and seconds of session per second of wall time (0: unknown)."""

    session_ns: int
    wall_ns: int
    pace: float = 1.0

    def scaled(self, ns: int) -> int:
        """Wall time as session time, which is assumed to pass at least as fast as wall time."""
        return int(ns * max(1.0, self.pace))

    def since(self, earlier: "SocketRead") -> int:
        """The session time that passed since; a jump of the session clock does not count."""
        passed_ns = self.session_ns - earlier.session_ns
        return min(passed_ns, self.scaled(self.wall_ns - earlier.wall_ns)) if self.pace else passed_ns


class _Vote(NamedTuple):
    lag_ns: int
    at: SocketRead


class TickTimes:
    """Checks the times of ticks, and measures how far reading is behind.

    Until the first second is complete the floor is the median of its reads.

    `ahead_ns` is the measured lead of the venue's clock. `floor_ns` is the usual lag, `age_ns` the lag
    of the last read above it, `newest_ns` the newest sound time of the last read. The day's first and last instant
    bound the times that can be right; `delay_ns`, the feed's delay by design, is the least that ticks may be older.
    """

    def __init__(self, place: str, start_ns: int = 0, end_ns: int = END_NS) -> None:
        self.floor_ns = 0
        self.ahead_ns = 0
        self.age_ns = 0
        self.newest_ns = 0
        self.delay_ns = 0
        self._place = place
        self._start_ns = start_ns
        self._end_ns = end_ns
        self._samples: list[int] = []
        self._sampled: SocketRead | None = None
        self._votes: deque[_Vote] = deque(maxlen=RECENT)
        self._suspects: list[_Vote] = []
        self._first: list[int] = []
        self._levels: tuple[int | None, int | None] = (None, None)
        self._window_ns = 0
        self._least_ns: int | None = None
        self._last: _Vote | None = None
        self._good: _Vote | None = None
        self._notes: list[Note] = []

    def take_notes(self) -> list[Note]:
        """New lines for the log since the last call."""
        notes, self._notes = self._notes, []
        return notes

    def sound(self, ticks: list[Event], read: SocketRead) -> list[Event]:
        """The ticks of one read whose times can be right, in order; the lag is measured of all ticks."""
        self._sample(ticks, read)
        times_ns = [tick.ts_ns for tick in ticks]
        earliest_ns = self._start_ns - max(self.floor_ns, self.delay_ns)
        latest_ns = min(self._latest_ns(read), END_NS)
        self.newest_ns = max(times_ns)
        if min(times_ns) >= earliest_ns and self.newest_ns <= latest_ns:
            return ticks
        found = [tick for tick in ticks if earliest_ns <= tick.ts_ns <= latest_ns]
        self.newest_ns = max([tick.ts_ns for tick in found], default=0)
        return found

    def lag_ns(self, ticks: Sequence[Event], read: SocketRead) -> int | None:
        """The median lag of sound ticks, plus the lead of the venue's clock; None without a trade or quote."""
        lag_ns = median_ns(read.session_ns, ticks)
        if lag_ns is None:
            return None
        self._age(_Vote(lag_ns, read))
        self._good = _Vote(lag_ns + self.ahead_ns, read)
        return self._good.lag_ns

    def doubt_ns(self, read: SocketRead) -> int:
        """The age of the data after a read without a sound tick: the lag of the last sound read, and the time since."""
        if self._good is None:
            self._good = _Vote(0, read)
        return self._good.lag_ns + max(read.session_ns - self._good.at.session_ns, 0)

    def caught_up(self) -> None:
        """Record that nothing was left to read."""
        self.age_ns = 0

    def shift(self, step_ns: int) -> None:
        """Add a step of this machine's clock, and so of session time, to every lag."""
        self._samples = []
        self._suspects = []
        self._votes = deque((_Vote(vote.lag_ns + step_ns, vote.at) for vote in self._votes), RECENT)
        older, newer = self._levels
        self._levels = (None if older is None else older + step_ns, None if newer is None else newer + step_ns)
        self._least_ns = None if self._least_ns is None else self._least_ns + step_ns
        self.floor_ns += step_ns
        self.ahead_ns = 0 if self._least_ns is None else max(0, -self._least_ns)
        self._last = None

    def _latest_ns(self, read: SocketRead) -> int:
        """The latest time that can be right. If the pace is unknown, a read's session time is uncertain too."""
        limit_ns = read.scaled(AHEAD_NS) + self.ahead_ns
        return read.session_ns + limit_ns if read.pace else max(self._end_ns, read.session_ns) + limit_ns

    def _sample(self, ticks: Sequence[Event], read: SocketRead) -> None:
        before = self._sampled
        if before is not None and read.wall_ns // SECOND_NS != before.wall_ns // SECOND_NS:
            self._complete(before)
        if len(self._samples) < MOST_SAMPLES:
            step = -(-len(ticks) // SAMPLE)
            self._samples += [read.session_ns - tick.ts_ns for tick in ticks[::step] if type(tick) in TIMED]
            self._sampled = read

    def _complete(self, at: SocketRead) -> None:
        """End a second: its vote counts, unless it is suspect."""
        samples, self._samples, self._sampled = self._samples, [], None
        if not samples:
            return
        vote = _Vote(median_low(samples), at)
        if not self._suspect(vote.lag_ns, at):
            self._suspects.clear()
            self._count(vote)
            return
        if self._suspects and abs(vote.lag_ns - self._suspects[-1].lag_ns) > at.scaled(AHEAD_NS):
            self._suspects.clear()
        self._suspects.append(vote)
        if len(self._suspects) >= LEAST:
            self._restart()

    def _suspect(self, lag_ns: int, at: SocketRead) -> bool:
        """Whether no lag explains it: the venue is ahead, or fell behind faster than time passes."""
        slack_ns = at.scaled(AHEAD_NS)
        if lag_ns < -self.ahead_ns - slack_ns:
            return bool(at.pace)
        return bool(self._votes) and lag_ns > self._votes[-1].lag_ns + at.since(self._votes[-1].at) + slack_ns

    def _count(self, vote: _Vote) -> None:
        self._votes.append(vote)
        lags_ns = [each.lag_ns for each in self._votes]
        if len(lags_ns) < LEAST:
            self.floor_ns = median_high(lags_ns)
            return
        level_ns = median_low(lags_ns)
        older, newer = self._levels
        if vote.at.wall_ns - self._window_ns >= FLOOR_NS:
            older, newer = newer, None
            self._window_ns = vote.at.wall_ns
        newer = level_ns if newer is None else min(newer, level_ns)
        self._levels = (older, newer)
        self.floor_ns = newer if older is None else min(older, newer)
        self._least_ns = level_ns if self._least_ns is None else min(self._least_ns, level_ns)
        self.ahead_ns = max(0, -self._least_ns)

    def _restart(self) -> None:
        """Measure anew by the last votes: they agree on a lag that only a step of a clock explains."""
        suspects, self._suspects = self._suspects, []
        step_ns = median_low([vote.lag_ns for vote in suspects]) - self.floor_ns
        if self._votes:
            way = "back" if step_ns > 0 else "forward"
            self._notes.append(
                Note(
                    f"{self._place}: the times of all ticks went {way} by {abs(step_ns) / SECOND_NS:,.1f} s at once: a "
                    "clock was set, the venue's or this machine's. Lag is measured anew"
                )
            )
        self._votes.clear()
        self._levels = (None, None)
        self._window_ns = suspects[-1].at.wall_ns
        self._least_ns = self._last = None
        for vote in suspects:
            self._count(vote)

    def _age(self, vote: _Vote) -> None:
        """Set the lag above the floor. Lag that grew faster than time passes does not come from this reader."""
        last = self._last
        if last is not None and vote.lag_ns > last.lag_ns + vote.at.since(last.at) + vote.at.scaled(SLACK_NS):
            return
        self._last = vote
        if not self._votes and len(self._first) < SAMPLE:
            self._first.append(vote.lag_ns)
            self.floor_ns = median_low(self._first)
        self.age_ns = max(0, vote.lag_ns - self.floor_ns)


def count_rejected(counts: FeedCounts, place: str, ticks: Sequence[Event], sound: Sequence[Event]) -> None:
    """Count the received ticks without a sound time under `time`; the first few become examples."""
    kept = {tick.ordinal for tick in sound}
    for tick in ticks:
        if tick.ordinal in kept:
            continue
        kind = class_of(tick)
        causes = counts.rejected[kind]
        causes[CAUSE] = causes.get(CAUSE, 0) + 1
        if len(counts.examples) < EXAMPLES:
            counts.examples.append(f"{place}: {kind[:-1]} of {tick.symbol}, stamped {utc(tick.ts_ns)}: {CAUSE}")


def rejected_total(counts: FeedCounts) -> int:
    """The number of ticks rejected so far, for all causes."""
    return sum(sum(causes.values()) for causes in counts.rejected.values())


def utc(time_ns: int) -> str:
    """A time in words."""
    return f"{np.datetime64(time_ns, 'ns').astype('datetime64[ms]')}Z"
