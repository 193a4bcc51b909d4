"""A running desk as single lines, for logs and pipes.

Tests: tests/console/test_console_screen.py
"""

from desk.model.plain_text import one_line
from desk.report.desk_view import DeskView
from desk.telemetry import formatting


def desk_line(view: DeskView) -> str:
    """The view in one line: figures in a fixed order, then alerts."""
    if view.waits:
        return one_line(f"{view.state}  {view.waits}")
    queue = formatting.milliseconds(view.worst_time_in_queue_ms)
    parts = [
        view.state,
        f"session {formatting.exchange_time(view.session_ns)}",
        f"produced {formatting.rate(view.produced_per_s)}",
        f"consumed {formatting.rate(view.consumed_per_s)}",
        f"queue p99 {queue}",
        f"waiting {formatting.short_count(sum(lane.depth for lane in view.lanes))}",
        f"conflated {formatting.short_count(view.conflated)}",
        f"dropped {formatting.short_count(view.dropped)}",
        f"orders {formatting.count(view.orders.submitted)}",
        f"filled {formatting.count(view.orders.filled)}",
        f"P&L {formatting.money(view.pnl)}",
    ]
    if view.progress is not None:
        parts.insert(1, formatting.percent(view.progress))
    parts += [f"! {alert}" for alert in view.alerts]
    return one_line("  ".join(parts))
