"""One OTLP receiver, for metrics and traces.

Tests: tests/desk/inprocess/test_otlp_run.py
"""

import threading
from collections.abc import Mapping, Sequence

from desk.exporters.export_failures import ExportFailures
from desk.exporters.otlp_metrics import OtlpMetrics
from desk.exporters.otlp_spans import OtlpSpans
from desk.exporters.otlp_target import OtlpTarget, metric_exporter, span_exporter
from desk.exporters.run_attributes import RunAttributes
from desk.model.spans import SpanRecord
from desk.telemetry.readings import Readings


class OtlpOutlet:
    """Sends metrics and spans, each by a thread of its own. `failures` count by signal, "metrics" and "traces"."""

    def __init__(
        self, target: OtlpTarget, attributes: RunAttributes, prefix: str, failures: Mapping[str, ExportFailures]
    ) -> None:
        self._attributes = attributes
        self._metrics = OtlpMetrics(metric_exporter(target), attributes, prefix, failures["metrics"])
        self._spans = OtlpSpans(span_exporter(target), failures["traces"])

    def publish(self, readings: Mapping[str, Readings]) -> None:
        """Replace the readings of the next export; the mapping must not change afterwards."""
        self._metrics.publish(readings)

    def publish_spans(self, readings: Readings, spans: Sequence[SpanRecord]) -> None:
        """Enqueue the spans of the actor with these readings."""
        if spans:
            self._spans.publish(self._attributes.of_actor(readings), spans)

    @property
    def dropped_spans(self) -> int:
        """The spans that were not exported."""
        return self._spans.dropped

    def close(self) -> None:
        """Export what is left, within 2 s."""
        closing = [threading.Thread(target=sender.close) for sender in (self._metrics, self._spans)]
        for thread in closing:
            thread.start()
        for thread in closing:
            thread.join()
