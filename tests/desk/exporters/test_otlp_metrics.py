"""OTLP metrics: no loss in histograms, series that survive a restart, receivers that fail."""

import gzip
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Event, Thread

import pytest
from examples import examples
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.sdk.metrics.export import ExponentialHistogram, Metric, MetricsData, Sum
from otlp_receiver import otlp_receiver, snapshot_of

from desk.exporters.export_failures import ExportFailures
from desk.exporters.otlp_metrics import OtlpMetrics, RunAttributes
from desk.exporters.otlp_points import ActorPoints, exponential_point
from desk.exporters.otlp_target import EXPORT_S, OtlpTarget, metric_exporter, otlp_target
from desk.telemetry.histogram import MAX_NS, Histogram
from desk.telemetry.readings import HistogramReading, Readings

LOG = logging.getLogger("raydesk.test")
ATTRIBUTES = RunAttributes("run", "day", "1.0", "here")


def readings(trades: int, cpu_s: float, started_ns: int = 1, wall_ns: int = 5) -> Readings:
    found = Readings("consumer-00", 7, "node", started_ns, wall_ns)
    found.count("events.consumed", trades, **{"class": "trades"})
    found.count("process.cpu.time", cpu_s, mode="user")
    found.set("shard.symbols", 3)
    histogram = Histogram()
    histogram.add_one(1_000, trades)
    found.record("queue.time", histogram.snapshot())
    found.record("gc.pause", histogram.snapshot(), generation="2")
    return found


def otlp(endpoint: str, every_s: float = 3600.0) -> tuple[OtlpMetrics, ExportFailures]:
    outcome = ExportFailures("the export", LOG)
    return OtlpMetrics(metric_exporter(otlp_target(endpoint)), ATTRIBUTES, "raydesk", outcome, every_s), outcome


def until(condition: Callable[[], bool], what: str) -> None:
    """Wait until it holds."""
    deadline_s = time.monotonic() + 30.0
    while not condition():
        assert time.monotonic() < deadline_s, what
        Event().wait(0.01)


@pytest.mark.parametrize(
    ("endpoint", "target", "url"),
    [
        ("http://127.0.0.1:4317", OtlpTarget("grpc", False, "127.0.0.1:4317"), "http://127.0.0.1:4317"),
        ("https://collector", OtlpTarget("grpc", True, "collector"), "https://collector"),
        ("grpc://c:1", OtlpTarget("grpc", False, "c:1"), "http://c:1"),
        ("grpcs://c:1", OtlpTarget("grpc", True, "c:1"), "https://c:1"),
        ("c:4317", OtlpTarget("grpc", False, "c:4317"), "http://c:4317"),
        ("http://c:4318", OtlpTarget("http", False, "c:4318"), "http://c:4318/v1/metrics"),
        ("http://c:4318/v1/metrics", OtlpTarget("http", False, "c:4318", "/v1/metrics"), "http://c:4318/v1/metrics"),
        ("https://c/otlp/", OtlpTarget("http", True, "c", "/otlp/"), "https://c/otlp/v1/metrics"),
    ],
)
def test_the_protocol_follows_from_the_endpoint(endpoint: str, target: OtlpTarget, url: str) -> None:
    assert otlp_target(endpoint) == target
    assert target.url("metrics") == url


@examples(100)
@given(st.lists(st.integers(-5, 2 * MAX_NS)))
def test_a_histogram_arrives_as_it_was(durations_ns: list[int]) -> None:
    histogram = Histogram()
    for duration_ns in durations_ns:
        histogram.add_one(duration_ns)
    sent = histogram.snapshot()
    point = exponential_point(HistogramReading("queue.time", sent), 1, 2)
    points = ActorPoints({}, "").resource_metrics(
        Readings("a", 1, "", 1, 2, [], [HistogramReading("queue.time", sent)])
    )

    encoded = encode_metrics(MetricsData([points])).resource_metrics[0].scope_metrics[0].metrics[0]
    (arrived,) = encoded.exponential_histogram.data_points
    back = snapshot_of(arrived)

    assert point.count == len(durations_ns)
    assert not arrived.HasField("min")
    assert (back.buckets, back.zeros) == (sent.buckets, sent.zeros)
    assert (back.sum_ns, back.max_ns) == (pytest.approx(sent.sum_ns), pytest.approx(sent.max_ns))


def test_restored_totals_are_one_series_over_a_restart_and_others_begin_again() -> None:
    points = ActorPoints({}, "")
    first = points.resource_metrics(readings(10, 4.0, started_ns=1_000))
    second = points.resource_metrics(readings(12, 0.5, started_ns=2_000, wall_ns=2_500))

    def found(name: str, which: object) -> Metric:
        metrics = which.scope_metrics[0].metrics  # type: ignore[attr-defined]
        return next(metric for metric in metrics if metric.name == name)

    def start_and_value(name: str, which: object) -> tuple[int, float]:
        data = found(name, which).data
        assert isinstance(data, Sum)
        return data.data_points[0].start_time_unix_nano, data.data_points[0].value

    def start(name: str, which: object) -> int:
        data = found(name, which).data
        assert isinstance(data, ExponentialHistogram)
        return data.data_points[0].start_time_unix_nano

    assert start_and_value("events.consumed", first)[0] == start_and_value("events.consumed", second)[0]
    assert start_and_value("events.consumed", second)[1] == 12
    assert start_and_value("process.cpu.time", second)[0] > start_and_value("process.cpu.time", first)[0]
    assert (start("queue.time", first), start("queue.time", second)) == (1_000, 1_000)
    assert (start("gc.pause", first), start("gc.pause", second)) == (1_000, 2_000)


def test_readings_are_sent_while_the_desk_runs_and_at_its_end() -> None:
    with otlp_receiver() as receiver:
        sender, outcome = otlp(receiver.endpoint, every_s=0.01)
        sender.publish({"consumer-00": readings(1, 1.0)})
        until(lambda: bool(receiver.requests), "the first export")
        sender.publish({"consumer-00": readings(2, 2.0)})
        sender.close()

        assert receiver.numbers("raydesk.events.consumed") == {("consumer-00", "trades"): 2}
        assert receiver.numbers("raydesk.shard.symbols") == {("consumer-00",): 3}
        assert outcome.failures == 0


def test_an_unanswered_export_is_given_up_at_the_close() -> None:
    with otlp_receiver() as receiver:
        receiver.released.clear()
        sender, outcome = otlp(receiver.endpoint, every_s=0.01)
        sender.publish({"consumer-00": readings(1, 1.0)})
        until(lambda: receiver.calls > 0, "the export")
        sender.publish({"consumer-00": readings(2, 1.0)})  # does not wait
        began_s = time.monotonic()
        sender.close()
        took_s = time.monotonic() - began_s

        assert took_s < EXPORT_S, "the export itself would last longer"
        assert outcome.failures > 0


def test_failures_are_counted_and_warned_of_once_until_it_works_again(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, LOG.name)
    outcome = ExportFailures("the export", LOG)

    for why in ("", "refused", "refused", "", "refused"):
        outcome.report(why)

    assert (outcome.exports, outcome.failures) == (5, 3)
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO", "WARNING"]
    assert outcome.warnings() == ["the export failed 3 of 5 times, which loses data there; last: refused"]
    assert ExportFailures("another", LOG).warnings() == []


@contextmanager
def http_receiver(status: int) -> Iterator[tuple[str, list[ExportMetricsServiceRequest]]]:
    """An OTLP receiver over HTTP that answers with this status."""
    requests: list[ExportMetricsServiceRequest] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            if self.path == "/otlp/v1/metrics":
                requests.append(ExportMetricsServiceRequest.FromString(body))
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/otlp", requests
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize("status", [200, 400, 429])
def test_http_is_spoken_too(status: int) -> None:
    with http_receiver(status) as (endpoint, requests):
        sender, outcome = otlp(endpoint)
        sender.publish({"consumer-00": readings(1, 1.0)})
        sender.close()

    assert requests
    assert requests[0].resource_metrics[0].scope_metrics[0].metrics
    assert bool(outcome.failures) == (status != 200)
