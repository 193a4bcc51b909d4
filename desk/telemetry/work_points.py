"""CPU time and run-queue wait of the working thread at moments of its own work: exact where the probe only samples.

Tests: tests/desk/telemetry/test_work_points.py
"""

from bisect import bisect_right
from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from desk.model.units import MS_NS

MAX_POINTS: Final = 20_000
PAUSE_NS: Final = MS_NS
"""The run-queue clock costs a system call: it is read after pauses of at least this length."""


class WorkPoints:
    """The last points, in the order of time. The working thread notes them, another may read.

    `cpu_ns` returns the calling thread's CPU time, `queue_ns` its time in the run queue.
    """

    def __init__(self, cpu_ns: Callable[[], int], queue_ns: Callable[[], int]) -> None:
        self._cpu_ns = cpu_ns
        self._queue_ns = queue_ns
        self._last = (0, 0, 0)
        self._points: list[tuple[int, int, int]] = []

    def note(self, wall_ns: int) -> None:
        """Note the clocks now."""
        cpu_ns = self._cpu_ns()
        before_ns, used_ns, queue_ns = self._last
        if wall_ns - before_ns - (cpu_ns - used_ns) > PAUSE_NS:
            queue_ns = self._queue_ns()
        self._last = (wall_ns, cpu_ns, queue_ns)
        points = self._points
        points.append(self._last)
        if len(points) > 2 * MAX_POINTS:
            self._points = points[-MAX_POINTS:]

    def within(self, began_ns: NDArray[np.int64], ended_ns: NDArray[np.int64]) -> NDArray[np.int64] | None:
        """CPU time and run-queue wait in these intervals, a row each; None where too few points were noted."""
        points = self._points
        first = max(bisect_right(points, (int(began_ns.min()), 0, 0)) - 1, 0)
        found = np.array(points[first:], np.int64)
        if len(found) < 2:
            return None
        found -= found[0]  # floats are exact enough for differences only
        base_ns = points[first][0]
        columns = [
            np.interp(ended_ns - base_ns, found[:, 0], column) - np.interp(began_ns - base_ns, found[:, 0], column)
            for column in found.T[1:]
        ]
        rounded: NDArray[np.int64] = np.rint(np.stack(columns, axis=1)).astype(np.int64)
        return rounded
