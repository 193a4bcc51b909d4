"""Problems about bars of before the session that strategies need and did not get.

Tests: tests/desk/report/test_run_record.py
"""

from collections.abc import Iterable
from typing import Final

from desk.consumer.shard_stats import ShardStats

NAMED: Final = 5


def history_problems(shards: Iterable[ShardStats]) -> list[str]:
    """One line for each reason, with the first symbols that it concerns."""
    by_reason: dict[str, set[str]] = {}
    for shard in shards:
        for symbol, reason in shard.audit.without_history:
            by_reason.setdefault(reason, set()).add(symbol)
    return [
        f"no history of {_some(sorted(symbols))}: {reason}; strategies that need it run with ctx.warm false"
        for reason, symbols in sorted(by_reason.items())
    ]


def _some(symbols: list[str]) -> str:
    more = f" and {len(symbols) - NAMED:,} more" if len(symbols) > NAMED else ""
    return ", ".join(symbols[:NAMED]) + more
