"""The report page of a finished run: one self-contained HTML document."""

from collections.abc import Iterable, Sequence
from typing import Final

from desk.model.plain_text import problem
from desk.report import charts
from desk.report.markup import Html, section, table, tag
from desk.report.page_style import CSS
from desk.report.row_figures import RowFigures, StrategyFigures
from desk.report.summary import ClassCounts, Quantiles, Summary, VenueBarsSection
from desk.report.venue_bars import figure
from desk.telemetry import formatting

POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'"
"""The Content-Security-Policy of the page: only its own styles, no script, no other load."""


def report_html(summary: Summary, figures: RowFigures) -> str:
    """The whole page. It loads nothing, runs no script, and escapes every text of the run."""
    head = tag(
        "head",
        Html('<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'),
        Html(f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'),
        tag("title", f"{summary.plan}: {_word(summary)}"),
        tag("style", Html(CSS)),
    )
    parts = (
        _header(summary),
        _verdict(summary),
        _tiles(summary),
        _ticks(summary),
        _activity(figures),
        _latency(summary),
        _processes(summary),
        _orders(summary),
        _strategies(figures.strategies),
        _bars(figures),
        _venue_bars(summary.venue_bars),
        _gaps(summary),
        tag("footer", tag("p", f"raydesk · run {summary.run_id}")),
    )
    return f"<!doctype html>\n{tag('html', head, tag('body', tag('main', *parts)), lang='en')}\n"


def _word(summary: Summary) -> str:
    return "ok" if summary.ok else "not ok"


def _header(summary: Summary) -> Html:
    where = "in one process" if summary.in_process else f"{formatting.some(len(summary.consumers), 'consumer')}"
    when = f"{formatting.utc_time(summary.started_ns)}, {formatting.duration(summary.wall_s)}"
    lines = [f"{summary.mode} · {where} · {when}"]
    if summary.feed.entitlement:
        name = " ".join(filter(None, (summary.feed.kind, summary.feed.name)))
        lines.append(f"Market data: {name}: {summary.feed.entitlement}")
    return tag("header", tag("h1", summary.plan), *(tag("p", text, class_="soft") for text in lines))


def _verdict(summary: Summary) -> Html:
    if summary.ok:
        text = "Complete and balanced: every tick that arrived is accounted for, and there were no problems."
        return tag("div", tag("strong", "ok"), text, class_="verdict good")
    wrong = list(summary.problems)
    if summary.failed is True:
        wrong.insert(0, "The run was aborted before its end.")
    if not summary.balanced:
        wrong += [_imbalance(name, counts) for name, counts in _classes(summary) if not counts.balanced]
    title = tag("strong", f"not ok: {formatting.some(len(wrong), 'problem')}")
    return tag("div", title, tag("ul", *map(_problem, wrong)), class_="verdict bad", id="problems")


def _problem(text: str) -> Html:
    """The first line of a problem; a traceback is folded."""
    line, _, details = problem(text).partition("\n")
    more = tag("details", tag("summary", "details"), tag("pre", details)) if details else ""
    return tag("li", line, more)


def _imbalance(name: str, counts: ClassCounts) -> str:
    came, went = formatting.count(counts.came), formatting.count(counts.went)
    return f"The {name} do not balance: {came} came in, {went} accounted for."


def _classes(summary: Summary) -> list[tuple[str, ClassCounts]]:
    return list(summary.ticks.present().items())


def _tiles(summary: Summary) -> Html:
    queue = summary.latency_ms.time_in_queue
    facts = (
        ("ticks received", formatting.count(sum(counts.received for _, counts in _classes(summary)))),
        ("consumed", formatting.rate(summary.events_per_s.consumed)),
        ("time in queue, p99", formatting.milliseconds(queue.p99 if queue else None)),
        ("orders filled", formatting.count(summary.orders.filled)),
        ("net P&L", formatting.money(summary.pnl.net)),
    )
    return tag("dl", *(tag("div", tag("dt", name), tag("dd", figure)) for name, figure in facts), class_="tiles")


def _ticks(summary: Summary) -> Html:
    headings = ("", "received", "backfilled", "applied", "conflated", "dropped", "rejected", "skipped", "balance")
    rows = [(name, *_row(counts)) for name, counts in _classes(summary)]
    shares = [
        charts.share_bar(f"Where the {name} went", _shares(counts)) for name, counts in _classes(summary) if counts.went
    ]
    causes = [
        tag("li", f"{name} {what} as {cause}: {formatting.count(ticks)}")
        for name, counts in _classes(summary)
        for what, by_cause in (("dropped", counts.dropped), ("rejected", counts.rejected))
        for cause, ticks in by_cause.items()
        if ticks
    ]
    rule = tag("p", "received + backfilled = applied + conflated + dropped + rejected", class_="soft")
    return section("Ticks", table(headings, rows), *shares, tag("ul", *causes) if causes else "", rule)


def _row(counts: ClassCounts) -> tuple[str, ...]:
    dropped, rejected = sum(counts.dropped.values()), sum(counts.rejected.values())
    figures = (counts.received, counts.backfilled, counts.applied, counts.conflated, dropped, rejected, counts.skipped)
    missing = counts.came - counts.went
    return (*map(formatting.count, figures), "balanced" if not missing else f"{missing:+,} unaccounted")


def _shares(counts: ClassCounts) -> dict[str, int]:
    dropped, rejected = sum(counts.dropped.values()), sum(counts.rejected.values())
    return {"applied": counts.applied, "conflated": counts.conflated, "dropped": dropped, "rejected": rejected}


def _activity(figures: RowFigures) -> Html | str:
    if not figures.trades_by_minute:
        return ""
    text = "Trades in bars by the minute, exchange time"
    return section("Activity", tag("p", text, class_="soft"), charts.activity(text, figures.trades_by_minute))


def _latency(summary: Summary) -> Html:
    latency = summary.latency_ms
    rows = [
        ("data latency: venue time → applied", *_quantiles(latency.data_latency)),
        ("time in queue: lane entered → taken up", *_quantiles(latency.time_in_queue)),
        ("… in the lane", *_quantiles(latency.in_lane)),
        ("… on the link", *_quantiles(latency.on_link)),
    ]
    return section("Latency", table(("", "p50", "p95", "p99", "max"), rows))


def _quantiles(quantiles: Quantiles | None) -> Iterable[str]:
    if quantiles is None:
        return (formatting.NOTHING,) * 4
    return map(formatting.milliseconds, (quantiles.p50, quantiles.p95, quantiles.p99, quantiles.max))


def _processes(summary: Summary) -> Html:
    headings = ("shard", "process", "node", "symbols", "applied", "busy", "restarts", "CPU", "memory")
    rows: list[Sequence[str]] = [
        (
            f"{c.shard}",
            f"{c.pid}",
            c.node or formatting.NOTHING,
            formatting.count(c.symbols),
            formatting.count(c.applied),
            formatting.percent(c.busy),
            formatting.count(c.restarts),
            formatting.duration(c.cpu_s),
            f"{c.max_rss_mb:,.0f} MB",
        )
        for c in summary.consumers
    ]
    p = summary.producer
    producer = (
        f"Producer: process {p.pid}, CPU {formatting.duration(p.cpu_s)}, memory {p.max_rss_mb:,.0f} MB, "
        f"{formatting.some(p.reconnects, 'reconnect')}; {formatting.rate(summary.events_per_s.produced)} produced."
    )
    return section("Consumers", table(headings, rows), tag("p", producer, class_="soft"))


def _orders(summary: Summary) -> Html:
    orders, pnl = summary.orders, summary.pnl
    counts = (orders.submitted, orders.filled, orders.canceled, orders.rejected, orders.refused_by_risk)
    headings = ("", "submitted", "filled", "canceled", "rejected", "refused by risk")
    amounts = tuple(map(formatting.money, (pnl.realized, pnl.unrealized, -pnl.fees, pnl.net)))
    return section(
        "Orders and P&L",
        table(headings, [("orders", *map(formatting.count, counts))]),
        table(("", "realized", "unrealized", "fees", "net"), [("P&L", *amounts)]),
    )


def _strategies(strategies: Sequence[StrategyFigures]) -> Html | str:
    if not strategies:
        return ""
    rows = [
        (
            s.strategy,
            formatting.count(s.decisions),
            formatting.count(s.symbols),
            formatting.milliseconds(s.max_data_age_ms),
            outcomes,
        )
        for s in strategies
        for outcomes in [", ".join(f"{outcome} {formatting.count(n)}" for outcome, n in s.outcomes.items())]
    ]
    return section("Decisions", table(("strategy", "decisions", "symbols", "oldest data", "outcomes"), rows))


def _bars(figures: RowFigures) -> Html:
    total = sum(figures.bars.values())
    flags = ", ".join(f"{formatting.count(n)} {flag}" for flag, n in figures.bars.items() if n)
    of = f" of {formatting.some(figures.symbols, 'symbol')}: {flags}" if total else ""
    return section("Bars", tag("p", f"{formatting.some(total, 'minute bar')}{of}."))


def _venue_bars(bars: VenueBarsSection) -> Html | str:
    """The agreement with the venue's own bars; nothing where it sent none."""
    if bars.agreement is None:
        return ""
    share = formatting.percent(bars.agreement)
    text = f"{formatting.count(bars.equal)} of {formatting.some(bars.compared, 'minute')} are equal in every field: "
    parts = [tag("p", f"{text}{share}.")]
    if bars.differing:
        counts = [(field, formatting.count(number)) for field, number in bars.differing.items()]
        places = [
            (f"{first.symbol} {formatting.exchange_time(first.minute_ns)}", first.field, ours, theirs)
            for first in bars.first
            for ours, theirs in [(figure(first.ours), figure(first.theirs))]
        ]
        parts += [
            table(("field", "minutes that differ"), counts),
            tag("p", "The first differences:", class_="soft"),
            table(("minute (exchange time)", "field", "ours", "the venue's"), places),
        ]
    return section("Bars against the venue's own", *parts)


def _gaps(summary: Summary) -> Html:
    if not summary.gaps:
        return section("Gaps", tag("p", "No gaps."))
    rows = [
        (
            formatting.exchange_time(gap.from_ns),
            formatting.exchange_time(gap.to_ns),
            formatting.count(gap.symbols),
            "repaired" if gap.repaired else "not repaired",
            gap.why,
        )
        for gap in summary.gaps
    ]
    return section("Gaps", table(("from (exchange time)", "to", "symbols", "", "why"), rows))
