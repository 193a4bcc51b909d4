"""Print the figures of a finished run."""

from collections.abc import Mapping
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from console.display.terminal import line
from desk.model.plain_text import first_line
from desk.report.summary import ClassCounts, Quantiles, Summary
from desk.telemetry import formatting


def print_figures(console: Console, summary: Summary) -> None:
    """Print accounting, latency, consumers, rates, orders, gaps, warnings, and the first line of each problem."""
    console.print(_title(summary))
    console.print(_ticks(summary))
    console.print(_latency(summary))
    console.print(_consumers(summary))
    for text in _lines(summary):
        console.print(line(text))
    for warning in summary.warnings:
        console.print(line(f"~ {warning}", "yellow"), soft_wrap=True)
    for problem in summary.problems:
        console.print(line(f"! {first_line(problem)}", "red"), soft_wrap=True)


def verdict(summary: Summary, folder: Path) -> str:
    """The last line of a run: whether it is ok, whether it is balanced, and its folder."""
    if summary.ok:
        word = "ok"
    elif summary.complete:
        word = f"complete with {formatting.some(len(summary.problems), 'problem')}"
    else:
        word = "failed"
    return f"{word} · {'balanced' if summary.balanced else 'not balanced'} · {folder}"


def _title(summary: Summary) -> Text:
    where = "in one process" if summary.in_process else formatting.some(len(summary.consumers), "consumer")
    rest = f" · {summary.mode} · {where} · {formatting.duration(summary.wall_s)}"
    return Text.assemble(line(summary.plan, "bold"), (rest, "dim"))


def _plain_table(*headings: str) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for i, heading in enumerate(headings):
        table.add_column(heading, justify="right" if i else "left", no_wrap=True)
    return table


def _ticks(summary: Summary) -> Table:
    """The accounting. The columns `backfilled` and `skipped` appear only if they are not zero."""
    by_class = summary.ticks.present()
    rows = {name: _columns(counts) for name, counts in by_class.items()}
    usual = [column for column in _columns(ClassCounts()) if column not in {"backfilled", "skipped"}]
    unusual = [column for column in ("backfilled", "skipped") if any(row[column] for row in rows.values())]
    table = _plain_table("ticks", *usual, *unusual, "")
    for name, row in rows.items():
        figures = (formatting.count(row[column]) for column in (*usual, *unusual))
        table.add_row(name, *figures, _balance(by_class[name]))
    return table


def _columns(counts: ClassCounts) -> dict[str, int]:
    return {
        "received": counts.received,
        "backfilled": counts.backfilled,
        "applied": counts.applied,
        "conflated": counts.conflated,
        "dropped": sum(counts.dropped.values()),
        "rejected": sum(counts.rejected.values()),
        "skipped": counts.skipped,
    }


def _balance(counts: ClassCounts) -> Text:
    missing = counts.came - counts.went
    return Text(f"{missing:+,}", style="red") if missing else Text("balanced", style="green")


def _latency(summary: Summary) -> Table:
    table = _plain_table("latency", "p50", "p95", "p99", "max")
    latency = summary.latency_ms
    for name, quantiles in (
        ("data latency", latency.data_latency),
        ("time in queue", latency.time_in_queue),
        ("  in the lane", latency.in_lane),
        ("  on the link", latency.on_link),
    ):
        table.add_row(name, *_quantiles(quantiles))
    return table


def _quantiles(quantiles: Quantiles | None) -> list[str]:
    if quantiles is None:
        return [formatting.NOTHING] * 4
    return [formatting.milliseconds(ms) for ms in (quantiles.p50, quantiles.p95, quantiles.p99, quantiles.max)]


def _consumers(summary: Summary) -> Table:
    table = _plain_table("consumer", "pid", "symbols", "applied", "busy", "restarts", "CPU", "memory")
    for c in summary.consumers:
        symbols, applied, restarts = map(formatting.count, (c.symbols, c.applied, c.restarts))
        memory = f"{c.max_rss_mb:,.0f} MB"
        cpu = formatting.duration(c.cpu_s)
        table.add_row(
            f"shard {c.shard}", str(c.pid), symbols, applied, formatting.percent(c.busy), restarts, cpu, memory
        )
    return table


def _lines(summary: Summary) -> list[str]:
    rates, orders, pnl = summary.events_per_s, summary.orders, summary.pnl
    return [
        f"rates      produced {formatting.rate(rates.produced)}, consumed {formatting.rate(rates.consumed)}",
        f"bars       {formatting.count(summary.bars)}",
        f"decisions  {formatting.count(summary.decisions)}",
        (
            f"orders     {formatting.count(orders.submitted)} submitted, {formatting.count(orders.filled)} filled, "
            f"{formatting.count(orders.canceled)} canceled, {formatting.count(orders.rejected)} rejected, "
            f"{formatting.count(orders.refused_by_risk)} refused by risk{_rules(orders.refused)}"
        ),
        (
            f"P&L        realized {formatting.money(pnl.realized)}, unrealized {formatting.money(pnl.unrealized)}, "
            f"fees {formatting.money(-pnl.fees)}, net {formatting.money(pnl.net)}"
        ),
        f"feed       {_feed(summary)}",
        f"gaps       {_gaps(summary)}",
    ]


def _rules(refused: Mapping[str, int]) -> str:
    by_rule = ", ".join(f"{rule} {formatting.count(count)}" for rule, count in refused.items())
    return f" ({by_rule})" if by_rule else ""


def _feed(summary: Summary) -> str:
    feed = summary.feed
    parts = [" ".join(filter(None, (feed.kind, feed.name))) or formatting.NOTHING]
    if summary.mode != "replay":
        parts += ["up at the end" if feed.up else "down at the end", formatting.some(feed.reconnects, "reconnect")]
    return ", ".join([*parts, f"clock skew {formatting.signed_milliseconds(summary.clock_skew_ms)}"])


def _gaps(summary: Summary) -> str:
    if not summary.gaps:
        return "none"
    open_gaps = sum(not gap.repaired for gap in summary.gaps)
    return f"{len(summary.gaps):,}, {open_gaps:,} of them not repaired"
