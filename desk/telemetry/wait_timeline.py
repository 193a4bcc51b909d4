"""What a process's working thread waited for, over the last minute: any interval can be divided by kind of waiting.

Tests: tests/desk/telemetry/test_wait_timeline.py
"""

from bisect import bisect_left
from threading import Lock
from typing import Final, NamedTuple, Protocol

MAX_SLICES: Final = 12_000
"""More than a minute of slices, also at the probe's shortest period."""


class WaitTimes(NamedTuple):
    """Times of one interval in ns, which do not overlap; `work` is CPU time of the working thread."""

    lock: int = 0
    throttled: int = 0
    run_queue: int = 0
    gc: int = 0
    work: int = 0


class WaitSlice(NamedTuple):
    """What the time from the end of the slice before up to `end_ns` (wall time) was spent on."""

    end_ns: int
    times: WaitTimes


class WaitSource(Protocol):
    """Divides intervals of wall time."""

    @property
    def end_ns(self) -> int:
        """The wall time up to which waits are known."""
        ...

    def between(self, began_ns: int, ended_ns: int) -> WaitTimes:
        """The waits in this interval; 0 for what is not known."""
        ...


class NoWaits:
    """Knows no waits: for parts outside a process with meters."""

    end_ns = 2**63 - 1  # nothing more will be known

    def between(self, began_ns: int, ended_ns: int) -> WaitTimes:  # noqa: ARG002 - as WaitSource
        """Return no waits."""
        return WaitTimes()


class WaitTimeline:
    """The last slices in the order of their ends, with cumulated times. Within a slice, times are spread evenly.

    One thread adds slices, others read.
    """

    def __init__(self, start_ns: int) -> None:
        self._ends = [start_ns]
        self._sums = [WaitTimes()]
        self._lock = Lock()

    @property
    def end_ns(self) -> int:
        """The end of the last slice."""
        return self._ends[-1]

    def add(self, one: WaitSlice) -> None:
        """Add a slice; one that does not end after the last (the clock was set back) is dropped."""
        with self._lock:
            if one.end_ns <= self._ends[-1]:
                return
            last = self._sums[-1]
            self._sums.append(WaitTimes(*(was + new for was, new in zip(last, one.times, strict=True))))
            self._ends.append(one.end_ns)
            if len(self._ends) > 2 * MAX_SLICES:
                del self._ends[:MAX_SLICES], self._sums[:MAX_SLICES]

    def between(self, began_ns: int, ended_ns: int) -> WaitTimes:
        """The waits in this interval; 0 for the part before the first and after the last slice."""
        with self._lock:
            before, after = self._at(began_ns), self._at(ended_ns)
        return WaitTimes(*(max(round(late - early), 0) for early, late in zip(before, after, strict=True)))

    def _at(self, wall_ns: int) -> tuple[float, ...]:
        """The cumulated times at this moment."""
        ends, sums = self._ends, self._sums
        place = bisect_left(ends, wall_ns)
        if place == len(ends):
            return sums[-1]
        if place == 0:
            return sums[0]
        share = (wall_ns - ends[place - 1]) / (ends[place] - ends[place - 1])
        return tuple(early + share * (late - early) for early, late in zip(sums[place - 1], sums[place], strict=True))
