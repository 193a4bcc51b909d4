"""[telemetry] of the tradeplan: where metrics and traces go.

Tests: tests/desk/config/test_telemetry_plan.py
"""

from collections.abc import Iterator

from pydantic import Field

from desk.config.plan_table import PlanFault, PlanTable
from desk.config.plan_urls import has_secret, unusable_host
from desk.config.values import HeartbeatUrl, HostName, MetricPrefix, OtlpEndpoint

OTLP_HEADERS = "OTEL_EXPORTER_OTLP_HEADERS"


class TelemetryPlan(PlanTable):
    """[telemetry]: where the desk's metrics and traces go, and how its health is monitored from outside."""

    host: HostName = Field(
        default="127.0.0.1",
        description="address on which `/metrics` and `/healthz` are served; both require the bearer token in "
        "`metrics_token` in the state folder",
    )
    prometheus_port: int = Field(default=0, ge=0, le=65_535, description="port of `/metrics` for Prometheus; 0 = off")
    otlp_endpoint: OtlpEndpoint = Field(
        default="",
        description='OpenTelemetry receiver of metrics and traces, such as "http://127.0.0.1:4317"; gRPC, or HTTP if '
        "the URL has a path or port 4318; empty = none",
    )
    metric_prefix: MetricPrefix = Field(
        default="raydesk", description="what all names of exported metrics begin with; empty = nothing"
    )
    trace_sample: float = Field(default=0.0, ge=0, le=1, description="fraction of the batches that are traced")
    trace_older_ms: float = Field(
        default=1000.0, ge=0, le=86_400_000, description="age of a batch above which it is always traced, in ms"
    )
    healthz_port: int = Field(
        default=0, ge=0, le=65_535, description="port of `/healthz`; may be that of `/metrics`; 0 = off"
    )
    heartbeat_url: HeartbeatUrl = Field(
        default="", description="URL that is fetched every 30 s while the desk is healthy; empty = none"
    )

    def disagreements(self) -> Iterator[PlanFault]:
        for key in ("otlp_endpoint", "heartbeat_url"):
            yield from self._bad_url(key, getattr(self, key))

    def _bad_url(self, key: str, url: str) -> Iterator[PlanFault]:
        whole = url if "://" in url else f"grpc://{url}"
        if has_secret(whole):
            remedy = "Leave it out, and use a service whose URL needs none."
            if key == "otlp_endpoint":
                remedy = f"Set it as a header in the environment: {OTLP_HEADERS}."
            yield PlanFault((key,), "a URL with a password or token in it", "a URL without one", remedy)
        elif url and (why := unusable_host(whole)):
            yield PlanFault((key,), f'`"{url}"`: {why}', "a URL with a usable host and port", "Correct it.")
