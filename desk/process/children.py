"""Processes that code of strategies or scanners started: find, identify, kill.

Tests: tests/desk/process/test_exit_watch.py
"""

import contextlib
import ctypes
import os
import signal
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Final

import msgspec

PROC: Final = Path("/proc")
MARK: Final = "RAYDESK_STARTED_BY"
PR_SET_CHILD_SUBREAPER: Final = 36
COMMAND_LETTERS: Final = 60
# Fields of /proc/PID/stat after the command (proc_pid_stat(5)).
STATE, PARENT, START = 0, 1, 19
ENDED: Final = ("Z", "X")


class ChildProcess(msgspec.Struct, frozen=True, array_like=True):
    """A process: its id, and its start in the kernel's ticks, which excludes a later process of the same id."""

    pid: int
    start: int
    command: str

    def __str__(self) -> str:
        return f"process {self.pid} ({self.command})"


def adopt_orphans() -> None:
    """Let orphaned descendants become children of this process, in any session."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def mark_children(desk: str) -> None:
    """Put the desk's name in the environment of programs that this process starts."""
    os.environ[MARK] = desk


def has_children() -> bool:
    """Whether this process has children, running or ended; one system call."""
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def running_descendants(known: Collection[ChildProcess] = ()) -> list[ChildProcess]:
    """The running descendants of this process, without the known ones and their descendants."""
    if not has_children():
        return []
    processes = dict(_processes())
    skipped = {child.pid for child in known if child.pid in processes and processes[child.pid][2] == child.start}
    below = {os.getpid()}
    found: dict[int, ChildProcess] = {}
    while True:
        new = [
            pid
            for pid, (parent, *_) in processes.items()
            if parent in below and pid not in below and pid not in skipped
        ]
        if not new:
            return list(found.values())
        below.update(new)
        found |= {
            pid: ChildProcess(pid, processes[pid][2], processes[pid][3])
            for pid in new
            if processes[pid][1] not in ENDED
        }


def end_processes(children: Iterable[ChildProcess]) -> None:
    """Kill those that still run, and reap this process's own children."""
    for child in children:
        if _start_of(child.pid) == child.start:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(child.pid, signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(child.pid, 0)


def end_marked_processes(desk: str) -> None:
    """Kill every process on this machine that has the desk's mark in its environment."""
    mark = f"{MARK}={desk}".encode()
    for folder in PROC.glob("[0-9]*"):
        try:
            environment = (folder / "environ").read_bytes().split(b"\0")
        except OSError:
            continue
        if mark in environment and int(folder.name) != os.getpid():
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(int(folder.name), signal.SIGKILL)


def _processes() -> Iterator[tuple[int, tuple[int, str, int, str]]]:
    """By id: parent, state, start, command."""
    for folder in PROC.glob("[0-9]*"):
        found = _stat(int(folder.name))
        if found is not None:
            command, fields = found
            yield int(folder.name), (int(fields[PARENT]), fields[STATE], int(fields[START]), command)


def _start_of(pid: int) -> int | None:
    found = _stat(pid)
    return None if found is None else int(found[1][START])


def _stat(pid: int) -> tuple[str, list[str]] | None:
    try:
        text = (PROC / str(pid) / "stat").read_text(errors="replace")
    except OSError:
        return None
    head, _, tail = text.rpartition(")")
    return head.partition("(")[2][:COMMAND_LETTERS], tail.split()
