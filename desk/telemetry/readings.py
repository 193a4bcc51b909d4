"""The metrics of one process at one moment, in a form that travels to the exporters.

Tests: tests/desk/telemetry/test_metric_catalogue.py
"""

from collections.abc import Mapping

import msgspec

from desk.telemetry.catalogue import BY_NAME, MetricKind
from desk.telemetry.histogram import HistogramSnapshot


class Reading(msgspec.Struct, array_like=True, frozen=True):
    """The value of one counter (a total) or gauge, in the catalogue's unit."""

    metric: str
    value: float
    labels: dict[str, str] = {}


class HistogramReading(msgspec.Struct, array_like=True, frozen=True):
    """One histogram of the catalogue."""

    metric: str
    histogram: HistogramSnapshot
    labels: dict[str, str] = {}


class Readings(msgspec.Struct, array_like=True):
    """All metrics of one process. Counters and histograms are totals; a restarted process begins again."""

    actor: str = ""
    pid: int = 0
    node: str = ""
    started_ns: int = 0
    wall_ns: int = 0
    values: list[Reading] = []
    histograms: list[HistogramReading] = []

    def count(self, metric: str, value: float, **labels: str) -> None:
        """Set a counter's total. Raises KeyError or ValueError for what the catalogue does not have."""
        _require(metric, "counter", labels)
        self.values.append(Reading(metric, value, labels))

    def set(self, metric: str, value: float, **labels: str) -> None:
        """Set a gauge. Raises KeyError or ValueError for what the catalogue does not have."""
        _require(metric, "gauge", labels)
        self.values.append(Reading(metric, value, labels))

    def record(self, metric: str, histogram: HistogramSnapshot, **labels: str) -> None:
        """Set a histogram, if it counted anything. Raises KeyError or ValueError as above."""
        _require(metric, "histogram", labels)
        if histogram.count:
            self.histograms.append(HistogramReading(metric, histogram, labels))


def _require(name: str, kind: MetricKind, labels: Mapping[str, str]) -> None:
    metric = BY_NAME[name]
    if metric.kind != kind or set(labels) != set(metric.labels):
        raise ValueError(f"{name}: a {metric.kind} with labels {metric.labels}, not a {kind} with {sorted(labels)}")
