"""Whose time it is: CPU of this thread, by the part that used it."""

import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager


class CpuMeter:
    """Gives every stretch of CPU time to one part: to the innermost that is at work, else to `rest`."""

    def __init__(self, rest: str) -> None:
        self._spent_ns: defaultdict[str, int] = defaultdict(int)
        self._working = [rest]
        self._since_ns = time.thread_time_ns()

    @contextmanager
    def of(self, part: str) -> Iterator[None]:
        """The time within is this part's."""
        self._settle()
        self._working.append(part)
        try:
            yield
        finally:
            self._settle()
            self._working.pop()

    def read(self) -> dict[str, int]:
        """CPU time in ns so far, by part."""
        self._settle()
        return dict(self._spent_ns)

    def _settle(self) -> None:
        now_ns = time.thread_time_ns()
        self._spent_ns[self._working[-1]] += now_ns - self._since_ns
        self._since_ns = now_ns
