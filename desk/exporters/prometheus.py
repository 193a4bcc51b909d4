"""`/metrics`: the desk's metrics for Prometheus, as a collector of prometheus_client."""

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector

from desk.exporters.status_server import Answer
from desk.model.units import SECOND_NS
from desk.telemetry.catalogue import METRICS, Metric
from desk.telemetry.histogram import PER_OCTAVE, HistogramSnapshot
from desk.telemetry.names import prometheus_name
from desk.telemetry.readings import HistogramReading, Reading, Readings

ACTOR: Final = "actor"


class PrometheusPage(Collector):
    """The last published readings in Prometheus' formats; each sample has the label `actor`."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._readings: Mapping[str, Readings] = {}
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)

    def publish(self, readings: Mapping[str, Readings]) -> None:
        """Replace the readings; the mapping must not change afterwards."""
        self._readings = readings

    def page(self, accept: str) -> Answer:
        """The page in the format that the client accepts."""
        encode, content_type = choose_encoder(accept)
        return Answer(200, content_type, encode(self._registry))

    def collect(self) -> Iterable[Family]:
        """All metrics that have samples, in the catalogue's order."""
        values: dict[str, list[tuple[str, Reading]]] = {}
        histograms: dict[str, list[tuple[str, HistogramReading]]] = {}
        for actor, readings in self._readings.items():
            for value in readings.values:
                values.setdefault(value.metric, []).append((actor, value))
            for histogram in readings.histograms:
                histograms.setdefault(histogram.metric, []).append((actor, histogram))
        for metric in METRICS:
            if metric.name in values:
                yield self._values(metric, values[metric.name])
            elif metric.name in histograms:
                yield self._histograms(metric, histograms[metric.name])

    def _values(self, metric: Metric, samples: list[tuple[str, Reading]]) -> Family:
        make = CounterMetricFamily if metric.kind == "counter" else GaugeMetricFamily
        family = make(prometheus_name(metric, self._prefix), metric.meaning, labels=(ACTOR, *metric.labels))
        for actor, reading in samples:
            family.add_metric([actor, *(reading.labels[label] for label in metric.labels)], reading.value)
        return family

    def _histograms(self, metric: Metric, samples: list[tuple[str, HistogramReading]]) -> Family:
        name, labels = prometheus_name(metric, self._prefix), (ACTOR, *metric.labels)
        family = HistogramMetricFamily(name, metric.meaning, labels=labels)
        for actor, reading in samples:
            buckets = list(classic_buckets(reading.histogram, metric.bounds))
            values = [actor, *(reading.labels[label] for label in metric.labels)]
            family.add_metric(values, buckets, reading.histogram.sum_ns / SECOND_NS)
        return family


def classic_buckets(histogram: HistogramSnapshot, bounds: Iterable[float]) -> Iterator[tuple[str, int]]:
    """The numbers of durations up to each bound (s) and up to +Inf, merged from whole buckets.

    Exact for bounds that are upper bounds of buckets, such as powers of two.
    """
    filled = sorted(histogram.buckets.items())
    counted, place = histogram.zeros, 0
    for bound in bounds:
        last = math.floor(PER_OCTAVE * math.log2(bound)) - 1
        while place < len(filled) and filled[place][0] <= last:
            counted += filled[place][1]
            place += 1
        yield f"{bound:.12g}", counted
    yield "+Inf", histogram.count
