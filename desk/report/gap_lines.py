"""Warnings and problems about gaps and their repair, and how many symbols of a gap are not repaired.

Tests: tests/desk/report/test_gap_lines.py
"""

from collections.abc import Sequence

from desk.consumer.shard_stats import ShardStats
from desk.model.records import GapRecord
from desk.telemetry import formatting


def refused_symbols(shards: Sequence[ShardStats], gap: GapRecord) -> int:
    """The number of symbols whose minutes the history of this gap could not repair."""
    return sum(shard.audit.unrepaired.get(str(gap.from_ns), 0) for shard in shards)


def gap_problems(gaps: Sequence[GapRecord], shards: Sequence[ShardStats]) -> list[str]:
    """One line for each gap that history should have repaired, and did not."""
    return [f"{_name(gap)} was not repaired from history: {why}" for gap in gaps if (why := _why_not(gap, shards))]


def gap_warnings(gaps: Sequence[GapRecord], shards: Sequence[ShardStats]) -> list[str]:
    """One line about the gaps that history has repaired."""
    repaired = [gap for gap in gaps if gap.repaired and not refused_symbols(shards, gap)]
    if not repaired:
        return []
    trades = sum(shard.audit.backfilled for shard in shards)
    last = _name(repaired[-1])
    count = formatting.some(len(repaired), "gap")
    return [f"repaired {count} with {formatting.some(trades, 'trade')} from the venue's history; the last: {last}"]


def _why_not(gap: GapRecord, shards: Sequence[ShardStats]) -> str:
    if refused := refused_symbols(shards, gap):
        symbols = formatting.some(refused, "symbol")
        return f"that of {symbols} lacks trades which the stream sent. Is it the history of the same feed?"
    return gap.unrepaired


def _name(gap: GapRecord) -> str:
    return f"the gap from {formatting.utc_time(gap.from_ns)} to {formatting.utc_time(gap.to_ns)} ({gap.why})"
