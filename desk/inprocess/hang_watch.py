"""Interrupts hanging calls of strategies and scanners in a desk of one process.

A thread watches the current call. When it lasts too long, a signal raises an exception in the main thread, which stops
the strategy as its own exception would. A call of native code that does not return to Python cannot be interrupted.

Tests: tests/desk/inprocess/test_in_process_desk.py
"""

import signal
import threading
import time
from logging import Logger
from types import FrameType, TracebackType
from typing import Final, Self

from desk.consumer.engine import guard
from desk.model.log_line import fields
from desk.scanning import scanner_calls
from desk.telemetry.breadcrumb_port import AT, CALL, CALLS, CELLS, PER_INSTANCE

LOOK_EVERY_S: Final = 0.25
MOST_STEP_S: Final = 1.0
SIGNAL: Final = signal.SIGURG
"""A signal that is ignored by default; SIGALRM is in use by the time limit."""
CALLERS: Final = (guard.__file__, scanner_calls.__file__)


class CallHangsError(Exception):
    """Raised in the call that hangs."""


class HangWatch:
    """The breadcrumbs (`desk.telemetry.breadcrumb_port.BreadcrumbWriter`) of a desk in one process, watched.

    The time between two looks counts at most MOST_STEP_S: a suspended process does not hang.
    """

    def __init__(self, hang_s: float, log: Logger) -> None:
        self.cells = [0] * CELLS
        self._names: list[tuple[str, str]] = []
        self._hang_s = hang_s
        self._log = log
        self._main = threading.main_thread().ident
        self._hung: tuple[int, int] | None = None
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="hang watch", daemon=True)

    def register(self, strategy: str, symbol: str) -> int:
        """Return the breadcrumb number of an instance."""
        self._names.append((strategy, symbol))
        return len(self._names) * PER_INSTANCE

    def on_memory_exhausted(self) -> None:
        """Do nothing: memory is not limited here."""

    def __enter__(self) -> Self:
        self._before = signal.signal(SIGNAL, self._on_signal)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end.set()
        self._thread.join()
        signal.signal(SIGNAL, self._before)

    def _watch(self) -> None:
        call, lasts_s, looked_s = (0, 0), 0.0, time.monotonic()
        told: tuple[int, int] | None = None
        while not self._end.wait(LOOK_EVERY_S):
            now_s = time.monotonic()
            found = (self.cells[CALL], self.cells[AT])
            lasts_s = lasts_s + min(now_s - looked_s, MOST_STEP_S) if found[0] and found == call else 0.0
            call, looked_s = found, now_s
            if lasts_s < self._hang_s or self._main is None:
                continue
            if told != call:
                told = call
                lasts = fields(lasts_s=round(lasts_s, 3))
                self._log.error("%s has not ended for %.1f s", self._words(call[0]), lasts_s, extra=lasts)
            self._hung = call
            signal.pthread_kill(self._main, SIGNAL)

    def _words(self, call: int) -> str:
        number, code = divmod(call, PER_INSTANCE)
        strategy, symbol = self._names[number - 1]
        return f"{CALLS[code]} of {strategy}" + (f" on {symbol}" if symbol else "")

    def _on_signal(self, _number: int, frame: FrameType | None) -> None:
        """Raise in the call, unless it has ended or is about to return."""
        if self._hung != (self.cells[CALL], self.cells[AT]):
            return
        if frame is not None and frame.f_code.co_filename not in CALLERS:
            raise CallHangsError(f"no progress for {self._hang_s:g} s")
