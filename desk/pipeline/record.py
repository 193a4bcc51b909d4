"""What a run comes to: the accounts of all parts, put together as the summary."""

import msgspec

from desk.engine.audit import StrategyFault
from desk.meters import Histogram
from desk.model.records import GapRecord
from desk.model.units import SECOND_NS
from desk.orders import OrderSummary
from desk.pipeline.intake import Intake
from desk.pipeline.session import Session
from desk.pipeline.shard import ShardStats
from desk.report.summary import (
    ClassCounts,
    Consumer,
    Gap,
    Latencies,
    Orders,
    Producer,
    ProfitAndLoss,
    Quantiles,
    Rates,
    Summary,
    Ticks,
)

MAX_PROBLEMS = 50


class ProcessUsage(msgspec.Struct, array_like=True):
    """What one process has used."""

    pid: int = 0
    node: str = ""
    cpu_s: float = 0.0
    max_rss_mb: float = 0.0


class FeedRecord(msgspec.Struct, array_like=True):
    """What a feed has counted, by class ("trades", "quotes") and cause."""

    received: dict[str, int]
    rejected: dict[str, dict[str, int]]
    skipped: dict[str, int]
    examples: list[str]
    gaps: list[GapRecord] = []
    problems: list[str] = []
    reconnects: int = 0


def feed_record(intake: Intake) -> FeedRecord:
    """What the producer's work came to."""
    counts = intake.feed.counts
    return FeedRecord(
        counts.received,
        counts.rejected,
        counts.skipped,
        counts.examples,
        intake.gaps,
        intake.problems,
        intake.live.reconnects if intake.live is not None else 0,
    )


class RunRecord(msgspec.Struct, kw_only=True):
    """Everything that the summary is made of."""

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
    bars: int
    decisions: int
    problems: list[str]
    failed: bool = False
    restarts: dict[int, int] = {}
    notices: list[str] = []


def summarize(record: RunRecord) -> Summary:
    """The figures of summary.json, judged."""
    applied = sum(shard.audit.trades + shard.audit.quotes for shard in record.shards)
    played_s = max(record.play_ns, 1) / SECOND_NS
    summary = Summary(
        run_id=record.run_id,
        plan=record.plan,
        mode=record.mode,  # type: ignore[arg-type]  # the plan's own words
        in_process=record.in_process,
        problems=record.problems[:MAX_PROBLEMS],
        gaps=[Gap(gap.from_ns, gap.to_ns, gap.symbols, gap.why, gap.repaired) for gap in record.feed.gaps],
        warnings=warnings(record)[:MAX_PROBLEMS] or msgspec.UNSET,
        started_ns=record.started_ns,
        ended_ns=record.ended_ns,
        wall_s=round((record.ended_ns - record.started_ns) / SECOND_NS, 3),
        ticks=Ticks(_counts(record, "trades"), _counts(record, "quotes")),
        events_per_s=Rates(
            round(sum(record.feed.received.values()) / played_s, 1),
            round(applied / played_s, 1),
        ),
        latency_ms=_latencies(record),
        consumers=[
            _consumer(shard, usage, record.play_ns, record.restarts.get(shard.shard, 0))
            for shard, usage in zip(record.shards, record.consumers, strict=True)
        ],
        producer=Producer(
            record.producer.pid,
            round(record.producer.cpu_s, 3),
            round(record.producer.max_rss_mb, 1),
            record.feed.reconnects,
        ),
        bars=record.bars,
        decisions=record.decisions,
        orders=Orders(
            record.orders.submitted,
            record.orders.filled,
            record.orders.canceled,
            record.orders.rejected,
            record.orders.refused_by_risk,
        ),
        pnl=ProfitAndLoss(
            round(float(record.orders.realized), 6),
            round(float(record.orders.unrealized), 6),
            round(float(record.orders.fees), 6),
        ),
    )
    return summary.judged(failed=record.failed)


def strategy_problems(shards: list[ShardStats]) -> list[str]:
    """One line for each strategy that was stopped for a symbol, in canonical order."""
    faults = sorted(
        (fault for shard in shards for fault in shard.audit.stopped),
        key=lambda fault: (fault.session_ns, fault.strategy, fault.symbol),
    )
    return [f"strategy {fault.strategy} was stopped for {fault.symbol}: {_why(fault)}" for fault in faults]


def warnings(record: RunRecord) -> list[str]:
    """What is worth a line in log and figures: notices, the first rejected rows, the first calls that took too long."""
    slow = sum(shard.audit.slow_calls for shard in record.shards)
    lines = [*record.notices]
    lines += [f"rejected {example}" for example in record.feed.examples]
    lines += revision_warnings(record.shards)
    if slow:
        lines.append(f"{slow:,} calls of strategies took longer than strategy_budget_ms; the first of them:")
    return lines + [
        f"strategy {fault.strategy} on {fault.symbol}: {fault.hook} took {fault.what}"
        for shard in record.shards
        for fault in shard.audit.slow
    ]


def revision_warnings(shards: list[ShardStats]) -> list[str]:
    """One line for trades that came again, and one for corrections and cancels that could not be carried out."""
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


def _why(fault: StrategyFault) -> str:
    if fault.hook == "watchdog":
        return fault.what
    return f"{fault.hook} raised {fault.what}\n{fault.detail}".strip()


def _counts(record: RunRecord, kind: str) -> ClassCounts:
    shards = record.shards
    rejected: dict[str, int] = dict(record.feed.rejected.get(kind, {}))
    for shard in shards:
        causes = shard.audit.rejected_trades if kind == "trades" else shard.audit.rejected_quotes
        for cause, ticks in causes.items():
            rejected[cause] = rejected.get(cause, 0) + ticks
    if kind == "trades":
        applied = sum(shard.audit.trades for shard in shards)
        conflated = 0
        dropped = {
            "aged": sum(shard.lane.trades_aged for shard in shards),
            "full": sum(shard.lane.trades_full for shard in shards),
            "unprotected": sum(shard.audit.lost_trades for shard in shards),
        }
    else:
        applied = sum(shard.audit.quotes for shard in shards)
        conflated = sum(shard.lane.quotes_conflated for shard in shards)
        dropped = {
            "full": sum(shard.lane.quotes_full for shard in shards),
            "unprotected": sum(shard.audit.lost_quotes for shard in shards),
        }
    return ClassCounts(
        received=record.feed.received.get(kind, 0),
        applied=applied,
        conflated=conflated,
        dropped={cause: ticks for cause, ticks in dropped.items() if ticks},
        rejected=rejected,
        skipped=record.feed.skipped.get(kind, 0),
    )


def _latencies(record: RunRecord) -> Latencies:
    def quantiles(name: str) -> Quantiles | None:
        return Quantiles.of(Histogram.of(*(getattr(shard, name) for shard in record.shards)))

    return Latencies(quantiles("data_latency"), quantiles("time_in_queue"), quantiles("in_lane"), quantiles("on_link"))


def _consumer(shard: ShardStats, usage: ProcessUsage, play_ns: int, restarts: int) -> Consumer:
    return Consumer(
        shard=shard.shard,
        pid=usage.pid,
        node=usage.node,
        applied=shard.audit.trades + shard.audit.quotes,
        symbols=shard.symbols,
        busy=round(shard.busy_ns / max(play_ns, 1), 4),
        restarts=restarts,
        cpu_s=round(usage.cpu_s, 3),
        max_rss_mb=round(usage.max_rss_mb, 1),
    )
