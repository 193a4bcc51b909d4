"""Loading a plan's classes in a child process first: code that ends its process ends the child alone.

The child is a fork: everything that is large is imported already, so it costs some milliseconds and the plan's own
imports once more. A fork copies one thread, so there is none where another Python thread runs that could hold a lock.
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
LOOK_EVERY_S: Final = 0.5
KEPT_BYTES: Final = 20_000
DONE: Final = "done"
PR_SET_PDEATHSIG: Final = 1


class LoadEntry(NamedTuple):
    """A class to load: where its entry stands, what it is called, and how it is loaded."""

    place: str
    use: str
    load: Callable[[], object]

    @property
    def module(self) -> str:
        return self.use.partition(":")[0]


def try_in_child(entries: Sequence[LoadEntry], tell: Callable[[str], None], patience_s: float = PATIENCE_S) -> None:
    """Load the entries in a child process, whose own output is dropped. Raises StrategyError where that ended it.

    What else is wrong is found when they are loaded in this process. `tell` gets what the child had printed before it
    ended, and once a word of the entry that takes longer than `patience_s`: it is waited for.
    """
    if not entries or sys.platform != "linux" or threading.active_count() > 1:
        return
    progress, said = os.pipe(), os.pipe()
    parent = os.getpid()
    pid = _fork() if min(*progress, *said) > 2 else None
    if pid is None:
        for pipe in (*progress, *said):
            os.close(pipe)
        return
    if pid == 0:
        _load_all(entries, progress[1], said[1], parent)
    os.close(progress[1])
    os.close(said[1])
    child = _Child(pid, progress[0], said[0])
    try:
        child.wait(entries, tell, patience_s)
    finally:
        child.close()
    if not child.is_done:
        if child.output.strip():
            tell(child.output.rstrip())
        raise child.fault(entries)


class _Child:
    """The parent's side of the child. The child writes lines: number and stage of an entry, or the place of an exit.

    Its end is noticed when its pipes close, or, if a grandchild holds them open, within LOOK_EVERY_S.
    """

    def __init__(self, pid: int, progress: int, output: int) -> None:
        self._pid = pid
        self._status: int | None = None
        self._lost_pipes = False
        self._kept = {progress: b"", output: b""}
        self._open = [progress, output]
        self._progress, self._output = progress, output

    @property
    def _lines(self) -> list[str]:
        return self._kept[self._progress].decode(errors="replace").splitlines()

    @property
    def output(self) -> str:
        return self._kept[self._output][-KEPT_BYTES:].decode(errors="replace")

    @property
    def is_done(self) -> bool:
        return self._lines[-1:] == [DONE]

    def wait(self, entries: Sequence[LoadEntry], tell: Callable[[str], None], patience_s: float) -> None:
        """Wait until the child is done or has died."""
        due_s = time.monotonic() + patience_s
        reported = False
        while self._open and not self.is_done and not self._ended():
            ready, _, _ = select.select(self._open, [], [], LOOK_EVERY_S)
            for pipe in ready:
                self._read(pipe)
            if not reported and time.monotonic() > due_s:
                reported = True
                entry, stage = self._stage(entries)
                tell(f"{stage} `{entry.use}` takes longer than {patience_s:g} s ({entry.place}); ctrl-c ends it")

    def close(self) -> None:
        """Kill the child if it still runs, and close the pipes."""
        if self._status is None:
            if not self.is_done and not self._ends():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(self._pid, signal.SIGKILL)
                    self._lost_pipes = not self._open
            self._status = self._wait(0)[1]
        for pipe in (self._progress, self._output):
            os.close(pipe)

    def fault(self, entries: Sequence[LoadEntry]) -> StrategyError:
        """The error for a child that ended."""
        entry, stage = self._stage(entries)
        at = [line.removeprefix("exit ") for line in self._lines if line.startswith("exit ")]
        code = os.waitstatus_to_exitcode(self._status or 0)
        how = f"signal {-code}, {_signal_name(-code)}" if code < 0 else f"os._exit({code})"
        where = f" at {at[-1]}" if at and code >= 0 else ""
        deed = f"ended the process ({how}{where})"
        if self._lost_pipes or (not code and not at):  # it lives on or came to its own end, and could not say so
            deed = "closed files that are not its own"
        return StrategyError(
            entry.place,
            f"{stage} `{entry.use}` {deed}",
            "a class that loads and leaves the process running",
            "Correct what its module, its constructor or its pickling does.",
        )

    def _read(self, pipe: int) -> None:
        piece = os.read(pipe, 65_536)
        if not piece:
            self._open.remove(pipe)
        kept = self._kept[pipe] + piece
        self._kept[pipe] = kept if pipe == self._progress else kept[-KEPT_BYTES:]

    def _ended(self) -> bool:
        """Whether it has ended, once all is read that it has written."""
        if self._status is None:
            pid, status = self._wait(os.WNOHANG)
            self._status = status if pid else None
        return self._status is not None and not select.select(self._open, [], [], 0)[0]

    def _ends(self) -> bool:
        """Whether it comes to its end by itself, where both its pipes are closed."""
        if self._open:
            return False
        process = os.pidfd_open(self._pid)
        try:
            return bool(select.select([process], [], [], LOOK_EVERY_S)[0])
        finally:
            os.close(process)

    def _wait(self, options: int) -> tuple[int, int]:
        try:
            return os.waitpid(self._pid, options)
        except ChildProcessError:  # where this process was started with SIGCHLD ignored, nothing is left to wait for
            return self._pid, 0

    def _stage(self, entries: Sequence[LoadEntry]) -> tuple[LoadEntry, str]:
        stages = [line.split(" ", 1) for line in self._lines if line[:1].isdigit()]
        number, stage = stages[-1] if stages else ("0", "loading")
        return entries[int(number)], stage


def _fork() -> int | None:
    """The child's id, 0 in the child; None where the machine has no room for a process more."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            with contextlib.suppress(OSError):  # the reader has closed the pipe
                stream.flush()
    with warnings.catch_warnings():
        # Python 3.12 warns where other threads run; those of libraries that are left take care of forks themselves.
        warnings.simplefilter("ignore", DeprecationWarning)
        try:
            return os.fork()
        except OSError:
            return None


def _load_all(entries: Sequence[LoadEntry], progress: int, output: int, parent: int) -> NoReturn:
    """The child's whole life: it ends here whatever happens, and runs nothing that was registered for its end."""
    leave = os._exit
    try:
        _set_up(output, parent)

        def tell(line: str) -> None:
            os.write(progress, f"{line}\n".encode(errors="replace"))

        os._exit = _noting_exit(tell, leave)  # type: ignore[assignment]  # it does not return either
        for number, entry in enumerate(entries):
            tell(f"{number} importing")
            importlib.import_module(entry.module)
            tell(f"{number} loading")
            entry.load()
    except BaseException:  # noqa: BLE001, S110 - the parent meets it again, and tells it
        pass
    with contextlib.suppress(BaseException):
        os.write(progress, f"{DONE}\n".encode())
    leave(0)


def _set_up(output: int, parent: int) -> None:
    """Signals end it, the parent's death too; what it prints goes into the pipe, a crash with its traceback."""
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


def _noting_exit(tell: Callable[[str], None], leave: Callable[[int], NoReturn]) -> Callable[[int], NoReturn]:
    """os._exit, which leaves no traceback, with a word of the line that calls it; pickles name it as the original."""
    child = os.getpid()

    def leave_noted(status: int) -> NoReturn:
        if os.getpid() == child:
            caller = sys._getframe(1)  # noqa: SLF001 - the documented way to a caller's frame
            tell(f"exit {caller.f_code.co_filename}, line {caller.f_lineno}")
        leave(status)

    leave_noted.__module__, leave_noted.__qualname__, leave_noted.__name__ = "os", "_exit", "_exit"
    return leave_noted


def _signal_name(number: int) -> str:
    return signal.Signals(number).name if number in signal.valid_signals() else "of no name"
