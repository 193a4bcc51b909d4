"""The log of OpenTelemetry's exporters, kept from stderr.

Tests: tests/desk/inprocess/test_otlp_run.py
"""

import logging
import threading
from typing import Final

SDK_LOG: Final = "opentelemetry.exporter"
_in_use: Final[list["SdkLog"]] = []


class SdkLog(logging.Handler):
    """Keeps each thread's last message of the SDK's exporters, which would else be printed at each failure."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._last = threading.local()
        log = logging.getLogger(SDK_LOG)
        log.addHandler(self)
        log.propagate = False
        _in_use.append(self)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the message."""
        self._last.message = record.getMessage()

    def clear(self) -> None:
        """Forget this thread's message."""
        self._last.message = ""

    def last(self) -> str:
        """Return this thread's last message; "" for none."""
        return getattr(self._last, "message", "")

    def close(self) -> None:
        """Restore the SDK's log, once no other one is open."""
        log = logging.getLogger(SDK_LOG)
        log.removeHandler(self)
        if self in _in_use:
            _in_use.remove(self)
        log.propagate = not _in_use
        super().close()
