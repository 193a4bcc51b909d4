"""The descendants of this process, and how to kill them.

Tests: tests/desk/inprocess/test_signals.py
"""

import contextlib
import os
import signal
from pathlib import Path
from typing import Final

spared: Final[set[int]] = set()
"""Processes that clean up after this one; they end by themselves."""


def kill_descendants() -> None:
    """Kill every descendant of this process but those `spared`; each is stopped first, so that it starts no more."""
    found: list[int] = []
    waiting = _children(os.getpid())
    while waiting:
        pid = waiting.pop()
        if pid in spared:
            continue
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGSTOP)
        found.append(pid)
        waiting += _children(pid)
    for pid in reversed(found):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)


def _children(pid: int) -> list[int]:
    """The children of a process (proc(5), /proc/pid/task/tid/children); none where it is gone."""
    try:
        threads = list(Path(f"/proc/{pid}/task").iterdir())
    except OSError:
        return []
    children: list[int] = []
    for thread in threads:
        with contextlib.suppress(OSError):
            children += map(int, (thread / "children").read_text(encoding="ascii").split())
    return children
