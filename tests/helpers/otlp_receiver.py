"""An OpenTelemetry receiver of metrics and traces on loopback: gRPC, by the protocol's own servicer."""

import threading
from collections import defaultdict
from collections.abc import Iterator
from concurrent import futures
from contextlib import contextmanager
from typing import Any

import grpc
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2 as service
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2_grpc as rpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as trace_service
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc as trace_rpc
from opentelemetry.proto.metrics.v1.metrics_pb2 import ExponentialHistogramDataPoint, NumberDataPoint
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from desk.telemetry.histogram import HistogramSnapshot

NS = 1_000_000_000


class OtlpReceiver(rpc.MetricsServiceServicer):
    """Keeps all requests. It can refuse with a status code, or not answer until `release`."""

    def __init__(self) -> None:
        self.requests: list[service.ExportMetricsServiceRequest] = []
        self.refusal: grpc.StatusCode | None = None
        self.calls = 0
        self.released = threading.Event()
        self.released.set()
        self.endpoint = ""
        self.traces = TraceReceiver(self)

    def Export(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802 - the protocol's name
        self.calls += 1
        self.released.wait(30)
        if self.refusal is not None:
            context.abort(self.refusal, "no room")
        self.requests.append(request)
        return service.ExportMetricsServiceResponse()

    def resources(self) -> dict[str, dict[str, str]]:
        """The attributes of each actor's resource."""
        found = [dict(_attributes(each.resource)) for request in self.requests for each in request.resource_metrics]
        return {each["raydesk.actor"]: each for each in found}

    def numbers(self, name: str) -> dict[tuple[str, ...], float]:
        """The last value of a counter or gauge by actor and labels."""
        found: dict[tuple[str, ...], float] = {}
        for actor, metric in self._metrics(name):
            points: list[NumberDataPoint] = [*metric.sum.data_points, *metric.gauge.data_points]
            for point in points:
                value = point.as_double if point.HasField("as_double") else point.as_int
                found[actor, *(value for _, value in _attributes(point))] = value
        return found

    def histograms(self, name: str) -> dict[str, list[HistogramSnapshot]]:
        """The last histograms by actor, one for each set of labels."""
        found: dict[str, dict[tuple[str, ...], HistogramSnapshot]] = defaultdict(dict)
        for actor, metric in self._metrics(name):
            for point in metric.exponential_histogram.data_points:
                found[actor][tuple(value for _, value in _attributes(point))] = snapshot_of(point)
        return {actor: list(each.values()) for actor, each in found.items()}

    def kinds(self) -> dict[str, tuple[str, str]]:
        """Unit and kind of data by the metric's name."""
        return {metric.name: (metric.unit, metric.WhichOneof("data")) for _, metric in self._metrics()}

    def _metrics(self, name: str = "") -> Iterator[tuple[str, Any]]:
        for request in self.requests:
            for each in request.resource_metrics:
                actor = dict(_attributes(each.resource))["raydesk.actor"]
                for scope in each.scope_metrics:
                    yield from ((actor, metric) for metric in scope.metrics if name in {"", metric.name})


class TraceReceiver(trace_rpc.TraceServiceServicer):
    """Keeps all spans with their actor; refuses and waits as the receiver does to which it belongs."""

    def __init__(self, receiver: OtlpReceiver) -> None:
        self.spans: list[tuple[str, Span]] = []
        self._receiver = receiver

    def ways_of_orders(self) -> list[list[tuple[str, str]]]:
        """The spans from the root to each order at the venue, as (actor, name), of those whose way is whole."""
        by_id = {span.span_id: (actor, span) for actor, span in self.spans}
        ways = []
        for actor, span in by_id.values():
            if span.name != "venue":
                continue
            way = [(actor, span)]
            while (parent := by_id.get(way[-1][1].parent_span_id)) is not None:
                assert parent[1].trace_id == span.trace_id
                way.append(parent)
            if not way[-1][1].parent_span_id:
                ways.append([(actor, each.name) for actor, each in reversed(way)])
        return ways

    def Export(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802 - the protocol's name
        self._receiver.released.wait(30)
        if self._receiver.refusal is not None:
            context.abort(self._receiver.refusal, "no room")
        for each in request.resource_spans:
            actor = dict(_attributes(each.resource))["raydesk.actor"]
            self.spans += [(actor, span) for scope in each.scope_spans for span in scope.spans]
        return trace_service.ExportTraceServiceResponse()


def snapshot_of(point: ExponentialHistogramDataPoint) -> HistogramSnapshot:
    """The histogram of a data point of scale 5."""
    assert point.scale == 5
    counts = enumerate(point.positive.bucket_counts, point.positive.offset)
    buckets = {index: count for index, count in counts if count}
    assert point.count == point.zero_count + sum(buckets.values())
    return HistogramSnapshot(buckets, point.zero_count, round(point.sum * NS), round(point.max * NS))


@contextmanager
def otlp_receiver() -> Iterator[OtlpReceiver]:
    """A receiver on a free port, ended at the end."""
    receiver = OtlpReceiver()
    server = grpc.server(futures.ThreadPoolExecutor(2))
    rpc.add_MetricsServiceServicer_to_server(receiver, server)
    trace_rpc.add_TraceServiceServicer_to_server(receiver.traces, server)
    receiver.endpoint = f"http://127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    try:
        yield receiver
    finally:
        receiver.released.set()
        server.stop(0).wait()


def _attributes(holder: Any) -> list[tuple[str, str]]:
    return sorted((each.key, each.value.string_value) for each in holder.attributes)
