"""What a process's working thread waited for, of late: any interval can be divided by kind of waiting.

Tests: tests/desk/telemetry/test_wait_timeline.py
"""

from bisect import bisect_right
from threading import Lock
from typing import Final, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

MAX_SLICES: Final = 12_000
"""At least ten seconds of slices at the probe's shortest period, ten minutes at its usual one."""


class WaitTimes(NamedTuple):
    """Times of one interval in ns; `work` is CPU time of the working thread.

    They do not overlap, but for `held`: how long any thread, the working one too, kept the lock from the probe.
    """

    lock: int = 0
    throttled: int = 0
    run_queue: int = 0
    gc: int = 0
    work: int = 0
    held: int = 0


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

    def within(self, began_ns: NDArray[np.int64], ended_ns: NDArray[np.int64]) -> NDArray[np.int64]:
        """The waits in these intervals, a row each, a column for each field of WaitTimes; 0 for what is not known."""
        ...


class NoWaits:
    """Knows no waits: for parts outside a process with meters."""

    end_ns = 2**63 - 1  # nothing more will be known

    def within(self, began_ns: NDArray[np.int64], ended_ns: NDArray[np.int64]) -> NDArray[np.int64]:  # noqa: ARG002
        """Return no waits."""
        return np.zeros((len(began_ns), len(WaitTimes._fields)), np.int64)


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
        """The waits in one interval."""
        row = self.within(np.array([began_ns], np.int64), np.array([ended_ns], np.int64))[0]
        return WaitTimes(*row.tolist())

    def within(self, began_ns: NDArray[np.int64], ended_ns: NDArray[np.int64]) -> NDArray[np.int64]:
        """The waits in these intervals; 0 for the parts before the first and after the last slice."""
        if not len(began_ns):
            return np.zeros((0, len(WaitTimes._fields)), np.int64)
        with self._lock:
            first = max(bisect_right(self._ends, int(began_ns.min())) - 1, 0)
            ends, sums = self._ends[first:], self._sums[first:]
        base_ns = ends[0]  # floats are exact enough for differences only
        times = np.array(ends, np.int64) - base_ns
        totals = np.array(sums, np.int64) - np.array(sums[0], np.int64)
        columns = [
            np.interp(ended_ns - base_ns, times, column) - np.interp(began_ns - base_ns, times, column)
            for column in totals.T
        ]
        found: NDArray[np.int64] = np.rint(np.stack(columns, axis=1)).astype(np.int64)
        return found
