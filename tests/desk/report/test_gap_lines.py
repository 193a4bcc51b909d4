"""Repaired gaps are a warning, unrepaired ones a problem with the reason."""

from desk.consumer.shard_stats import ShardStats
from desk.model.batch import LaneTotals
from desk.model.records import GapRecord
from desk.report.gap_lines import gap_problems, gap_warnings, refused_symbols
from desk.telemetry.audit import Audit
from desk.telemetry.histogram import HistogramSnapshot

NO_TIMES = (HistogramSnapshot(),) * 4
FROM_NS = 1_767_623_400_000_000_000
GAP = GapRecord(FROM_NS, FROM_NS + 10**10, 3, "closed")


def a_shard(**audit: object) -> ShardStats:
    return ShardStats(0, 0, 0, 0, 0, LaneTotals(), Audit(**audit), *NO_TIMES, {})  # type: ignore[arg-type]


def repaired(gap: GapRecord = GAP) -> GapRecord:
    return GapRecord(gap.from_ns, gap.to_ns, gap.symbols, gap.why, repaired=True)


def test_a_repaired_gap_is_a_warning_with_the_number_of_trades() -> None:
    shards = [a_shard(backfilled=2), a_shard(backfilled=1)]

    (warning,) = gap_warnings([repaired()], shards)

    assert warning.startswith(
        "repaired 1 gap with 3 trades from the venue's history; the last: the gap from 2026-01-05"
    )
    assert gap_problems([repaired()], shards) == []


def test_a_gap_that_was_not_repaired_is_a_problem_with_its_reason() -> None:
    gap = GapRecord(GAP.from_ns, GAP.to_ns, 3, "closed", unrepaired="not permitted")

    (problem,) = gap_problems([gap], [])

    assert problem.endswith("(closed) was not repaired from history: not permitted")
    assert gap_warnings([gap], []) == []


def test_a_gap_of_a_feed_without_history_is_neither() -> None:
    assert gap_problems([GAP], []) == gap_warnings([GAP], []) == []


def test_symbols_that_refused_the_history_make_the_gap_a_problem() -> None:
    shards = [a_shard(unrepaired={str(FROM_NS): 2}), a_shard()]

    (problem,) = gap_problems([repaired()], shards)

    assert refused_symbols(shards, GAP) == 2
    assert "2 symbols lacks trades which the stream sent" in problem
    assert gap_warnings([repaired()], shards) == []
