"""Loads a plan's classes in a child process first: code that ends its process ends only the child.

The child is a fork. All large libraries are already imported, so it costs some milliseconds and the imports of the
plan. A fork copies only one thread, and another thread could hold a lock: with several threads, no child is started.
"""

import contextlib
import ctypes
import faulthandler
import importlib
import os
import select
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple, NoReturn

from desk.model.errors import StrategyError

PATIENCE_S: Final = 30.0
POLL_S: Final = 0.5
KEPT_BYTES: Final = 20_000
DONE: Final = "done"
PR_SET_PDEATHSIG: Final = 1


class LoadEntry(NamedTuple):
    """A class to load: place of its entry in the plan, its name, and the function that loads it."""

    place: str
    use: str
    load: Callable[[], object]

    @property
    def module(self) -> str:
        return self.use.partition(":")[0]


def try_in_child(entries: Sequence[LoadEntry], report: Callable[[str], None], patience_s: float = PATIENCE_S) -> None:
    """Load the entries in a child process. Raises StrategyError if this ended the child.

    Other faults are left for loading in this process. `report` receives the output of a child that ended, and one
    message if loading takes longer than `patience_s`; loading then continues.
    """
    if not entries or sys.platform != "linux" or threading.active_count() > 1:
        return
    progress, output = os.pipe(), os.pipe()
    parent = os.getpid()
    pid = _fork() if min(*progress, *output) > 2 else None
    if pid is None:
        for pipe in (*progress, *output):
            os.close(pipe)
        return
    if pid == 0:
        _load_all(entries, progress[1], output[1], parent)
    os.close(progress[1])
    os.close(output[1])
    child = _Child(pid, progress[0], output[0])
    try:
        child.wait(entries, report, patience_s)
    finally:
        child.close()
    if not child.is_done:
        if child.output.strip():
            report(child.output.rstrip())
        raise child.fault(entries)


class _Child:
    """The parent's side of the child. The child writes lines: number and stage of an entry, or the place of an exit.

    The child's end is detected when its pipes close, or within POLL_S if a grandchild keeps them open.
    """

    def __init__(self, pid: int, progress: int, output: int) -> None:
        self._pid = pid
        self._status: int | None = None
        self._lost_pipes = False
        self._received = {progress: b"", output: b""}
        self._open = [progress, output]
        self._progress, self._output = progress, output

    @property
    def _lines(self) -> list[str]:
        return self._received[self._progress].decode(errors="replace").splitlines()

    @property
    def output(self) -> str:
        return self._received[self._output][-KEPT_BYTES:].decode(errors="replace")

    @property
    def is_done(self) -> bool:
        return self._lines[-1:] == [DONE]

    def wait(self, entries: Sequence[LoadEntry], report: Callable[[str], None], patience_s: float) -> None:
        """Wait until the child is done or has ended."""
        due_s = time.monotonic() + patience_s
        reported = False
        while self._open and not self.is_done and not self._has_ended():
            ready, _, _ = select.select(self._open, [], [], POLL_S)
            for pipe in ready:
                self._read(pipe)
            if not reported and time.monotonic() > due_s:
                reported = True
                entry, stage = self._stage(entries)
                report(f"{stage} `{entry.use}` takes longer than {patience_s:g} s ({entry.place}); ctrl-c ends it")

    def close(self) -> None:
        """Kill the child if it still runs, and close the pipes."""
        if self._status is None:
            if not self.is_done and not self._ends_soon():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(self._pid, signal.SIGKILL)
                    self._lost_pipes = not self._open
            self._status = self._wait(0)[1]
        for pipe in (self._progress, self._output):
            os.close(pipe)

    def fault(self, entries: Sequence[LoadEntry]) -> StrategyError:
        """The error for a child that ended."""
        entry, stage = self._stage(entries)
        exits = [line.removeprefix("exit ") for line in self._lines if line.startswith("exit ")]
        code = os.waitstatus_to_exitcode(self._status or 0)
        how = f"signal {-code}, {_signal_name(-code)}" if code < 0 else f"os._exit({code})"
        where = f" at {exits[-1]}" if exits and code >= 0 else ""
        action = f"ended the process ({how}{where})"
        if self._lost_pipes or (not code and not exits):  # it closed the pipes and could not report
            action = "closed files that are not its own"
        return StrategyError(
            entry.place,
            f"{stage} `{entry.use}` {action}",
            "a class that loads without ending the process",
            "Correct its module, its constructor or its pickling.",
        )

    def _read(self, pipe: int) -> None:
        piece = os.read(pipe, 65_536)
        if not piece:
            self._open.remove(pipe)
        kept = self._received[pipe] + piece
        self._received[pipe] = kept if pipe == self._progress else kept[-KEPT_BYTES:]

    def _has_ended(self) -> bool:
        """Whether the child has ended and all its output is read."""
        if self._status is None:
            pid, status = self._wait(os.WNOHANG)
            self._status = status if pid else None
        return self._status is not None and not select.select(self._open, [], [], 0)[0]

    def _ends_soon(self) -> bool:
        """Whether a child that has closed both pipes ends within POLL_S."""
        if self._open:
            return False
        process = os.pidfd_open(self._pid)
        try:
            return bool(select.select([process], [], [], POLL_S)[0])
        finally:
            os.close(process)

    def _wait(self, options: int) -> tuple[int, int]:
        try:
            return os.waitpid(self._pid, options)
        except ChildProcessError:  # SIGCHLD is ignored, so the kernel has already reaped it
            return self._pid, 0

    def _stage(self, entries: Sequence[LoadEntry]) -> tuple[LoadEntry, str]:
        stages = [line.split(" ", 1) for line in self._lines if line[:1].isdigit()]
        number, stage = stages[-1] if stages else ("0", "loading")
        return entries[int(number)], stage


def _fork() -> int | None:
    """The child's process ID, 0 in the child; None if no process can be created."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            with contextlib.suppress(OSError):  # the reader has closed the pipe
                stream.flush()
    with warnings.catch_warnings():
        # Python 3.12 warns if other threads run; the remaining threads of libraries handle forks themselves.
        warnings.simplefilter("ignore", DeprecationWarning)
        try:
            return os.fork()
        except OSError:
            return None


def _load_all(entries: Sequence[LoadEntry], progress: int, output: int, parent: int) -> NoReturn:
    """Run the child to its end. It runs no atexit functions."""
    exit_process = os._exit
    try:
        _set_up(output, parent)

        def send(line: str) -> None:
            os.write(progress, f"{line}\n".encode(errors="replace"))

        os._exit = _reporting_exit(send, exit_process)  # type: ignore[assignment]  # it does not return either
        for number, entry in enumerate(entries):
            send(f"{number} importing")
            importlib.import_module(entry.module)
            send(f"{number} loading")
            entry.load()
    except BaseException:  # noqa: BLE001, S110 - loading in the parent raises it again
        pass
    with contextlib.suppress(BaseException):
        os.write(progress, f"{DONE}\n".encode())
    exit_process(0)


def _set_up(output: int, parent: int) -> None:
    """Let signals and the death of the parent end the child; send its output and tracebacks of crashes to the pipe."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    faulthandler.enable(file=2)
    sys.stdout, sys.stderr = (os.fdopen(number, "w", buffering=1, errors="replace") for number in (1, 2))


def _reporting_exit(send: Callable[[str], None], exit_process: Callable[[int], NoReturn]) -> Callable[[int], NoReturn]:
    """An os._exit that first reports the calling line. It is pickled under the name of the original."""
    child = os.getpid()

    def report_and_exit(status: int) -> NoReturn:
        if os.getpid() == child:
            caller = sys._getframe(1)  # noqa: SLF001 - the documented way to a caller's frame
            send(f"exit {caller.f_code.co_filename}, line {caller.f_lineno}")
        exit_process(status)

    report_and_exit.__module__, report_and_exit.__qualname__, report_and_exit.__name__ = "os", "_exit", "_exit"
    return report_and_exit


def _signal_name(number: int) -> str:
    return signal.Signals(number).name if number in signal.valid_signals() else "unknown"
