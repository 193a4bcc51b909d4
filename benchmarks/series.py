"""What a long trial's sights say over time: memory that stays flat or does not, age that comes back."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from benchmarks.trial import Sight
from desk.model.units import MS_NS
from desk.telemetry.histogram import counted_since


def between(sights: Sequence[Sight], from_s: float, to_s: float) -> list[Sight]:
    """Those of this time, counted from the begin of the play."""
    return [sight for sight in sights if from_s <= sight.since_s <= to_s]


def growth_mb(sights: Sequence[Sight]) -> dict[str, float]:
    """By process, how far its resident memory rose above what it was in the first of these."""
    if not sights:
        return {}
    first = sights[0].usage
    return {
        name: round(max(sight.usage[name].rss_mb for sight in sights if name in sight.usage) - usage.rss_mb, 1)
        for name, usage in first.items()
    }


def slopes_mb_per_min(sights: Sequence[Sight]) -> dict[str, float]:
    """By process, the least-squares slope of its resident memory."""
    slopes = {}
    for name in sights[0].usage if sights else ():
        points = [(sight.since_s / 60, sight.usage[name].rss_mb) for sight in sights if name in sight.usage]
        if len(points) > 1:
            minutes, rss_mb = np.array(points).T
            slopes[name] = round(float(np.polyfit(minutes, rss_mb, 1)[0]), 2)
    return slopes


def age_ms(sights: Sequence[Sight], q: float) -> float | None:
    """A quantile of the age of what was taken up between the first and the last of these; None if nothing was."""
    if len(sights) < 2:
        return None
    value_ns = counted_since(sights[-1].reading.age, sights[0].reading.age).quantile(q)
    return None if value_ns is None else round(value_ns / MS_NS, 2)


def recovered_s(sights: Sequence[Sight], end_s: float, limit_ms: float) -> float | None:
    """How long after `end_s` everything that is taken up is younger than the limit, for good (p99 between sights).

    None if that does not come.
    """
    found = None
    for before, now in pairwise(sights):
        if now.since_s <= end_s:
            continue
        age = age_ms([before, now], 0.99)
        if age is None:
            continue
        if age >= limit_ms:
            found = None
        elif found is None:
            found = round(max(before.since_s - end_s, 0.0), 2)
    return found
