"""Latency histograms: quantiles of any number of durations in a few kilobytes, mergeable across shards."""

from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

MAX_NS: Final = 3_600 * 1_000_000_000

_SUB_BITS: Final = 5
_SUB: Final = 1 << _SUB_BITS
_SHIFT: Final = 52 - _SUB_BITS
_BIAS: Final = (1023 << _SUB_BITS) - 1


def _index(value_ns: int) -> int:
    value = min(value_ns, MAX_NS)
    if value <= 0:
        return 0
    exponent = value.bit_length() - 1
    leading = value >> (exponent - _SUB_BITS) if exponent >= _SUB_BITS else value << (_SUB_BITS - exponent)
    return (exponent << _SUB_BITS) + (leading & (_SUB - 1)) + 1


_TOP: Final = _index(MAX_NS)


class HistogramSnapshot(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """An encodable histogram: the non-empty buckets by index, and the exact maximum."""

    buckets: dict[int, int] = {}
    max_ns: int = 0


class Histogram:
    """Log-linear histogram of durations in ns: 32 buckets to each power of two.

    A quantile is the middle of its bucket, so its error is at most 1/64 (1.6 %), from 1 ns to one hour. Negative
    durations (clocks that disagree) count as 0, longer ones as an hour; the maximum is exact.
    """

    __slots__ = ("_counts", "count", "max_ns")

    def __init__(self) -> None:
        self._counts: NDArray[np.int64] = np.zeros(_TOP + 1, np.int64)
        self.count = 0
        self.max_ns = 0

    def add(self, values_ns: NDArray[np.int64]) -> None:
        """Count an array of durations of any length."""
        if not len(values_ns):
            return
        # The exponent and the leading mantissa bits of an IEEE 754 double are the log-linear index itself;
        # zero and negative numbers come out below index 1 and share bucket 0.
        bits = np.minimum(values_ns, MAX_NS).astype(np.float64).view(np.int64)
        bits >>= _SHIFT
        bits -= _BIAS
        np.maximum(bits, 0, out=bits)
        self._counts += np.bincount(bits, minlength=_TOP + 1)
        self.count += len(values_ns)
        self.max_ns = max(self.max_ns, int(values_ns.max()))

    def add_one(self, value_ns: int, count: int = 1) -> None:
        """Count one duration `count` times."""
        self._counts[_index(value_ns)] += count
        self.count += count
        self.max_ns = max(self.max_ns, value_ns)

    def quantile(self, q: float) -> int | None:
        """The least recorded duration that is not exceeded by the fraction `q` (0..1) of them; None when empty."""
        if not self.count:
            return None
        rank = min(max(int(np.ceil(q * self.count)), 1), self.count)
        if rank == self.count:
            return self.max_ns
        index = int(np.searchsorted(self._counts.cumsum(), rank))
        return min(_middle_ns(index), self.max_ns)

    def merge(self, other: "Histogram | HistogramSnapshot") -> None:
        """Add the counts of `other`."""
        if isinstance(other, HistogramSnapshot):
            for index, count in other.buckets.items():
                self._counts[index] += count
                self.count += count
        else:
            self._counts += other._counts  # noqa: SLF001 - the same class
            self.count += other.count
        self.max_ns = max(self.max_ns, other.max_ns)

    def snapshot(self) -> HistogramSnapshot:
        """The counts so far, small and encodable."""
        filled = np.flatnonzero(self._counts)
        return HistogramSnapshot(dict(zip(filled.tolist(), self._counts[filled].tolist(), strict=True)), self.max_ns)

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
    if buckets and max_ns == before.max_ns:
        max_ns = Histogram.of(HistogramSnapshot({max(buckets): 2}, max_ns)).quantile(0.5) or 0
    return Histogram.of(HistogramSnapshot(buckets, max_ns))


def _middle_ns(index: int) -> int:
    if index == 0:
        return 0
    exponent, sub = divmod(index - 1, _SUB)
    return int((_SUB + sub + 0.5) * 2.0 ** (exponent - _SUB_BITS))
