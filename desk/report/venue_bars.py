"""Our minute bars against the venue's own, over all shards of a run.

Tests: tests/desk/report/test_venue_bars.py
"""

from collections import Counter
from collections.abc import Sequence
from math import isfinite

from desk.consumer.shard_stats import ShardStats
from desk.report.summary import BarDifferenceSection, VenueBarsSection
from desk.telemetry import formatting
from desk.telemetry.audit import MAX_EXAMPLES


def venue_bars(shards: Sequence[ShardStats]) -> VenueBarsSection:
    """The agreement, and the first differences by minute and symbol: the same for any number of shards."""
    audits = [shard.audit for shard in shards]
    compared, equal = sum(audit.bars_compared for audit in audits), sum(audit.bars_equal for audit in audits)
    differing: Counter[str] = Counter()
    for audit in audits:
        differing.update(audit.bars_differing)
    found = sorted(
        (difference for audit in audits for difference in audit.bar_differences),
        key=lambda difference: (difference.minute_ns, difference.symbol),
    )
    return VenueBarsSection(
        compared,
        equal,
        round(equal / compared, 6) if compared else None,
        dict(sorted(differing.items())),
        [
            BarDifferenceSection(each.symbol, each.minute_ns, each.field, _finite(each.ours), _finite(each.theirs))
            for each in found[:MAX_EXAMPLES]
        ],
    )


def venue_bar_warnings(shards: Sequence[ShardStats]) -> list[str]:
    """One line if minutes differ from the venue's own bars."""
    found = venue_bars(shards)
    different = found.compared - found.equal
    if not different:
        return []
    fields = ", ".join(f"{field} {formatting.count(number)}" for field, number in found.differing.items())
    first = found.first[0]
    where = f"{first.symbol} {formatting.exchange_time(first.minute_ns)}, {first.field}"
    line = (
        f"{formatting.count(different)} of {formatting.some(found.compared, 'minute')} differ from the venue's own "
        f"bars ({fields}); the first: {where}: ours {figure(first.ours)}, "
        f"the venue's {figure(first.theirs)}"
    )
    return [line]


def figure(value: float | None) -> str:
    """A field of a bar in words."""
    return "none" if value is None else f"{value:,.6g}" if value != int(value) else f"{value:,.0f}"


def _finite(value: float | None) -> float | None:
    return value if value is not None and isfinite(value) else None
