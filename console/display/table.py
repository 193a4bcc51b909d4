"""The live table of a running desk, drawn from a DeskView."""

from typing import Final

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from console.display.terminal import line
from desk.model.lane_row import LaneRow
from desk.model.plain_text import one_line
from desk.report.desk_view import ConsumerView, DeskState, DeskView
from desk.telemetry import formatting

MAX_NOTES: Final = 4
WIDE: Final = 100

_STATE_STYLE: Final[dict[DeskState, str]] = {
    "starting": "yellow",
    "waiting": "yellow",
    "running": "bold green",
    "draining": "yellow",
    "closed": "dim",
}
_FULL, _EMPTY = "█", "░"


def desk_table(view: DeskView, title: str, width: int) -> RenderableType:
    """The table, at most `width` columns wide; below WIDE without pid and symbols."""
    parts: list[RenderableType] = [_headline(view)]
    if view.progress is not None:
        parts.append(_progress(view.progress))
    parts.append(_rates(view))
    if view.consumers or view.lanes:
        parts.append(_shards(view, wide=width >= WIDE))
    parts.append(_book(view))
    parts.extend(_alert(alert, "bold red") for alert in view.alerts)
    parts.extend(_alert(note, "yellow") for note in view.notes[-MAX_NOTES:])
    return Panel(Group(*parts), title=line(title, "bold"), title_align="left", border_style="dim", width=width)


def _headline(view: DeskView) -> RenderableType:
    row = Table.grid(expand=True)
    row.add_column()
    row.add_column(justify="right")
    session = Text.assemble(
        ("session ", "dim"), (formatting.exchange_time(view.session_ns), "bold"), (" exchange", "dim")
    )
    row.add_row(session, Text(view.state, style=_STATE_STYLE[view.state]))
    return row


def _progress(progress: float) -> RenderableType:
    row = Table.grid(expand=True, padding=(0, 1, 0, 0))
    row.add_column(ratio=1)
    row.add_column(justify="right", width=4)
    row.add_row(ProgressBar(total=1.0, completed=progress), formatting.percent(progress))
    return row


def _rates(view: DeskView) -> RenderableType:
    return _facts(
        ("produced", formatting.rate(view.produced_per_s)),
        ("consumed", formatting.rate(view.consumed_per_s)),
        ("queue p99", formatting.milliseconds(view.worst_time_in_queue_ms)),
        ("symbols", formatting.count(view.subscribed)),
        ("scanned", formatting.count(view.wanted_by_scanners)),
    )


def _book(view: DeskView) -> RenderableType:
    pnl_style = "green" if view.pnl > 0 else "red" if view.pnl < 0 else ""
    facts = _facts(
        ("orders", formatting.count(view.orders.submitted)),
        ("filled", formatting.count(view.orders.filled)),
        ("refused", formatting.count(view.orders.refused)),
        ("positions", formatting.count(view.open_positions)),
    )
    facts.append_text(Text.assemble(("P&L ", "dim"), (formatting.money(view.pnl), pnl_style)))
    if stopped := sum(consumer.strategies_stopped for consumer in view.consumers):
        facts.append(f"  stopped {stopped}", style="red")
    return facts


def _facts(*facts: tuple[str, str]) -> Text:
    text = Text(overflow="fold")
    for name, figure in facts:
        text.append_text(Text.assemble((f"{name} ", "dim"), figure, "  "))
    return text


def _shards(view: DeskView, *, wide: bool) -> Table:
    table = Table(expand=True, box=None, padding=(0, 1, 0, 0), header_style="dim")
    headings = ["shard", "consumed", "busy", "queue p50", "p99", "lane", "window", "conflated", "dropped"]
    wide_headings = ["pid", "symbols"] if wide else []
    for heading in headings[:1] + wide_headings + headings[1:]:
        table.add_column(heading, justify="left" if heading == "lane" else "right", no_wrap=True)
    lanes = {lane.shard: lane for lane in view.lanes}
    consumers = {consumer.shard: consumer for consumer in view.consumers}
    for shard in sorted(lanes.keys() | consumers.keys()):
        own = _consumer_cells(consumers.get(shard), wide=wide)
        table.add_row(str(shard), *own, *_lane_cells(lanes.get(shard), 12 if wide else 6))
    return table


def _consumer_cells(consumer: ConsumerView | None, *, wide: bool) -> list[RenderableType]:
    if consumer is None:
        return [formatting.NOTHING] * (6 if wide else 4)
    cells: list[RenderableType] = [str(consumer.pid), formatting.count(consumer.symbols)] if wide else []
    busy_style = "red" if consumer.busy > 0.9 else "yellow" if consumer.busy > 0.7 else ""
    cells += [
        formatting.rate(consumer.consumed_per_s),
        Text(formatting.percent(consumer.busy), style=busy_style),
        formatting.milliseconds(consumer.time_in_queue_p50_ms),
        formatting.milliseconds(consumer.time_in_queue_p99_ms),
    ]
    return cells


def _lane_cells(lane: LaneRow | None, bar_width: int) -> list[RenderableType]:
    if lane is None:
        return [formatting.NOTHING] * 4
    return [
        fill_bar(lane.depth, lane.capacity, bar_width),
        f"{lane.in_flight}/{lane.window}",
        Text(formatting.short_count(lane.conflated)),
        Text(formatting.short_count(lane.dropped), style="red" if lane.dropped else ""),
    ]


def fill_bar(depth: int, capacity: int, width: int) -> Text:
    """How full a lane is: a bar of `width` cells and a percentage. A lane that is not empty shows at least one cell."""
    fraction = min(depth / capacity, 1.0)
    cells = min(-(-depth * width // capacity), width)
    style = "red" if fraction >= 0.8 else "yellow" if fraction >= 0.5 else "green"
    return Text.assemble(
        (_FULL * cells, style), (_EMPTY * (width - cells), "dim"), f"{formatting.percent(fraction):>5}"
    )


def _alert(text: str, style: str) -> Text:
    return Text(one_line(f"! {text}"), style=style, overflow="ellipsis", no_wrap=True)
