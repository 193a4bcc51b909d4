"""Figures over the samples of a long trial: growth of memory, age of the data, and its recovery."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from benchmarks.trial import Sample
from desk.model.units import MS_NS
from desk.telemetry.histogram import counted_since


def between(samples: Sequence[Sample], from_s: float, to_s: float) -> list[Sample]:
    """The samples from `from_s` to `to_s`, in seconds since the venue began to play."""
    return [sample for sample in samples if from_s <= sample.since_s <= to_s]


def growth_mb(samples: Sequence[Sample]) -> dict[str, float]:
    """By process, the highest resident memory above that of the first sample."""
    if not samples:
        return {}
    first = samples[0].usage
    return {
        name: round(max(sample.usage[name].rss_mb for sample in samples if name in sample.usage) - usage.rss_mb, 1)
        for name, usage in first.items()
    }


def slopes_mb_per_min(samples: Sequence[Sample]) -> dict[str, float]:
    """By process, the least-squares slope of its resident memory."""
    slopes = {}
    for name in samples[0].usage if samples else ():
        points = [(sample.since_s / 60, sample.usage[name].rss_mb) for sample in samples if name in sample.usage]
        if len(points) > 1:
            minutes, rss_mb = np.array(points).T
            slopes[name] = round(float(np.polyfit(minutes, rss_mb, 1)[0]), 2)
    return slopes


def age_ms(samples: Sequence[Sample], q: float) -> float | None:
    """A quantile of the age of the events applied between the first and the last sample; None without any."""
    if len(samples) < 2:
        return None
    value_ns = counted_since(samples[-1].reading.age, samples[0].reading.age).quantile(q)
    return None if value_ns is None else round(value_ns / MS_NS, 2)


def recovered_s(samples: Sequence[Sample], end_s: float, limit_ms: float) -> float | None:
    """Seconds from `end_s` until the p99 age between samples stays below the limit; None if it never does."""
    found = None
    for before, now in pairwise(samples):
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
