"""The thread that sends one signal to an OTLP receiver: at intervals, and a last time at the end.

Tests: tests/desk/exporters/test_otlp_metrics.py
"""

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Final, Protocol

from desk.exporters.export_failures import ExportFailures
from desk.exporters.sdk_log import SdkLog

LAST_EXPORT_S: Final = 1.2
ABORT_S: Final = 0.5


class ShutsDown(Protocol):
    """An exporter of the SDK."""

    def shutdown(self) -> None:
        """Abort the export under way, and refuse further ones."""
        ...


class OtlpSender(ABC):
    """Runs `_send` in a thread of its own every `every_s` seconds. A subclass calls `_start` when it is complete."""

    def __init__(self, name: str, exporter: ShutsDown, outcome: ExportFailures, every_s: float) -> None:
        self._shutdown = exporter.shutdown
        self._outcome = outcome
        self._every_s = every_s
        self._closing = threading.Event()
        self._sdk_log = SdkLog()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def close(self) -> None:
        """End after the last export, and after at most LAST_EXPORT_S + ABORT_S."""
        self._closing.set()
        self._thread.join(LAST_EXPORT_S)
        threading.Thread(target=self._shutdown, name="otlp-shutdown", daemon=True).start()
        self._thread.join(ABORT_S)
        if self._thread.is_alive():
            self._outcome.report("no answer at the end of the run")
        self._sdk_log.close()

    @abstractmethod
    def _send(self) -> None:
        """Export what there is."""

    def _start(self) -> None:
        self._thread.start()

    def _run(self) -> None:
        closing = False
        while not closing:
            closing = self._closing.wait(self._every_s)
            self._send()

    def _attempt(self, export: Callable[[], bool]) -> str:
        """Export, and report the outcome; return why it failed, "" if it did not."""
        self._sdk_log.clear()
        try:
            why = "" if export() else self._sdk_log.last() or "the receiver refused it"
        except Exception as fault:  # noqa: BLE001 - an exporter must not end the thread
            why = f"{type(fault).__name__}: {fault}"
        self._outcome.report(why)
        return why
