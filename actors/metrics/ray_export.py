"""Export to Ray's own metrics: served by the dashboard agent with the prefix `ray_`, labelled by actor.

Tests: tests/actors/test_on_ray.py
"""

from typing import Final

import ray
from ray.util.metrics import Counter, Gauge

from desk.telemetry.catalogue import BY_NAME
from desk.telemetry.histogram import Histogram
from desk.telemetry.names import prometheus_name
from desk.telemetry.readings import HistogramReading, Reading, Readings

QUANTILES: Final = {"p50": 0.5, "p99": 0.99}
PREFIX: Final = "raydesk"


class RayExport:
    """One actor's counters and gauges, and the quantiles of its histograms as gauges; created at first use."""

    def __init__(self, actor: str) -> None:
        self.node: str = ray.get_runtime_context().get_node_id()
        self._actor = actor
        self._counters: dict[str, Counter] = {}
        self._gauges: dict[str, Gauge] = {}
        self._exported: dict[tuple[str, ...], float] = {}

    def export(self, readings: Readings) -> None:
        """Set gauges, and add to counters what is new since the last call."""
        for reading in readings.values:
            if BY_NAME[reading.metric].kind == "counter":
                self._count(reading)
            else:
                self._set(prometheus_name(BY_NAME[reading.metric], PREFIX), reading.value, reading.labels)
        for histogram in readings.histograms:
            self._set_quantiles(histogram)

    def _count(self, reading: Reading) -> None:
        key = (reading.metric, *reading.labels.values())
        increase = reading.value - self._exported.get(key, 0.0)
        if increase <= 0:  # Ray's Counter rejects an increase of 0
            return
        self._exported[key] = reading.value
        name, tags = prometheus_name(BY_NAME[reading.metric], PREFIX), self._tags(reading.labels)
        if name not in self._counters:
            self._counters[name] = Counter(name, BY_NAME[reading.metric].meaning, tuple(tags))
        self._counters[name].inc(increase, tags)

    def _set(self, name: str, value: float, labels: dict[str, str]) -> None:
        tags = self._tags(labels)
        if name not in self._gauges:
            self._gauges[name] = Gauge(name, name.replace("_", " "), tuple(tags))
        self._gauges[name].set(value, tags)

    def _set_quantiles(self, reading: HistogramReading) -> None:
        histogram = Histogram.of(reading.histogram)
        for label, q in QUANTILES.items():
            value_ns = histogram.quantile(q) or 0
            name = f"{prometheus_name(BY_NAME[reading.metric], PREFIX)}_{label}"
            self._set(name, value_ns / 1e9, reading.labels)

    def _tags(self, labels: dict[str, str]) -> dict[str, str]:
        return {"actor": self._actor, **labels}
