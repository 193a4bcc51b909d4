"""Waits that are timed where they happen: a commit, a write to a log.

Tests: tests/desk/telemetry/test_timed_wait.py
"""

from collections.abc import Callable
from types import TracebackType

from desk.telemetry.histogram import Histogram


class TimedWait:
    """Times the block of a `with` statement. One thread enters it at a time, any thread may read.

    `stopwatch` returns ns of a running timer. `durations` are those of ended waits.
    """

    def __init__(self, stopwatch: Callable[[], int]) -> None:
        self.durations = Histogram()
        self._stopwatch = stopwatch
        self._began_ns: int | None = None
        self._ended_ns = 0

    @property
    def total_ns(self) -> int:
        """All waits so far, with the one that has not ended."""
        began_ns = self._began_ns
        return self._ended_ns + (0 if began_ns is None else max(self._stopwatch() - began_ns, 0))

    def __enter__(self) -> None:
        self._began_ns = self._stopwatch()

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._began_ns is not None, "it was entered"
        took_ns = self._stopwatch() - self._began_ns
        self._began_ns = None
        self._ended_ns += took_ns
        self.durations.add_one(took_ns)
