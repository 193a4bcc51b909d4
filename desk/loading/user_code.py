"""The environment of a strategy's or scanner's code while it is loaded.

Whatever that code raises is one StrategyError, and what it changes of the process is put back afterwards.
"""

import atexit
import os
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any, Final, Self

import numpy as np

from desk.loading.fault_messages import cause
from desk.loading.standard_streams import StandardStreams
from desk.model.errors import STOP_SIGNALS, StrategyError
from desk.model.interrupts import SignalInterrupt

ENDING: Final = frozenset({"os", "posix", "sys", "signal", "_signal", "builtins", None})
"""Modules of built-in functions that can end a process."""


class CtrlCInterrupt(SignalInterrupt):
    """A KeyboardInterrupt that a signal caused; another one was raised by the author's code itself."""


@contextmanager
def translate_user_errors(
    place: str, doing: str, expected: str, remedy: str, passing: tuple[type[BaseException], ...] = (StrategyError,)
) -> Iterator[None]:
    """Turn what is raised within into a StrategyError that says what `doing` raised; what is `passing` passes."""
    try:
        yield
    except BaseException as fault:
        if isinstance(fault, (CtrlCInterrupt, *passing)):
            raise
        raise StrategyError(place, f"{doing} raised {cause(fault)}", expected, remedy) from fault


class ProcessSettings:
    """Settings of the process that an import may change, put back at the end.

    Signal handlers, working directory, stdin, stdout and stderr, recursion limit, numpy's error handling, and filters
    that make errors of warnings. Functions that it registers for the end of the process are not called: they could
    change its exit status. Raises StrategyError at `place` where standard files were closed or changed, and CtrlC for a
    ctrl-c that the author's code caught.
    """

    def __init__(self, place: str, use: str) -> None:
        self._place = place
        self._use = use
        self._interrupted = False
        self._handlers: dict[int, object] = {}
        self._numpy = np.errstate()
        self._at_exit = atexit.register
        self._registered: list[Callable[..., object]] = []

    def __enter__(self) -> Self:
        self._folder = _working_directory()
        self._files = StandardStreams.keep()
        self._at_exit = atexit.register
        atexit.register = self._registering  # type: ignore[assignment]  # it takes and gives the same
        self._streams = sys.stdout, sys.stderr
        self._recursion_limit = sys.getrecursionlimit()
        self._filters = list(warnings.filters)
        self._numpy.__enter__()
        if threading.current_thread() is threading.main_thread():
            self._handlers = {number: signal.getsignal(number) for number in STOP_SIGNALS}
            interrupt = self._handlers[signal.SIGINT]
            if callable(interrupt):
                signal.signal(signal.SIGINT, self._noting(interrupt))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._handlers.items():
            if handler is not None:  # one that was not installed from Python cannot be put back from there
                signal.signal(number, handler)  # type: ignore[arg-type]  # what getsignal() gave, signal() takes
        self._numpy.__exit__(kind, error, trace)
        warnings.filters[:] = [entry for entry in warnings.filters if entry[0] != "error" or entry in self._filters]  # type: ignore[index]  # typeshed calls it a Sequence; it is a list
        sys.setrecursionlimit(self._recursion_limit)
        if self._folder is not None and self._folder != _working_directory():
            os.chdir(self._folder)
        sys.stdout, sys.stderr = self._streams
        atexit.register = self._at_exit
        for function in self._registered:
            atexit.unregister(function)
        changed = self._files.put_back()
        if self._interrupted and not isinstance(error, CtrlCInterrupt):
            raise CtrlCInterrupt from error
        if error is None:
            self._require_open_streams()
            if changed:
                raise self._closed(changed[0])

    def _registering(self, function: Callable[..., object], *args: Any, **named: Any) -> Callable[..., object]:
        module = getattr(function, "__module__", None)
        if module in ENDING or module == self._use.partition(":")[0]:
            self._registered.append(function)
        return self._at_exit(function, *args, **named)

    def _noting(self, handler: Callable[[int, FrameType | None], object]) -> Callable[[int, FrameType | None], None]:
        def on_signal(number: int, frame: FrameType | None) -> None:
            try:
                handler(number, frame)
            except KeyboardInterrupt:
                self._interrupted = True
                raise CtrlCInterrupt from None

        return on_signal

    def _require_open_streams(self) -> None:
        for name, stream in zip(("stdout", "stderr"), self._streams, strict=True):
            if stream is not None and stream.closed:
                # Their descriptors stay open when they are closed (Python, "sys.stdout"): the error can be printed.
                setattr(sys, name, os.fdopen(os.dup({"stdout": 1, "stderr": 2}[name]), "w", errors="replace"))
                raise self._closed(f"sys.{name}")

    def _closed(self, name: str) -> StrategyError:
        return StrategyError(
            self._place,
            f"loading `{self._use}` closed {name}",
            "code that leaves the process's streams open",
            f"Do not close {name}.",
        )


def _working_directory() -> str | None:
    """None where it is gone."""
    try:
        return os.getcwd()  # noqa: PTH109 - kept as text, to go back there
    except OSError:
        return None
