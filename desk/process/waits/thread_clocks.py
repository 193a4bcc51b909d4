"""CPU time and run-queue wait of one thread, from the operating system.

Tests: tests/desk/process/test_waits.py
"""

import os
import time
from pathlib import Path
from threading import Thread
from typing import Final

TASKS: Final = Path("/proc/self/task")


class ThreadClocks:
    """The clocks of a running thread of this process.

    `has_run_queue`: the kernel counts how long the thread was ready to run and got no CPU (Linux, schedstat). The count
    includes the time in which a CPU quota was used up.
    """

    def __init__(self, thread: Thread) -> None:
        assert thread.ident is not None, "a thread that was started"
        self.ident = thread.ident
        self._clock = time.pthread_getcpuclockid(thread.ident) if hasattr(time, "pthread_getcpuclockid") else None
        self._stat = _opened(TASKS / str(thread.native_id) / "schedstat")

    @property
    def has_run_queue(self) -> bool:
        """Whether `run_queue_ns` is measured."""
        return self._stat is not None

    def cpu_ns(self) -> int:
        """CPU time of the thread so far; 0 where the system has no such clock, and after the thread's end."""
        if self._clock is None:
            return 0
        try:
            return time.clock_gettime_ns(self._clock)
        except OSError:  # the thread has ended
            self._clock = None
            return 0

    def run_queue_ns(self) -> int:
        """Time in the run queue so far (Linux, Documentation/scheduler/sched-stats.rst: the second number)."""
        if self._stat is None:
            return 0
        try:
            return int(os.pread(self._stat, 96, 0).split()[1])
        except (OSError, IndexError):  # the thread has ended
            self.close()
            return 0

    def close(self) -> None:
        """Close the kernel's file."""
        if self._stat is not None:
            os.close(self._stat)
            self._stat = None

    def __del__(self) -> None:
        self.close()


def _opened(path: Path) -> int | None:
    try:
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
