"""OTLP metrics: the last published readings, sent every few seconds in a thread of its own."""

import threading
from collections.abc import Mapping
from typing import Final

from opentelemetry.sdk.metrics.export import MetricExporter, MetricExportResult, MetricsData, ResourceMetrics

from desk.exporters.export_failures import ExportFailures
from desk.exporters.otlp_points import ActorPoints
from desk.exporters.run_attributes import RunAttributes
from desk.exporters.sdk_log import SdkLog
from desk.telemetry.readings import Readings

EVERY_S: Final = 10.0
LAST_EXPORT_S: Final = 1.2
ABORT_S: Final = 0.5


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
