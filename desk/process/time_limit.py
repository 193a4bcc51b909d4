"""A limit on the time that the main thread may take for something.

Tests: tests/desk/inprocess/test_signals.py
"""

import signal
from pathlib import Path
from types import FrameType
from typing import Final

from desk.model.errors import RunFailed
from desk.model.interrupts import SignalInterrupt

CLOSE_S: Final = 60.0
"""The limit from a stop to the end of the session's close."""
AGAIN_S: Final = 5.0


class TimeUp(SignalInterrupt):
    """The time is up; the message names the place of the main thread."""


class TimeLimit:
    """Raises TimeUp in the main thread once the time is up, and again every AGAIN_S until `end`."""

    def __init__(self) -> None:
        self._before: object = None
        self._seconds = 0.0

    def start(self) -> None:
        """Start the CLOSE_S limit. Call it in the main thread."""
        self._seconds = CLOSE_S
        self._before = signal.signal(signal.SIGALRM, self._up)
        signal.setitimer(signal.ITIMER_REAL, CLOSE_S, AGAIN_S)

    def end(self) -> None:
        """Cancel the limit."""
        if self._seconds:
            self._seconds = 0.0
            signal.setitimer(signal.ITIMER_REAL, 0.0)
            signal.signal(signal.SIGALRM, self._before)  # type: ignore[arg-type]  # what signal() gave, it takes

    def _up(self, _number: int, frame: FrameType | None) -> None:
        place = "" if frame is None else f", in {frame.f_code.co_qualname} ({Path(frame.f_code.co_filename).name})"
        raise TimeUp(f"within {self._seconds:g} s{place}")


def not_closed(found: str) -> RunFailed:
    """The error for a desk that did not end in time after a stop."""
    return RunFailed(
        "the desk",
        f"its books were not closed {found}",
        "a drain that ends",
        "Check desk.log, and finish the run with `desk run --resume`.",
    )
