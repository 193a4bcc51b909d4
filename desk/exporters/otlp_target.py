"""The receiver that `[telemetry] otlp_endpoint` names, and its protocol.

Tests: tests/desk/exporters/test_otlp_metrics.py
"""

from typing import Final, Literal, NamedTuple
from urllib.parse import urlsplit

from opentelemetry.sdk.metrics.export import MetricExporter

HTTP_PORT: Final = 4318
"""The port of OTLP over HTTP (OpenTelemetry Protocol specification, "Default Port")."""
EXPORT_S: Final = 5.0
"""The limit of one export."""
MAX_POINTS: Final = 2_000
"""The most data points of one gRPC message; receivers take 4 MiB."""

Signal = Literal["metrics", "traces"]


class OtlpTarget(NamedTuple):
    """A receiver: `address` is host and port, `path` the path of HTTP before the signal's own."""

    protocol: Literal["grpc", "http"]
    secure: bool
    address: str
    path: str = ""

    def url(self, signal: Signal) -> str:
        """The URL to which the SDK's exporter of this protocol sends."""
        base = f"{'https' if self.secure else 'http'}://{self.address}"
        if self.protocol == "grpc":
            return base
        path = self.path.rstrip("/").removesuffix("/v1/metrics").removesuffix("/v1/traces")
        return f"{base}{path}/v1/{signal}"


def otlp_target(endpoint: str) -> OtlpTarget:
    """The receiver at a checked, non-empty endpoint.

    An http or https URL with a path or port 4318 is OTLP over HTTP. Everything else is gRPC: without TLS for the
    schemes http and grpc and without a scheme, with TLS for https and grpcs.
    """
    scheme, _, rest = endpoint.rpartition("://")
    parts = urlsplit(f"//{rest}")
    secure = scheme in {"https", "grpcs"}
    if scheme in {"http", "https"} and (parts.path.strip("/") or parts.port == HTTP_PORT):
        return OtlpTarget("http", secure, parts.netloc, parts.path)
    return OtlpTarget("grpc", secure, parts.netloc)


def metric_exporter(target: OtlpTarget) -> MetricExporter:
    """The SDK's exporter of metrics to this receiver. Headers come from OTEL_EXPORTER_OTLP_HEADERS."""
    if target.protocol == "http":
        from opentelemetry.exporter.otlp.proto.http import (  # noqa: PLC0415 - one of two protocols, each slow to import
            metric_exporter as http,
        )

        return http.OTLPMetricExporter(target.url("metrics"), timeout=EXPORT_S)
    from opentelemetry.exporter.otlp.proto.grpc import metric_exporter as grpc  # noqa: PLC0415 - as above

    return grpc.OTLPMetricExporter(
        target.url("metrics"), insecure=not target.secure, timeout=EXPORT_S, max_export_batch_size=MAX_POINTS
    )
