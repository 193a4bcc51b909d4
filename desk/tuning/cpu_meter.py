"""CPU time of this thread by the part that used it."""

import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager


class CpuMeter:
    """Assigns CPU time to the innermost active part, else to `rest`."""

    def __init__(self, rest: str) -> None:
        self._spent_ns: defaultdict[str, int] = defaultdict(int)
        self._working = [rest]
        self._since_ns = time.thread_time_ns()

    @contextmanager
    def of(self, part: str) -> Iterator[None]:
        """A context manager: the CPU time within belongs to this part."""
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
