"""Stacks of another Python process: which code holds the interpreter's lock, or keeps a process from going on.

py-spy reads them from outside, if the system permits it (ptrace). Else the process is asked for them by a signal, which
`desk.process.stack_dump` answers even while a thread holds the lock.

Tests: tests/console/test_stacks.py
"""

import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from desk.process.stack_dump import request_stacks
from desk.report.diagnosis import Finding

SAMPLES: Final = 12
TIMEOUT_S: Final = 10.0
METERS: Final = "wait-probe"
PROBE: Final = "lock_probe.py"
BLOCKED: Final = {"log": "/log_file.py", "ledger": "/ledger"}
"""The code in which a process blocks, by the kind of finding."""
PLUMBING: Final = ("/threading.py", "/ray/", "/concurrent/futures/")


class SpyFrame(msgspec.Struct):
    """One frame, as py-spy names it."""

    name: str
    filename: str
    line: int = 0

    def __str__(self) -> str:
        return f"{self.name} ({self.filename}:{self.line})"


class SpyThread(msgspec.Struct):
    """One thread: the innermost frame is the first."""

    frames: list[SpyFrame]
    thread_name: str | None = None
    active: bool = False
    owns_gil: bool = False


def find_holder(finding: Finding) -> str:
    """The function that most samples accuse, with how often; "" if no stack could be read."""
    counts: Counter[str] = Counter()
    taken = 0
    for threads in _samples(finding.pid):
        taken += 1
        counts.update({_accused(thread) for thread in threads if _is_accused(thread, finding)})
    if not taken:
        return _by_signal(finding.pid)
    if not counts:
        return ""
    (code, seen), *_ = counts.most_common(1)
    return f"{code}, in {seen} of {taken} stacks"


def _is_accused(thread: SpyThread, finding: Finding) -> bool:
    """Of a process that waits for its lock, the thread that owns it; of others, the one that does the work."""
    if thread.thread_name == METERS or all(map(_is_plumbing, thread.frames)):
        return False
    if finding.kind == "interpreter lock":
        return thread.owns_gil
    if code := BLOCKED.get(finding.kind):
        return any(code in frame.filename for frame in thread.frames)
    return thread.thread_name == "MainThread"


def _accused(thread: SpyThread) -> str:
    where = next((frame for frame in thread.frames if not _is_plumbing(frame)), thread.frames[0])
    return f"{where} in thread {thread.thread_name or '?'}"


def _is_plumbing(frame: SpyFrame) -> bool:
    return any(part in frame.filename for part in PLUMBING)


def _samples(pid: int) -> Iterator[list[SpyThread]]:
    program = shutil.which("py-spy", path=str(Path(sys.executable).parent)) or shutil.which("py-spy")
    if program is None:
        return
    for _ in range(SAMPLES):
        try:
            done = subprocess.run(  # noqa: S603 - a program beside this interpreter
                [program, "dump", "--json", "--pid", str(pid)],
                capture_output=True,
                timeout=TIMEOUT_S,
                check=False,
                stdin=subprocess.DEVNULL,
            )
            if done.returncode:
                return
            yield msgspec.json.decode(done.stdout, type=list[SpyThread])
        except (OSError, subprocess.TimeoutExpired, msgspec.DecodeError):
            return


def _by_signal(pid: int) -> str:
    """The innermost frame of each thread but the meters'; "" if the process does not answer.

    faulthandler does not tell which thread holds the lock.
    """
    innermost = []
    for block in request_stacks(pid).split("\n\n"):
        frames = [text.strip() for text in block.splitlines() if text.startswith("  File ")]
        if frames and PROBE not in block:
            innermost.append(frames[0])
    return f"one of {'; '.join(innermost)} (by faulthandler)" if innermost else ""
