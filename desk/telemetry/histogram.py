"""Latency histograms: quantiles of any number of durations in a few kilobytes, mergeable across processes.

The buckets are those of OpenTelemetry's exponential histogram at scale 5, of seconds, so that they are exported
without loss.
"""

import math
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from desk.model.units import SECOND_NS

SCALE: Final = 5
PER_OCTAVE: Final = 1 << SCALE
MAX_NS: Final = 3_600 * SECOND_NS


def bucket_index(value_ns: int) -> int:
    """The index i of the bucket (2^(i/32) s, 2^((i+1)/32) s] that holds a positive duration."""
    return math.ceil(PER_OCTAVE * math.log2(value_ns / SECOND_NS)) - 1


def upper_bound_s(index: int) -> float:
    """The inclusive upper bound of a bucket, in seconds."""
    return float(2.0 ** ((index + 1) / PER_OCTAVE))


MIN_INDEX: Final = bucket_index(1)
MAX_INDEX: Final = bucket_index(MAX_NS)
_BUCKETS: Final = MAX_INDEX - MIN_INDEX + 1


class HistogramSnapshot(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """An encodable histogram: non-empty buckets by index, the number of zeros, the sum, and the exact maximum."""

    buckets: dict[int, int] = {}
    zeros: int = 0
    sum_ns: int = 0
    max_ns: int = 0

    @property
    def count(self) -> int:
        """The number of durations counted."""
        return self.zeros + sum(self.buckets.values())


class Histogram:
    """Exponential histogram of durations in ns: 32 buckets to each power of two, and one for zero.

    A quantile is the middle of its bucket, so its error is at most 1.1 %, from 1 ns to one hour. Negative durations
    (clocks that disagree) count as 0, longer ones as an hour; the maximum is exact.
    """

    __slots__ = ("_counts", "count", "max_ns", "sum_ns", "zeros")

    def __init__(self) -> None:
        self._counts: NDArray[np.int64] = np.zeros(_BUCKETS, np.int64)
        self.count = 0
        self.zeros = 0
        self.sum_ns = 0
        self.max_ns = 0

    def add(self, values_ns: NDArray[np.int64]) -> None:
        """Count an array of durations of any length."""
        if not len(values_ns):
            return
        positive = values_ns[values_ns > 0]
        self.count += len(values_ns)
        self.zeros += len(values_ns) - len(positive)
        if not len(positive):
            return
        self.max_ns = max(self.max_ns, int(positive.max()))
        bounded = np.minimum(positive, MAX_NS)
        self.sum_ns += int(bounded.sum())
        index = np.ceil(np.log2(bounded / SECOND_NS) * PER_OCTAVE).astype(np.int64)
        index -= 1 + MIN_INDEX
        self._counts += np.bincount(index, minlength=_BUCKETS)

    def add_one(self, value_ns: int, count: int = 1) -> None:
        """Count one duration `count` times."""
        self.count += count
        if value_ns <= 0:
            self.zeros += count
            return
        self.max_ns = max(self.max_ns, value_ns)
        bounded = min(value_ns, MAX_NS)
        self.sum_ns += bounded * count
        self._counts[bucket_index(bounded) - MIN_INDEX] += count

    def quantile(self, q: float) -> int | None:
        """The least recorded duration that is not exceeded by the fraction `q` (0..1) of them, in ns; None if empty."""
        if not self.count:
            return None
        rank = min(max(math.ceil(q * self.count), 1), self.count)
        if rank == self.count:
            return self.max_ns
        if rank <= self.zeros:
            return 0
        place = int(np.searchsorted(self._counts.cumsum(), rank - self.zeros))
        return min(_middle_ns(place + MIN_INDEX), self.max_ns)

    def merge(self, other: "Histogram | HistogramSnapshot") -> None:
        """Add the counts of `other`."""
        if isinstance(other, HistogramSnapshot):
            for index, count in other.buckets.items():
                self._counts[index - MIN_INDEX] += count
        else:
            self._counts += other._counts  # noqa: SLF001 - the same class
        self.count += other.count
        self.zeros += other.zeros
        self.sum_ns += other.sum_ns
        self.max_ns = max(self.max_ns, other.max_ns)

    def snapshot(self) -> HistogramSnapshot:
        """The counts so far, small and encodable. Another thread may count meanwhile."""
        counts = self._counts.copy()  # flatnonzero raises if counts change under it
        filled = np.flatnonzero(counts)
        buckets = dict(zip((filled + MIN_INDEX).tolist(), counts[filled].tolist(), strict=True))
        return HistogramSnapshot(buckets, self.zeros, self.sum_ns, self.max_ns)

    @classmethod
    def of(cls, *snapshots: HistogramSnapshot) -> "Histogram":
        """The histogram of all these snapshots."""
        histogram = cls()
        for snapshot in snapshots:
            histogram.merge(snapshot)
        return histogram


def counted_since(now: HistogramSnapshot, before: HistogramSnapshot) -> Histogram:
    """The difference `now` - `before`; its maximum is exact if it is a new maximum, else the middle of a bucket."""
    grown = ((index, count - before.buckets.get(index, 0)) for index, count in now.buckets.items())
    buckets = {index: count for index, count in grown if count}
    max_ns = now.max_ns
    if max_ns == before.max_ns:
        max_ns = min(_middle_ns(max(buckets)), max_ns) if buckets else 0
    return Histogram.of(HistogramSnapshot(buckets, now.zeros - before.zeros, now.sum_ns - before.sum_ns, max_ns))


def _middle_ns(index: int) -> int:
    return round((upper_bound_s(index - 1) + upper_bound_s(index)) / 2 * SECOND_NS)
