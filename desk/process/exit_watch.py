"""Notes in this process's trail calls that end the process, at once or later.

Only for processes that the desk owns: an audit hook cannot be removed, and timer signals are ignored from then on.
"""

import _thread
import contextlib
import faulthandler
import functools
import os
import posix
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any, Final, NoReturn

import desk
from desk.process.breadcrumbs import BreadcrumbTrail
from desk.process.children import ChildProcess, adopt_orphans, end_processes, mark_children, running_descendants
from desk.telemetry.breadcrumb_port import CALL, SUSPECT

IGNORED: Final = (signal.SIGALRM, signal.SIGVTALRM, signal.SIGPROF, signal.SIGINT, signal.SIGHUP)
STARTS_PROCESS: Final = frozenset(
    {
        "os.fork",
        "os.forkpty",
        "os.posix_spawn",
        "os.spawn",
        "os.system",
        "os.exec",
        "pty.spawn",
        "subprocess.Popen",
    }
)
SENDS_SIGNAL: Final = frozenset({"os.kill", "os.killpg", "signal.pthread_kill"})
ENDS_LATER: Final = frozenset(
    {
        "ctypes.dlopen",
        "ctypes.dlsym",
        "ctypes.dlsym/handle",
        "ctypes.call_function",
        "resource.setrlimit",
        "resource.prlimit",
    }
)
WATCHED: Final = STARTS_PROCESS | SENDS_SIGNAL | ENDS_LATER
UNAUDITED: Final = (
    (os, "close"),
    (os, "closerange"),
    (threading, "_start_new_thread"),
    (threading, "_start_joinable_thread"),
    (_thread, "start_new_thread"),
    (_thread, "start_joinable_thread"),
)
"""Functions that may end the process later and raise no audit event in some supported Python."""
OWN_CODE: Final = str(Path(desk.__file__).parent)


class ProcessWatch:
    """Installed by its constructor, for the life of the process."""

    def __init__(self, trail: BreadcrumbTrail, name: str) -> None:
        self._trail = trail
        self._cells = trail.cells
        self._pid = os.getpid()
        self._main = threading.get_ident()
        self._leave = os._exit
        self._started = self._forks_in_call = False
        self._crash = trail.open_crash_file()  # as long as the process
        faulthandler.enable(self._crash, all_threads=False)
        adopt_orphans()
        mark_children(name)
        for number in IGNORED:
            if signal.getsignal(number) in {signal.SIG_DFL, signal.default_int_handler}:
                signal.signal(number, signal.SIG_IGN)
        noted = self._noting_exit()
        for module in (os, posix):
            setattr(module, "_exit", noted)  # noqa: B010 - mypy knows the function of one of them alone
        for holder, function in UNAUDITED:
            if hasattr(holder, function):
                setattr(holder, function, self._suspecting(getattr(holder, function)))
        os.register_at_fork(after_in_child=self._in_child)
        sys.addaudithook(self._on_event)

    def note_started(self) -> None:
        """Write the processes that the last calls started, if any: they are killed when this process ends."""
        if self._started:
            self._started = False
            self._trail.note_children(running_descendants())

    def end_left(self) -> list[ChildProcess]:
        """Kill processes that outlived the call that started them; return them."""
        left = running_descendants()
        end_processes(left)
        return left

    def _on_event(self, event: str, args: tuple[Any, ...]) -> None:
        if event not in WATCHED or not self._is_self():
            return
        self._suspect()
        if event in STARTS_PROCESS:
            self._started = True
            # The cells are shared with a fork: it must have its own word of where it was made.
            self._forks_in_call = bool(self._cells[CALL]) and threading.get_ident() == self._main
        elif event in SENDS_SIGNAL and self._is_fatal_here(event, args):
            self._note(f"{event} with {signal.Signals(args[1]).name}")

    def _is_self(self) -> bool:
        return os.getpid() == self._pid

    def _is_fatal_here(self, event: str, args: tuple[Any, ...]) -> bool:
        target, number = args[0], args[1]
        own = event == "signal.pthread_kill" or target in {self._pid, -self._pid, 0, -1} or abs(target) == os.getpgrp()
        if not own or number not in signal.valid_signals():
            return False
        return number == signal.SIGKILL or (
            number in {signal.SIGTERM, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2}
            and signal.getsignal(number) is signal.SIG_DFL
        )

    def _suspect(self) -> None:
        """Remember the call under way, where the main thread did this."""
        if self._cells[CALL] and threading.get_ident() == self._main:
            self._cells[SUSPECT] = self._cells[CALL]

    def _note(self, text: str) -> None:
        self._trail.note_end(text, in_thread=threading.get_ident() != self._main)

    def _noting_exit(self) -> Callable[[int], NoReturn]:
        """Return os._exit with a note of its caller; it is pickled under the original's name."""

        def leave_noted(status: int) -> NoReturn:
            if self._is_self():
                with contextlib.suppress(BaseException):
                    caller = sys._getframe(1)  # noqa: SLF001 - the documented way to a caller's frame
                    self._note(f"os._exit({status}) at {caller.f_code.co_filename}, line {caller.f_lineno}")
                    self.note_started()
            self._leave(status)

        leave_noted.__module__, leave_noted.__qualname__, leave_noted.__name__ = "os", "_exit", "_exit"
        return leave_noted

    def _suspecting(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Wrap the function: a use marks the current call as suspect, but for the desk's own uses around it."""

        @functools.wraps(function)
        def call(*args: Any, **named: Any) -> Any:
            if not sys._getframe(1).f_code.co_filename.startswith(OWN_CODE):  # noqa: SLF001 - as above
                self._suspect()
            return function(*args, **named)

        return call

    def _in_child(self) -> None:
        """End a fork of the actor when it returns from the strategy's code: it must not work as a second actor."""
        if self._forks_in_call:
            sys.setprofile(self._leave_at_return)

    def _leave_at_return(self, frame: FrameType, event: str, _: object) -> None:
        caller = frame.f_back
        if event == "return" and caller is not None and caller.f_code.co_filename.startswith(OWN_CODE):
            self._leave(0)
