"""The log of OpenTelemetry's exporters, kept from stderr.

Tests: tests/desk/exporters/test_otlp_metrics.py
"""

import logging
from typing import Final

SDK_LOG: Final = "opentelemetry.exporter"


class SdkLog(logging.Handler):
    """Keeps the last message of the SDK's exporters, which would else be printed on stderr at each failure."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.last = ""
        self._log = logging.getLogger(SDK_LOG)
        self._propagated = self._log.propagate
        self._log.propagate = False
        self._log.addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the message."""
        self.last = record.getMessage()

    def close(self) -> None:
        """Restore the SDK's log."""
        self._log.removeHandler(self)
        self._log.propagate = self._propagated
        super().close()
