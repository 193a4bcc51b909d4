"""Names of metrics as the exporters write them.

Tests: tests/desk/telemetry/test_metric_catalogue.py
"""

from typing import Final

from desk.telemetry.catalogue import Metric

UNIT_WORDS: Final = {"s": "seconds", "By": "bytes", "1": "ratio"}


def otlp_name(metric: Metric, prefix: str) -> str:
    """The name with the plan's prefix: raydesk.queue.time."""
    return f"{prefix}.{metric.name}" if prefix else metric.name


def prometheus_name(metric: Metric, prefix: str) -> str:
    """The name as Prometheus has it: raydesk_queue_time_seconds.

    As OpenTelemetry maps it: dots become underscores, the unit is spelled out, counters end in `_total`.
    """
    words = otlp_name(metric, prefix).replace(".", "_")
    if unit := UNIT_WORDS.get(metric.unit, ""):
        words = f"{words}_{unit}"
    return f"{words}_total" if metric.kind == "counter" else words
