"""Stacks on demand: a signal has this process write the stacks of its threads, also while a thread holds the lock.

faulthandler's handler runs in C, in any thread. The stacks go to a file in memory, which processes of the same user can
read through /proc.

Tests: tests/console/test_stacks.py
"""

import faulthandler
import os
import signal
import time
from pathlib import Path
from typing import Final

NAME: Final = "raydesk-stacks"
NUMBER: Final = signal.SIGUSR2
ANSWER_S: Final = 2.0
LOOK_EVERY_S: Final = 0.02
MAX_BYTES: Final = 256 * 1024
_answering: list[int] = []


def answer_requests() -> None:
    """Answer requests of this process's user from now on; a handler of other code stays as it is."""
    if _answering or not hasattr(os, "memfd_create") or signal.getsignal(NUMBER) is not signal.SIG_DFL:
        return
    _answering.append(os.memfd_create(NAME))  # open as long as the process
    faulthandler.register(NUMBER, file=_answering[0], all_threads=True)


def request_stacks(pid: int) -> str:
    """The stacks of another process; "" if it does not answer requests, is not this user's, or has ended.

    The signal is sent only to a process that has the file and a handler: it would end any other.
    """
    try:
        file = next((each for each in Path(f"/proc/{pid}/fd").iterdir() if NAME in str(each.readlink())), None)
        if file is None or not _handles(pid):
            return ""
        before = file.stat().st_size
        os.kill(pid, NUMBER)
        end_s = time.monotonic() + ANSWER_S
        size = before
        while time.monotonic() < end_s:
            time.sleep(LOOK_EVERY_S)
            last, size = size, file.stat().st_size
            if size > before and size == last:
                break
        with file.open("rb") as opened:
            opened.seek(before)
            return opened.read(MAX_BYTES).decode(errors="replace")
    except OSError:
        return ""


def _handles(pid: int) -> bool:
    """Whether the process has a handler for the signal (Linux, proc_pid_status(5), SigCgt)."""
    status = Path(f"/proc/{pid}/status").read_text()
    caught = next(line.split()[1] for line in status.splitlines() if line.startswith("SigCgt:"))
    return bool(int(caught, 16) & 1 << (NUMBER - 1))
