"""The offered work in shards: the busy fractions, and the hidden demand of saturated shards."""

import math
from collections.abc import Collection
from typing import Final

from desk.model.units import SECOND_NS

SATURATED: Final = 0.85
"""A shard this busy is saturated: the rest of its time goes into receiving batches."""

STEEPEST: Final = 0.75
"""The steepest rise of a wait, in seconds per second, that is taken for load: that of four times the capacity."""


def demand(busy: Collection[float], ratio: float) -> float:
    """The offered work, if saturated shards are offered `ratio` times the work that they do."""
    return math.fsum(share * ratio if share >= SATURATED else share for share in busy)


def wait_growth(before_ns: int | None, wait_ns: int | None, noise_ns: int, passed_ns: int) -> float:
    """The growth of the wait beyond noise, in seconds per second; 0 if unknown."""
    if before_ns is None or wait_ns is None or passed_ns <= 0:
        return 0.0
    grown_ns = wait_ns - before_ns
    return math.copysign(max(abs(grown_ns) - noise_ns, 0), grown_ns) / passed_ns


def demand_ratio(rising: float) -> float:
    """The ratio of offered to completed work of a saturated shard, from the growth of its wait.

    In a queue served in order, an item that starts now after a wait w arrived at now - w. With `a` arrivals and `d`
    departures a second, departures pass through the arrivals' times at d / a, so w grows by 1 - d / a each second
    (the fluid approximation of queueing theory). Hence a / d = 1 / (1 - growth): above 1 while the queue grows,
    below 1 while it drains.
    """
    return 1.0 / (1.0 - min(rising, STEEPEST))


def recovers_in_time(wait_ns: int, rising: float, objective_ns: int, within_s: float) -> bool:
    """Whether a falling wait, at its present rate, reaches its objective within `within_s`."""
    return rising < 0.0 and wait_ns + rising * within_s * SECOND_NS <= objective_ns
