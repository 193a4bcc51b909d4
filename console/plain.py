"""A running desk as single lines, for logs and pipes."""

from desk.model.plain_text import one_line
from desk.report import words
from desk.report.live import DeskView


def desk_line(view: DeskView) -> str:
    """The view in one line: figures in a fixed order, then alerts."""
    if view.waits:
        return one_line(f"{view.state}  {view.waits}")
    queue = words.milliseconds(view.worst_time_in_queue_ms)
    parts = [
        view.state,
        f"session {words.exchange_time(view.session_ns)}",
        f"produced {words.rate(view.produced_per_s)}",
        f"consumed {words.rate(view.consumed_per_s)}",
        f"queue p99 {queue}",
        f"waiting {words.short_count(sum(lane.depth for lane in view.lanes))}",
        f"conflated {words.short_count(view.conflated)}",
        f"dropped {words.short_count(view.dropped)}",
        f"orders {words.count(view.orders.submitted)}",
        f"filled {words.count(view.orders.filled)}",
        f"P&L {words.money(view.pnl)}",
    ]
    if view.progress is not None:
        parts.insert(1, words.percent(view.progress))
    parts += [f"! {alert}" for alert in view.alerts]
    return one_line("  ".join(parts))
