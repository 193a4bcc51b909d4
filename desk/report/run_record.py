"""The record of a run: the accounts of all parts, combined into the summary."""

from datetime import datetime
from zoneinfo import ZoneInfo

import msgspec

from desk.consumer.shard_stats import ShardStats
from desk.model.notes import Note
from desk.model.records import GapRecord
from desk.model.session import Session
from desk.model.ticks import CLASSES, EventClass
from desk.model.units import MS_NS, SECOND_NS
from desk.orders import OrderSummary
from desk.producer.feed_watch.watch import FeedReport
from desk.producer.loop import ProducerLoop
from desk.report.gap_lines import gap_problems, gap_warnings, refused_symbols
from desk.report.history_problems import history_problems
from desk.report.implausible_times import implausible_times
from desk.report.summary import (
    ClassCounts,
    ConsumerSection,
    FeedSection,
    GapSection,
    LatencySection,
    OrdersSection,
    PnlSection,
    ProducerSection,
    Quantiles,
    RatesSection,
    Summary,
    TicksSection,
)
from desk.report.venue_bars import venue_bar_warnings, venue_bars
from desk.telemetry.audit import StrategyFault
from desk.telemetry.breadcrumb_port import EVERYWHERE
from desk.telemetry.histogram import Histogram

MAX_PROBLEMS = 50


class ProcessUsage(msgspec.Struct, array_like=True):
    """The CPU time and memory of one process."""

    pid: int = 0
    node: str = ""
    cpu_s: float = 0.0
    max_rss_mb: float = 0.0


class FeedRecord(msgspec.Struct, array_like=True):
    """Counts of a feed, by class ("trades", "quotes", "notices") and cause, and the last notes of its producer.

    `marked`: at least one second of the session was complete.
    """

    received: dict[str, int]
    rejected: dict[str, dict[str, int]]
    skipped: dict[str, int]
    examples: list[str]
    gaps: list[GapRecord] = []
    problems: list[str] = []
    report: FeedReport = msgspec.field(default_factory=FeedReport)
    notes: list[Note] = []
    noted: int = 0
    epoch: int = 0
    marked: bool = True


def feed_record(loop: ProducerLoop) -> FeedRecord:
    """The record of the producer's feed."""
    counts, report = loop.feed.counts, loop.watch.report()
    return FeedRecord(
        counts.received,
        counts.rejected,
        counts.skipped,
        counts.examples,
        loop.gap_records(),
        [*loop.problems, *report.problems],
        report,
        loop.notes.latest(),
        loop.notes.count,
        loop.config.epoch,
        loop.marked,
    )


class RunRecord(msgspec.Struct, kw_only=True):
    """The input of the summary."""

    run_id: str
    plan: str
    mode: str
    in_process: bool
    session: Session
    started_ns: int
    ended_ns: int
    play_ns: int
    feed: FeedRecord
    shards: list[ShardStats]
    consumers: list[ProcessUsage]
    producer: ProcessUsage
    orders: OrderSummary
    problems: list[str]
    bars: int = 0
    decisions: int = 0
    feed_kind: str = ""
    feed_name: str = ""
    entitlement: str = ""
    delay_s: float = 0.0
    failed: bool = False
    restarts: dict[int, int] = {}
    notices: list[str] = []


def summarize_run(record: RunRecord) -> Summary:
    """The figures of summary.json with their verdict."""
    applied = sum(shard.audit.applied for shard in record.shards)
    played_s = max(record.play_ns, 1) / SECOND_NS
    summary = Summary(
        run_id=record.run_id,
        plan=record.plan,
        mode=record.mode,  # type: ignore[arg-type]  # the plan's own words
        in_process=record.in_process,
        problems=problems(record)[:MAX_PROBLEMS],
        gaps=[
            GapSection(
                gap.from_ns, gap.to_ns, gap.symbols, gap.why, gap.repaired and not refused_symbols(record.shards, gap)
            )
            for gap in record.feed.gaps
        ],
        warnings=warnings(record)[:MAX_PROBLEMS],
        started_ns=record.started_ns,
        ended_ns=record.ended_ns,
        wall_s=round((record.ended_ns - record.started_ns) / SECOND_NS, 3),
        ticks=TicksSection(*(_counts(record, kind) for kind in CLASSES)),
        events_per_s=RatesSection(
            round(sum(record.feed.received.values()) / played_s, 1),
            round(applied / played_s, 1),
        ),
        latency_ms=_latencies(record),
        consumers=[
            _consumer(shard, usage, record.play_ns, record.restarts.get(shard.shard, 0))
            for shard, usage in zip(record.shards, record.consumers, strict=True)
        ],
        producer=ProducerSection(
            record.producer.pid,
            round(record.producer.cpu_s, 3),
            round(record.producer.max_rss_mb, 1),
            record.feed.report.reconnects,
        ),
        clock_skew_ms=round(record.feed.report.skew_ns / MS_NS, 3),
        feed=FeedSection(
            kind=record.feed_kind,
            name=record.feed_name,
            entitlement=record.entitlement,
            delay_s=record.delay_s,
            up=record.feed.report.up,
            reconnects=record.feed.report.reconnects,
            refused_symbols=record.feed.report.refused_symbols,
            exit_status=record.feed.report.fault_status or msgspec.UNSET,
        ),
        bars=record.bars,
        venue_bars=venue_bars(record.shards),
        decisions=record.decisions,
        orders=OrdersSection(
            record.orders.submitted,
            record.orders.filled,
            record.orders.canceled,
            record.orders.rejected,
            record.orders.refused_by_risk,
            record.orders.refused,
        ),
        pnl=PnlSection(
            round(float(record.orders.realized), 6),
            round(float(record.orders.unrealized), 6),
            round(float(record.orders.fees), 6),
        ),
    )
    return summary.judged(failed=record.failed)


def problems(record: RunRecord) -> list[str]:
    """Problems of all parts, and those that follow from the accounts as a whole."""
    by_class = {kind: _counts(record, kind) for kind in CLASSES}
    return [
        *record.problems,
        *gap_problems(record.feed.gaps, record.shards),
        *implausible_times(by_class, record.feed.report.ahead),
    ]


def strategy_problems(shards: list[ShardStats]) -> list[str]:
    """One line for each strategy that was stopped for a symbol, or for all on several shards, in canonical order.

    Then the lines about history that is missing.
    """
    faults = sorted(
        (fault for shard in shards for fault in shard.audit.stopped),
        key=lambda fault: (fault.session_ns, fault.strategy, fault.symbol),
    )
    lines = (f"strategy {fault.strategy} was stopped for {_where(fault)}: {_why(fault)}" for fault in faults)
    return [*dict.fromkeys(lines), *history_problems(shards)]


def warnings(record: RunRecord) -> list[str]:
    """The warnings of a run: notices, the first rejected rows, the first slow calls."""
    slow = sum(shard.audit.slow_calls for shard in record.shards)
    lines = [*_outside(record.session), *record.notices, *record.feed.report.warnings]
    lines += [f"rejected {example}" for example in record.feed.examples]
    lines += [*revision_warnings(record.shards), *venue_bar_warnings(record.shards)]
    lines += gap_warnings(record.feed.gaps, record.shards)
    if slow:
        lines.append(f"{slow:,} calls of strategies took longer than strategy_budget_ms; the first of them:")
    return lines + [
        f"strategy {fault.strategy} on {fault.symbol}: {fault.hook} took {fault.what}"
        for shard in record.shards
        for fault in shard.audit.slow
    ]


def _outside(session: Session) -> list[str]:
    """One line about the rows of a tape outside this exchange day."""
    outside = {kind: count for kind, count in session.outside.items() if count}
    if not outside:
        return []
    counts = " and ".join(f"{count:,} {kind}" for kind, count in outside.items())
    hours, zone = session.hours, ZoneInfo(session.timezone)
    start, end = (datetime.fromtimestamp(ns // SECOND_NS, zone) for ns in (hours.start_ns, hours.end_ns))
    day = f"the exchange day {session.day}, {start:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M} ({zone})"
    return [f"skipped {counts} of the tape, received outside {day}"]


def revision_warnings(shards: list[ShardStats]) -> list[str]:
    """One line for duplicate trades, and one for corrections and cancels without a known trade."""
    causes = {
        cause: sum(shard.audit.rejected_trades.get(cause, 0) for shard in shards)
        for cause in ("duplicate", "unmatched")
    }
    words = {
        "duplicate": "rejected {:,} `duplicate`: trades, corrections or cancels that came again; they count once",
        "unmatched": "rejected {:,} `unmatched`: corrections or cancels of trades that are not remembered; "
        "their minutes stay as they were",
    }
    return [words[cause].format(count) for cause, count in causes.items() if count]


def _where(fault: StrategyFault) -> str:
    return "all symbols" if fault.symbol == EVERYWHERE else fault.symbol


def _why(fault: StrategyFault) -> str:
    if fault.hook == "watchdog":
        return fault.what
    return f"{fault.hook} raised {fault.what}\n{fault.detail}".strip()


def _counts(record: RunRecord, kind: EventClass) -> ClassCounts:
    shards = record.shards
    rejected: dict[str, int] = dict(record.feed.rejected.get(kind, {}))
    for shard in shards:
        for cause, ticks in shard.audit.rejected(kind).items():
            rejected[cause] = rejected.get(cause, 0) + ticks
    conflated, dropped = 0, dict[str, int]()
    if kind == "trades":
        dropped = {
            "aged": sum(shard.lane.trades_aged for shard in shards),
            "full": sum(shard.lane.trades_full for shard in shards),
            "unprotected": sum(shard.audit.lost_trades for shard in shards),
        }
    elif kind == "quotes":
        conflated = sum(shard.lane.quotes_conflated for shard in shards)
        dropped = {
            "full": sum(shard.lane.quotes_full for shard in shards),
            "unprotected": sum(shard.audit.lost_quotes for shard in shards),
        }
    return ClassCounts(
        received=record.feed.received.get(kind, 0),
        backfilled=sum(shard.audit.backfilled for shard in shards) if kind == "trades" else 0,
        applied=sum(getattr(shard.audit, kind) for shard in shards),
        conflated=conflated,
        dropped={cause: ticks for cause, ticks in dropped.items() if ticks},
        rejected=rejected,
        skipped=record.feed.skipped.get(kind, 0) + record.session.outside.get(kind, 0),
    )


def _latencies(record: RunRecord) -> LatencySection:
    def quantiles(name: str) -> Quantiles | None:
        return Quantiles.of(Histogram.of(*(getattr(shard, name) for shard in record.shards)))

    return LatencySection(
        quantiles("data_latency"), quantiles("time_in_queue"), quantiles("in_lane"), quantiles("on_link")
    )


def _consumer(shard: ShardStats, usage: ProcessUsage, play_ns: int, restarts: int) -> ConsumerSection:
    return ConsumerSection(
        shard=shard.shard,
        pid=usage.pid,
        node=usage.node,
        applied=shard.audit.applied,
        symbols=shard.symbols,
        busy=round(shard.busy_ns / max(play_ns, 1), 4),
        restarts=restarts,
        cpu_s=round(usage.cpu_s, 3),
        max_rss_mb=round(usage.max_rss_mb, 1),
    )
