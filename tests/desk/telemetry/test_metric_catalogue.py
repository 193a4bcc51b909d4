"""The catalogue, the names that exporters write, and what readings accept."""

import re
from pathlib import Path

import pytest

from desk.telemetry.catalogue import BY_NAME, METRICS, RESTORED
from desk.telemetry.histogram import Histogram, HistogramSnapshot
from desk.telemetry.metrics_page import metrics_page
from desk.telemetry.names import otlp_name, prometheus_name
from desk.telemetry.readings import Readings

PAGE = Path(__file__).resolve().parents[3] / "docs" / "reference" / "metrics.md"
NAME = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*")


def test_names_units_and_labels_follow_the_conventions() -> None:
    assert len(BY_NAME) == len(METRICS)
    for metric in METRICS:
        assert NAME.fullmatch(metric.name), metric
        assert metric.unit in {"s", "By", "1"} or re.fullmatch(r"\{[a-z]+\}", metric.unit), metric
        assert metric.meaning.endswith("."), metric
        assert "symbol" not in metric.labels, "a label per symbol has no bound"
        assert (metric.kind == "histogram") == bool(metric.bounds), metric
        assert list(metric.bounds) == sorted(set(metric.bounds)), metric


def test_names_that_prometheus_sees_are_distinct() -> None:
    names = [prometheus_name(metric, "raydesk") for metric in METRICS]

    assert len(set(names)) == len(names)
    assert prometheus_name(BY_NAME["queue.time"], "raydesk") == "raydesk_queue_time_seconds"
    assert prometheus_name(BY_NAME["events.produced"], "") == "events_produced_total"
    assert otlp_name(BY_NAME["queue.time"], "desk") == "desk.queue.time"


def test_readings_refuse_what_the_catalogue_does_not_have() -> None:
    readings = Readings("producer")

    with pytest.raises(KeyError):
        readings.count("no.such", 1)
    with pytest.raises(ValueError, match=r"lane\.depth"):
        readings.count("lane.depth", 1, shard="0")
    with pytest.raises(ValueError, match=r"lane\.depth"):
        readings.set("lane.depth", 1)
    readings.set("lane.depth", 1, shard="0")
    readings.record("queue.time", HistogramSnapshot())
    histogram = Histogram()
    histogram.add_one(5)
    readings.record("queue.time", histogram.snapshot())

    assert [reading.metric for reading in readings.values] == ["lane.depth"]
    assert [reading.histogram.count for reading in readings.histograms] == [1]


def test_the_page_is_what_make_docs_writes() -> None:
    assert PAGE.read_text(encoding="utf-8") == metrics_page(), (
        "docs/reference/metrics.md is not up to date: `make docs`"
    )


def test_only_totals_are_restored() -> None:
    assert set(BY_NAME) >= RESTORED
    assert "gauge" not in {BY_NAME[name].kind for name in RESTORED}
