"""Protects the process while the code of a strategy or scanner is loaded.

Exceptions of the code are translated to StrategyError, and settings of the process that it changed are restored.
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

PROCESS_ENDING_MODULES: Final = frozenset({"os", "posix", "sys", "signal", "_signal", "builtins", None})
"""Modules of built-in functions that can end a process."""


class CtrlCInterrupt(SignalInterrupt):
    """A KeyboardInterrupt caused by a signal, unlike one that the user code raised itself."""


@contextmanager
def translate_user_errors(
    place: str, doing: str, expected: str, remedy: str, unchanged: tuple[type[BaseException], ...] = (StrategyError,)
) -> Iterator[None]:
    """Translate exceptions in the block to a StrategyError "`doing` raised …", except the `unchanged` ones."""
    try:
        yield
    except BaseException as fault:
        if isinstance(fault, (CtrlCInterrupt, *unchanged)):
            raise
        raise StrategyError(place, f"{doing} raised {cause(fault)}", expected, remedy) from fault


class ProcessSettings:
    """Restores settings of the process that user code may change while it is loaded.

    They are signal handlers, working directory, stdin, stdout and stderr, recursion limit, numpy's error handling, and
    filters that turn warnings into errors. Exit functions that the code registers are removed: they could change the
    exit status. Raises StrategyError at `place` if standard files were closed or changed, and CtrlCInterrupt for a
    ctrl-c that the code caught.
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
        self._files = StandardStreams.save()
        self._at_exit = atexit.register
        atexit.register = self._register  # type: ignore[assignment]  # same signature
        self._streams = sys.stdout, sys.stderr
        self._recursion_limit = sys.getrecursionlimit()
        self._filters = list(warnings.filters)
        self._numpy.__enter__()
        if threading.current_thread() is threading.main_thread():
            self._handlers = {number: signal.getsignal(number) for number in STOP_SIGNALS}
            interrupt = self._handlers[signal.SIGINT]
            if callable(interrupt):
                signal.signal(signal.SIGINT, self._recording(interrupt))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._handlers.items():
            if handler is not None:  # a handler not installed from Python cannot be restored
                signal.signal(number, handler)  # type: ignore[arg-type]  # signal() accepts results of getsignal()
        self._numpy.__exit__(kind, error, trace)
        warnings.filters[:] = [entry for entry in warnings.filters if entry[0] != "error" or entry in self._filters]  # type: ignore[index]  # typeshed calls it a Sequence; it is a list
        sys.setrecursionlimit(self._recursion_limit)
        if self._folder is not None and self._folder != _working_directory():
            os.chdir(self._folder)
        sys.stdout, sys.stderr = self._streams
        atexit.register = self._at_exit
        for function in self._registered:
            atexit.unregister(function)
        changed = self._files.restore()
        if self._interrupted and not isinstance(error, CtrlCInterrupt):
            raise CtrlCInterrupt from error
        if error is None:
            self._require_open_streams()
            if changed:
                raise self._closed(changed[0])

    def _register(self, function: Callable[..., object], *args: Any, **named: Any) -> Callable[..., object]:
        module = getattr(function, "__module__", None)
        if module in PROCESS_ENDING_MODULES or module == self._use.partition(":")[0]:
            self._registered.append(function)
        return self._at_exit(function, *args, **named)

    def _recording(self, handler: Callable[[int, FrameType | None], object]) -> Callable[[int, FrameType | None], None]:
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
                # The descriptor of a closed sys.stdout stays open (Python, "sys.stdout"), so the error can be printed.
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
    """None if it has been deleted."""
    try:
        return os.getcwd()  # noqa: PTH109 - text, for chdir
    except OSError:
        return None
