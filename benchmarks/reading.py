"""Readings: running totals of a system under test, and the differences between two of them."""

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from desk.model.units import MS_NS
from desk.telemetry.histogram import Histogram, HistogramSnapshot, counted_since

QUANTILES: Final = (0.5, 0.95, 0.99)


class Reading(msgspec.Struct, frozen=True, array_like=True):
    """Running totals at one moment. `age` is from venue time to the worker, `queue` from reception to the worker.

    `batches` were received by the workers; 0 for a system without batches.
    """

    wall_ns: int
    received: int = 0
    applied: int = 0
    dropped: int = 0
    age: HistogramSnapshot = HistogramSnapshot()
    queue: HistogramSnapshot = HistogramSnapshot()
    batches: int = 0

    @classmethod
    def sum(cls, wall_ns: int, parts: Iterable["Reading"]) -> "Reading":
        """Sum the readings of several workers."""
        known = list(parts)
        return cls(
            wall_ns,
            sum(part.received for part in known),
            sum(part.applied for part in known),
            sum(part.dropped for part in known),
            Histogram.of(*(part.age for part in known)).snapshot(),
            Histogram.of(*(part.queue for part in known)).snapshot(),
            sum(part.batches for part in known),
        )


def quantiles_ms(name: str, histogram: Histogram) -> dict[str, float | None]:
    """The quantiles in ms, as `name`_p50_ms and so on."""
    found = {}
    for q in QUANTILES:
        value_ns = histogram.quantile(q)
        found[f"{name}_p{100 * q:.0f}_ms"] = None if value_ns is None else round(value_ns / MS_NS, 3)
    return found


def median_ns(readings: Sequence[Reading]) -> int | None:
    """The median age of the events applied between the first and the last reading; None without any."""
    return counted_since(readings[-1].age, readings[0].age).quantile(0.5)


def growth_s(readings: Sequence[Reading]) -> float:
    """How much older the data were in the last quarter than in the first, in seconds: the growth of the backlog.

    Infinite if nothing was applied in the last quarter.
    """
    quarter = max(len(readings) // 4, 1)
    first = median_ns(readings[: quarter + 1])
    last = median_ns(readings[-quarter - 1 :])
    if last is None:
        return float("inf")
    return (last - (first or 0)) / 1e9
