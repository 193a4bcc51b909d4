"""Signals that end a desk: the first requests an orderly end, a second ends the process at once."""

import contextlib
import os
import signal
from collections.abc import Callable, Iterator
from types import FrameType, TracebackType
from typing import Final, Self

from desk.model.errors import BY_SIGNAL, STOP_SIGNALS, StoppedEarly
from desk.process.descendants import kill_descendants

SIGNALS: Final = STOP_SIGNALS
IGNORABLE: Final = frozenset({signal.SIGHUP, signal.SIGQUIT})
"""Signals that stay ignored if they are ignored when the desk starts (nohup, a shell's background)."""
STDERR: Final = 2


class StopSignals:
    """Catches SIGNALS from `with` on, in each phase of a command.

    At first nothing has begun, and a signal ends the process at once. From `orderly` on the first signal is noted in
    `received`, and a second ends the process at once. At once means: the clean-ups run, every descendant is killed, and
    the exit status is 128 + the signal's number. From `finish` on signals are ignored: the exit status is decided.

    Only the main thread can catch signals. The previous handlers return at the end of `with`.
    """

    current: "StopSignals | None" = None

    def __init__(self) -> None:
        self.received: int | None = None
        self._orderly = False
        self._stop: Callable[[int], object] = _nothing
        self._again: Callable[[int], object] = _nothing
        self._clean_ups: list[Callable[[], object]] = []
        self._before: dict[int, object] = {}
        self._pid = os.getpid()

    def __enter__(self) -> Self:
        return self.catch()

    def catch(self) -> Self:
        """Start catching; for a command that catches signals to the end of its process."""
        for number in SIGNALS:
            handler = signal.getsignal(number)
            if number not in IGNORABLE or handler is not signal.SIG_IGN:
                self._before[number] = handler
        self.catch_again()
        StopSignals.current = self
        return self

    def catch_again(self) -> None:
        """Install the handlers again after other code replaced them. Call it in the main thread."""
        for number in self._before:
            signal.signal(number, self._on_signal)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        StopSignals.current = None
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]  # what signal() gave, it takes

    def orderly(
        self, stop: Callable[[int], object] | None = None, again: Callable[[int], object] | None = None
    ) -> None:
        """From now on the first signal only requests an end.

        `stop` is called with the first signal, at once if it has already arrived; `again` with a second one, before the
        end.
        """
        self._orderly = True
        self._stop, self._again = stop or _nothing, again or _nothing
        if self.received is not None:
            self._stop(self.received)

    def on_sudden_end(self, clean_up: Callable[[], object]) -> None:
        """Register a function to call when a signal ends the process at once; the last registered is called first."""
        self._clean_ups.append(clean_up)

    def finish(self) -> None:
        """Ignore signals from now on."""
        for number in self._before:
            signal.signal(number, signal.SIG_IGN)

    def require_none(self) -> None:
        """Raise StoppedEarly if a signal has arrived: for a run that has not begun."""
        if self.received is not None:
            raise StoppedEarly(self.received)

    def require_begun(self, *, marked: bool) -> None:
        """Raise StoppedEarly if a signal has arrived before the first complete second of the session (`marked`)."""
        if not marked:
            self.require_none()

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        if os.getpid() != self._pid:  # a fork of this process: not a desk
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
            return
        if self._orderly and self.received is None:
            self.received = number
            self._stop(number)
            return
        if self._orderly:
            with contextlib.suppress(Exception):
                self._again(number)
        self._end(number)

    def _end(self, number: int) -> None:
        when = "at once, not in good order" if self._orderly else "before it had begun"
        with contextlib.suppress(OSError):
            os.write(STDERR, f"error: {signal.Signals(number).name}: the desk was ended {when}\n".encode())
        with contextlib.suppress(Exception):
            kill_descendants()
        for clean_up in reversed(self._clean_ups):
            with contextlib.suppress(Exception):
                clean_up()
        os._exit(BY_SIGNAL + number)


def be_orderly() -> None:
    """From now on the first signal only requests an end, if the command line catches signals."""
    if StopSignals.current is not None:
        StopSignals.current.orderly()


@contextlib.contextmanager
def stop_signals() -> Iterator[StopSignals]:
    """The signals of this process, orderly: as caught by the command line, else from here to the end of the block."""
    caught = StopSignals.current
    if caught is not None:
        caught.orderly()
        try:
            yield caught
        finally:
            caught.orderly()
        return
    with StopSignals() as signals:
        signals.orderly()
        yield signals


def _nothing(_number: int) -> None:
    """Do nothing."""
