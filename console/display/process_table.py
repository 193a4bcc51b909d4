"""The processes, ages and waits of a running desk, from two of its snapshots.

Tests: tests/console/test_console_top.py
"""

from collections.abc import Iterable
from typing import Final

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from console.display.terminal import line
from desk.model.units import MS_NS, SECOND_NS
from desk.report.live_snapshot import LiveSnapshot
from desk.telemetry import formatting
from desk.telemetry.histogram import Histogram, HistogramSnapshot, counted_since
from desk.telemetry.readings import Readings

WAITS: Final = {"lock": "lock", "run_queue": "CPU queue", "throttled": "throttled", "gc": "gc"}
"""Kinds of waiting that have a column, and its heading; all others are together."""
MOST_PROBLEMS: Final = 6
ORDER: Final = {"feed": 0, "lane": 1, "link": 2, "apply": 3, "decide": 4}
"""The way of a tick."""


def process_table(before: LiveSnapshot | None, now: LiveSnapshot, width: int) -> RenderableType:
    """What the desk did between the snapshots; before the second one there are no rates."""
    parts: list[RenderableType] = [_processes(before, now), _facts(now)]
    if ages := _ages(before, now):
        parts.append(ages)
    parts += [line(f"! {text}", "yellow") for text in now.warnings[-MOST_PROBLEMS:]]
    return Panel(Group(*parts), title="processes", title_align="left", border_style="dim", width=width)


def _processes(before: LiveSnapshot | None, now: LiveSnapshot) -> Table:
    table = Table(expand=True, box=None, padding=(0, 1, 0, 0), header_style="dim")
    for heading in ("process", "pid", "CPU", "memory", *WAITS.values(), "other waits"):
        table.add_column(heading, justify="left" if heading == "process" else "right", no_wrap=True)
    pids = {row.actor: row.pid for row in now.processes}
    for actor, readings in sorted(now.readings.items()):
        memory = _value(readings, "process.memory.usage")
        if memory is None:
            continue  # it has no process of its own
        earlier = None if before is None else before.readings.get(actor)
        if earlier is not None and earlier.pid != readings.pid:
            earlier = None  # another process, which counts from zero
        passed_s = 0.0 if earlier is None else (readings.wall_ns - earlier.wall_ns) / SECOND_NS
        waits = _waits(earlier, readings, passed_s)
        cells = [_part(waits.get(kind)) for kind in WAITS]
        others = [share for kind, share in waits.items() if kind not in WAITS]
        pid = str(pids.get(actor) or readings.pid or formatting.NOTHING)
        cpu = _growth(earlier, readings, "process.cpu.time", passed_s)
        table.add_row(
            line(actor), pid, _part(cpu), f"{memory / 2**20:,.0f} MB", *cells, _part(sum(others) if others else None)
        )
    return table


def _facts(now: LiveSnapshot) -> Text:
    wanted = sum(_value(readings, "strategy.intents") or 0.0 for readings in now.readings.values())
    dropped = sum(_value(readings, "log.dropped") or 0.0 for readings in now.readings.values())
    text = Text.assemble(("decisions ", "dim"), formatting.count(int(wanted)))
    if dropped:
        text.append(f"  log lines dropped {int(dropped):,}", style="red")
    return text


def _ages(before: LiveSnapshot | None, now: LiveSnapshot) -> Text | None:
    """How old the batches' oldest ticks were at the end of each hop: p50 and p99 since the snapshot before."""
    hops: dict[str, Histogram] = {}
    for actor, readings in now.readings.items():
        earlier = None if before is None else before.readings.get(actor)
        old = {} if earlier is None or earlier.pid != readings.pid else _by_hop(earlier)
        for hop, histogram in _by_hop(readings).items():
            grown = counted_since(histogram, old.get(hop, HistogramSnapshot()))
            if grown.count and (hop not in hops or (grown.quantile(0.99) or 0) > (hops[hop].quantile(0.99) or 0)):
                hops[hop] = grown  # of several processes the slowest
    if not hops:
        return None
    text = Text.assemble(("age p50/p99", "dim"))
    for hop, ages in sorted(hops.items(), key=lambda item: ORDER.get(item[0], len(ORDER))):
        p50, p99 = ages.quantile(0.5) or 0, ages.quantile(0.99) or 0
        figures = f"{formatting.milliseconds(p50 / MS_NS)}/{formatting.milliseconds(p99 / MS_NS)}"
        text.append_text(Text.assemble((f"  {hop} ", "dim"), figures))
    return text


def _by_hop(readings: Readings) -> dict[str, HistogramSnapshot]:
    return {one.labels["hop"]: one.histogram for one in readings.histograms if one.metric == "batch.age"}


def _waits(before: Readings | None, now: Readings, passed_s: float) -> dict[str, float]:
    """The fraction of time that the working thread waited, by kind."""
    if before is None or passed_s <= 0:
        return {}
    old, new = _by_kind(before), _by_kind(now)
    return {kind: max(total - old.get(kind, 0.0), 0.0) / passed_s for kind, total in new.items()}


def _by_kind(readings: Readings) -> dict[str, float]:
    return {one.labels["kind"]: one.value for one in readings.values if one.metric == "wait.time"}


def _growth(before: Readings | None, now: Readings, metric: str, passed_s: float) -> float | None:
    new, old = _value(now, metric), None if before is None else _value(before, metric)
    return None if new is None or old is None or passed_s <= 0 else max(new - old, 0.0) / passed_s


def _value(readings: Readings, metric: str) -> float | None:
    """The sum over all labels."""
    found: Iterable[float] = [one.value for one in readings.values if one.metric == metric]
    return sum(found) if found else None


def _part(share: float | None) -> Text:
    if share is None:
        return Text(formatting.NOTHING)
    return Text(formatting.percent(share), style="red" if share > 0.5 else "yellow" if share > 0.1 else "")
