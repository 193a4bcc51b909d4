"""OTLP metrics: the last published readings, sent every few seconds in a thread of its own."""

import logging
import threading
from collections.abc import Mapping
from typing import Final, NamedTuple

from opentelemetry.sdk.metrics.export import MetricExporter, MetricExportResult, MetricsData, ResourceMetrics

from desk.exporters.export_failures import ExportFailures
from desk.exporters.otlp_points import ActorPoints
from desk.telemetry.readings import Readings

EVERY_S: Final = 10.0
LAST_EXPORT_S: Final = 1.2
ABORT_S: Final = 0.5
SDK_LOG: Final = "opentelemetry.exporter"


class RunAttributes(NamedTuple):
    """The resource attributes that all actors of a run share; `node` is that of actors that name none."""

    run: str
    desk: str
    version: str
    node: str

    def of_actor(self, readings: Readings) -> dict[str, str]:
        """The attributes of one actor's resource; its process id is none of them, as it changes with a restart."""
        attributes = {
            "service.name": "raydesk",
            "service.namespace": self.desk,
            "service.version": self.version,
            "service.instance.id": f"{self.run}/{readings.actor}",
            "raydesk.run": self.run,
            "raydesk.desk": self.desk,
            "raydesk.actor": readings.actor,
            "raydesk.node": readings.node or self.node,
        }
        role, _, number = readings.actor.rpartition("-")
        if role == "consumer" and number.isdigit():
            attributes["raydesk.shard"] = str(int(number))
        return {name: value for name, value in attributes.items() if value}


class OtlpMetrics:
    """Sends metrics to a receiver. An export that fails is dropped and counted: the next one has all totals."""

    def __init__(
        self,
        exporter: MetricExporter,
        attributes: RunAttributes,
        prefix: str,
        outcome: ExportFailures,
        every_s: float = EVERY_S,
    ) -> None:
        self._exporter = exporter
        self._attributes = attributes
        self._prefix = prefix
        self._every_s = every_s
        self._outcome = outcome
        self._points: dict[str, ActorPoints] = {}
        self._readings: Mapping[str, Readings] = {}
        self._closing = threading.Event()
        self._sdk_log = SdkLog()
        self._thread = threading.Thread(target=self._run, name="otlp-metrics", daemon=True)
        self._thread.start()

    def publish(self, readings: Mapping[str, Readings]) -> None:
        """Replace the readings of the next export; the mapping must not change afterwards."""
        self._readings = readings

    def close(self) -> None:
        """Export the last readings; end after at most LAST_EXPORT_S + ABORT_S."""
        self._closing.set()
        self._thread.join(LAST_EXPORT_S)
        threading.Thread(target=self._exporter.shutdown, name="otlp-shutdown", daemon=True).start()
        self._thread.join(ABORT_S)
        if self._thread.is_alive():
            self._outcome.report("no answer at the end of the run")
        self._sdk_log.close()

    def _run(self) -> None:
        closing = False
        while not closing:
            closing = self._closing.wait(self._every_s)
            if self._readings:
                self._outcome.report(self._export(self._readings))

    def _export(self, readings: Mapping[str, Readings]) -> str:
        """Export; return why it failed, "" if it did not."""
        self._sdk_log.last = ""
        try:
            data = MetricsData([self._of_actor(found) for found in readings.values()])
            if self._exporter.export(data) is MetricExportResult.SUCCESS:
                return ""
        except Exception as fault:  # noqa: BLE001 - an exporter must not end the thread
            return f"{type(fault).__name__}: {fault}"
        return self._sdk_log.last or "the receiver refused it"

    def _of_actor(self, readings: Readings) -> ResourceMetrics:
        if readings.actor not in self._points:
            self._points[readings.actor] = ActorPoints(self._attributes.of_actor(readings), self._prefix)
        return self._points[readings.actor].resource_metrics(readings)


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
