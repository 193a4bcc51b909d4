"""Readings as the data that the OpenTelemetry SDK's metric exporters take.

Counters and gauges are observable instruments of the SDK. The SDK has no instrument that takes aggregated histograms,
so their data points are built here.

Tests: tests/desk/exporters/test_otlp_metrics.py
"""

from collections.abc import Iterable, Mapping
from typing import Final

from opentelemetry.metrics import CallbackOptions, Meter, Observation
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics import export as sdk
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from desk.model.units import SECOND_NS
from desk.telemetry.catalogue import BY_NAME, RESTORED
from desk.telemetry.histogram import SCALE
from desk.telemetry.names import otlp_name
from desk.telemetry.readings import HistogramReading, Readings

SCOPE: Final = "raydesk"
NO_BUCKETS: Final = sdk.Buckets(0, [])


class _Instruments:
    """The counters and gauges of one actor, from one start on."""

    def __init__(self, resource: Resource, prefix: str) -> None:
        self._reader = sdk.InMemoryMetricReader()
        self._provider = MeterProvider([self._reader], resource, shutdown_on_exit=False)
        self._meter: Meter = self._provider.get_meter(SCOPE)
        self._prefix = prefix
        self._observed: dict[str, list[Observation]] = {}

    def metrics(self, observed: Mapping[str, list[Observation]]) -> list[sdk.Metric]:
        """The metrics with these observations by name."""
        for name in observed.keys() - self._observed.keys():
            self._create(name)
        for name in self._observed:
            self._observed[name] = observed.get(name, [])
        data = self._reader.get_metrics_data()
        if data is None:
            return []
        scopes = (scope for resource in data.resource_metrics for scope in resource.scope_metrics)
        return [metric for scope in scopes for metric in scope.metrics]

    def _create(self, name: str) -> None:
        metric = BY_NAME[name]
        self._observed[name] = []

        def observe(_: CallbackOptions) -> Iterable[Observation]:
            return self._observed[name]

        is_counter = metric.kind == "counter"
        create = self._meter.create_observable_counter if is_counter else self._meter.create_observable_gauge
        create(otlp_name(metric, self._prefix), [observe], metric.unit, metric.meaning)


class ActorPoints:
    """One actor's metrics as ResourceMetrics.

    Totals that a restarted process restores are one series over all restarts; all others start again with the process.
    """

    def __init__(self, attributes: Mapping[str, str], prefix: str) -> None:
        self._resource = Resource.create(dict(attributes))
        self._prefix = prefix
        self._restored = _Instruments(self._resource, prefix)
        self._own = _Instruments(self._resource, prefix)
        self._first_ns = 0
        self._started_ns = 0

    def resource_metrics(self, readings: Readings) -> sdk.ResourceMetrics:
        """The readings as data points."""
        self._first_ns = self._first_ns or readings.started_ns
        if readings.started_ns != self._started_ns:
            self._started_ns = readings.started_ns
            self._own = _Instruments(self._resource, self._prefix)
        restored: dict[str, list[Observation]] = {}
        own: dict[str, list[Observation]] = {}
        for reading in readings.values:
            kept = restored if reading.metric in RESTORED else own
            kept.setdefault(reading.metric, []).append(Observation(reading.value, reading.labels))
        metrics = [*self._restored.metrics(restored), *self._own.metrics(own), *self._histograms(readings)]
        scope = sdk.ScopeMetrics(InstrumentationScope(SCOPE), metrics, "")
        return sdk.ResourceMetrics(self._resource, [scope], self._resource.schema_url)

    def _histograms(self, readings: Readings) -> Iterable[sdk.Metric]:
        points: dict[str, list[sdk.ExponentialHistogramDataPoint]] = {}
        for reading in readings.histograms:
            start_ns = self._first_ns if reading.metric in RESTORED else readings.started_ns
            points.setdefault(reading.metric, []).append(exponential_point(reading, start_ns, readings.wall_ns))
        for name, found in points.items():
            data = sdk.ExponentialHistogram(found, sdk.AggregationTemporality.CUMULATIVE)
            metric = BY_NAME[name]
            yield sdk.Metric(otlp_name(metric, self._prefix), metric.meaning, metric.unit, data)


def exponential_point(reading: HistogramReading, start_ns: int, wall_ns: int) -> sdk.ExponentialHistogramDataPoint:
    """The data point of a histogram; bucket indexes and counts are the histogram's own."""
    found = reading.histogram
    positive = NO_BUCKETS
    if found.buckets:
        first, last = min(found.buckets), max(found.buckets)
        positive = sdk.Buckets(first, [found.buckets.get(index, 0) for index in range(first, last + 1)])
    return sdk.ExponentialHistogramDataPoint(
        attributes=reading.labels,
        start_time_unix_nano=start_ns,
        time_unix_nano=wall_ns,
        count=found.count,
        sum=found.sum_ns / SECOND_NS,
        scale=SCALE,
        zero_count=found.zeros,
        positive=positive,
        negative=NO_BUCKETS,
        flags=0,
        min=None,  # type: ignore[arg-type]  # optional in the protocol; it is not measured
        max=found.max_ns / SECOND_NS,
    )
