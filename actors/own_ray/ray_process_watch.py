"""Watches Ray's processes by pidfds: without polling, and a stopped process (SIGSTOP) does not count as ended.

Tests: tests/actors/test_ray_deaths.py
"""

import contextlib
import os
import select
import threading
from collections.abc import Callable
from pathlib import Path

from actors.ray_internals.names import AGENTS


class RayProcessWatch:
    """Calls `ended` once, in a thread of its own, with the name of the first watched process that ends.

    A process that is stopped (SIGSTOP) has not ended.
    """

    def __init__(self, ended: Callable[[str], None]) -> None:
        self._ended = ended
        self._poll = select.epoll()
        self._lock = threading.Lock()
        self._names: dict[int, str] = {}
        self._pids: dict[str, int] = {}
        self._wake = os.eventfd(0, os.EFD_CLOEXEC)
        self._poll.register(self._wake, select.EPOLLIN)
        self._thread = threading.Thread(target=self._run, name="ray-watch", daemon=True)
        self._thread.start()

    def add(self, name: str, pid: int) -> None:
        """Watch this process, too; a process that has already ended is ignored."""
        with self._lock:
            if pid in self._pids.values() or self._poll.closed:
                return
            self._pids[name] = pid
            with contextlib.suppress(ProcessLookupError):
                pidfd = os.pidfd_open(pid)
                self._names[pidfd] = name
                self._poll.register(pidfd, select.EPOLLIN)

    def add_agents(self, raylet: int) -> int:
        """Watch the agents that this raylet has started so far; return their number."""
        found = 0
        for pid in _children(raylet):
            with contextlib.suppress(OSError):
                line = Path(f"/proc/{pid}/cmdline").read_bytes()
                for name, signs in AGENTS.items():
                    if any(sign in line for sign in signs):
                        self.add(name, pid)
                        found += 1
        return found

    def pids(self) -> dict[str, int]:
        """The watched processes, by name."""
        with self._lock:
            return dict(self._pids)

    def close(self) -> None:
        """Stop watching."""
        os.eventfd_write(self._wake, 1)

    def _run(self) -> None:
        ready = [descriptor for descriptor, _ in self._poll.poll()]
        if self._wake not in ready:
            self._ended(self._names[ready[0]])
            select.select([self._wake], [], [])
        with self._lock:
            self._poll.close()
            for descriptor in (*self._names, self._wake):
                os.close(descriptor)


def _children(pid: int) -> list[int]:
    found: list[int] = []
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            with contextlib.suppress(OSError):
                found += [int(child) for child in (task / "children").read_text().split()]
    return found
