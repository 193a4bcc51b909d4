"""SIGINT and SIGTERM: the first asks for an orderly end, the second ends at once."""

import os
import signal
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Final, Self

from desk.model.errors import BY_SIGNAL, StoppedEarly

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


class StopSignals:
    """Calls `stop` on the first signal; a second one ends the process with 128 + its number.

    Only the main thread can wait for signals. Handlers that were there before come back at the end.
    """

    def __init__(self, stop: Callable[[], None]) -> None:
        self.received: int | None = None
        self._stop = stop
        self._before: dict[int, object] = {}

    def __enter__(self) -> Self:
        for number in SIGNALS:
            self._before[number] = signal.signal(number, self._on_signal)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]  # what signal() gave, it takes

    def require_begun(self, *, marked: bool) -> None:
        """Raises StoppedEarly where a signal came and no second of the session was complete (`marked`)."""
        if self.received is not None and not marked:
            raise StoppedEarly(self.received)

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        if self.received is not None:
            os._exit(BY_SIGNAL + number)
        self.received = number
        self._stop()
