"""How much work is asked of the shards, in shards: what they are busy with, and what a saturated one hides."""

import math
from collections.abc import Collection
from typing import Final

from desk.model.units import SECOND_NS

SATURATED: Final = 0.85
"""A shard this busy may be asked for more than it does: the rest of its time goes into receiving batches."""

STEEPEST: Final = 0.75
"""The steepest rise of a wait, in seconds per second, that is taken for load: that of four times what is done."""


def demand(busy: Collection[float], ratio: float) -> float:
    """The work asked for, where saturated shards are asked for `ratio` times what they do."""
    return math.fsum(share * ratio if share >= SATURATED else share for share in busy)


def wait_growth(before_ns: int | None, wait_ns: int | None, noise_ns: int, passed_ns: int) -> float:
    """How fast the wait grows beyond noise, in seconds per second; 0 where that is unknown."""
    if before_ns is None or wait_ns is None or passed_ns <= 0:
        return 0.0
    grown_ns = wait_ns - before_ns
    return math.copysign(max(abs(grown_ns) - noise_ns, 0), grown_ns) / passed_ns


def demand_ratio(rising: float) -> float:
    """What is asked of a saturated shard over what it does, from the rise of its wait.

    Of a queue served in order: who is taken up now after a wait w came at now - w. With `a` arrivals and `d`
    departures a second, departures pass through the arrivals' times at d / a, so w grows by 1 - d / a each second
    (the fluid approximation of queueing theory). Hence a / d = 1 / (1 - growth): above 1 while the queue grows,
    below 1 while it drains.
    """
    return 1.0 / (1.0 - min(rising, STEEPEST))


def recovers_in_time(wait_ns: int, rising: float, objective_ns: int, within_s: float) -> bool:
    """Whether a falling wait, as fast as it falls now, is within its objective in time."""
    return rising < 0.0 and wait_ns + rising * within_s * SECOND_NS <= objective_ns
