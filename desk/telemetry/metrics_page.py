"""The reference page of metrics, from the catalogue: `python -m desk.telemetry.metrics_page` prints it.

Tests: tests/desk/telemetry/test_metric_catalogue.py
"""

import sys
from typing import Final

from desk.telemetry.catalogue import AGE_S, FAST_S, METRICS, RESTORED, Metric
from desk.telemetry.names import otlp_name, prometheus_name

PREFIX: Final = "raydesk"
INTRODUCTION: Final = """\
# Metrics

Every metric of a desk, from the catalogue in `desk/telemetry/catalogue.py`. `make docs` writes this page; do not edit
it. `[telemetry]` in the [tradeplan](tradeplan.md) says where they go; `metric_prefix` replaces `raydesk` in the names.

| way out | names | histograms |
| --- | --- | --- |
| OTLP | the first column | exponential, scale 5, as the desk records them |
| `/metrics` for Prometheus | the second column | classic, with the bounds below; the label `actor` names the process |
| Ray's metrics endpoint | `ray_` and the second column | gauges `…_p50` and `…_p99`; the label `actor` is there, too |

Units are seconds (`s`), bytes (`By`), fractions (`1`), or a count of the things in braces. Metrics are recorded per
batch or per second, never per tick, and no label is a symbol. Over OTLP each actor is a resource with the attributes
`service.name`, `service.namespace` (the plan's name), `service.version`, `service.instance.id`, `raydesk.run`,
`raydesk.desk`, `raydesk.actor`, `raydesk.node`, and `raydesk.shard` for a consumer.

Counters and histograms are totals. Those marked ↻ continue when a process is restarted, because it restores them; all
others begin again with the process. The actor `driver` is the process that started the desk; of a desk in one process
it is the only one with metrics of a process.
"""


def metrics_page() -> str:
    """The whole page, in Markdown."""
    head = ["| metric | in Prometheus | kind | unit | labels | meaning |", "| --- | --- | --- | --- | --- | --- |"]
    bounds = [
        "## Bounds of classic histograms",
        "",
        "Bounds are powers of two, in seconds: bounds of the desk's own buckets, so that no count is estimated.",
        "",
        f"- work inside one process: {_numbers(FAST_S)}",
        f"- ages of data and orders: {_numbers(AGE_S)}",
        "",
    ]
    return "\n".join([INTRODUCTION, *head, *map(_row, METRICS), "", *bounds])


def _row(metric: Metric) -> str:
    kind = f"{metric.kind} ↻" if metric.name in RESTORED else metric.kind
    if metric.bounds:
        kind += ", ages" if metric.bounds == AGE_S else ", work"
    labels = ", ".join(f"`{label}`" for label in metric.labels)
    meaning = f"{metric.meaning} ({metric.short})" if metric.short else metric.meaning
    names = f"`{otlp_name(metric, PREFIX)}` | `{prometheus_name(metric, PREFIX)}`"
    return f"| {names} | {kind} | {metric.unit} | {labels} | {meaning} |"


def _numbers(bounds: tuple[float, ...]) -> str:
    return ", ".join(f"{bound:.3g}" for bound in bounds)


if __name__ == "__main__":
    sys.stdout.write(metrics_page())
