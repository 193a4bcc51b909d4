"""OTLP metrics: the last published readings, sent every few seconds in a thread of its own."""

from collections.abc import Mapping
from typing import Final

from opentelemetry.sdk.metrics.export import MetricExporter, MetricExportResult, MetricsData, ResourceMetrics

from desk.exporters.export_failures import ExportFailures
from desk.exporters.otlp_points import ActorPoints
from desk.exporters.otlp_sender import OtlpSender
from desk.exporters.run_attributes import RunAttributes
from desk.telemetry.readings import Readings

EVERY_S: Final = 10.0


class OtlpMetrics(OtlpSender):
    """Sends metrics to a receiver. An export that fails is dropped and counted: the next one has all totals."""

    def __init__(
        self,
        exporter: MetricExporter,
        attributes: RunAttributes,
        prefix: str,
        outcome: ExportFailures,
        every_s: float = EVERY_S,
    ) -> None:
        super().__init__("otlp-metrics", exporter, outcome, every_s)
        self._exporter = exporter
        self._attributes = attributes
        self._prefix = prefix
        self._points: dict[str, ActorPoints] = {}
        self._readings: Mapping[str, Readings] = {}
        self._start()

    def publish(self, readings: Mapping[str, Readings]) -> None:
        """Replace the readings of the next export; the mapping must not change afterwards."""
        self._readings = readings

    def _send(self) -> None:
        if readings := self._readings:
            self._attempt(lambda: self._export(readings))

    def _export(self, readings: Mapping[str, Readings]) -> bool:
        data = MetricsData([self._of_actor(found) for found in readings.values()])
        return self._exporter.export(data) is MetricExportResult.SUCCESS

    def _of_actor(self, readings: Readings) -> ResourceMetrics:
        if readings.actor not in self._points:
            self._points[readings.actor] = ActorPoints(self._attributes.of_actor(readings), self._prefix)
        return self._points[readings.actor].resource_metrics(readings)
