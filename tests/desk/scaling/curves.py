"""Load curves in units of one consumer's work, with noise: made up, and recorded."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random

import numpy as np
import pyarrow.parquet as pq

from desk.model.units import SECOND_NS

Load = Callable[[float], float]
"""Work per second, in shards that would be wholly busy with it, at a time in seconds."""


def constant(load: float) -> Load:
    return lambda _: load


def steps(*parts: tuple[float, float]) -> Load:
    """(from when on, load), in order."""
    return lambda at_s: next(load for since_s, load in reversed(parts) if at_s >= since_s)


def ramp(low: float, high: float, begin_s: float, end_s: float) -> Load:
    return lambda at_s: low + (high - low) * min(max((at_s - begin_s) / (end_s - begin_s), 0.0), 1.0)


def sine(low: float, high: float, period_s: float) -> Load:
    """Begins at its lowest."""
    return lambda at_s: low + (high - low) * (1 - math.cos(2 * math.pi * at_s / period_s)) / 2


def noisy(load: Load, seed: int, noise: float = 0.1) -> Load:
    """Another draw for each second, at either end as often as between."""
    chance = Random(seed)
    factors = [chance.choice((1 - noise, 1 + noise, chance.uniform(1 - noise, 1 + noise))) for _ in range(997)]
    return lambda at_s: load(at_s) * factors[int(at_s) % len(factors)]


def series(values: Sequence[float]) -> Load:
    """One value for each second; the last one holds."""
    return lambda at_s: values[min(int(at_s), len(values) - 1)]


def trades_per_second(tape: Path, begin_ns: int, end_ns: int) -> list[float]:
    """Recorded trades of all symbols, counted by the second in which they were received."""
    filters = [("kind", "=", "trade"), ("recv_ns", ">=", begin_ns), ("recv_ns", "<", end_ns)]
    received = pq.read_table(tape, columns=["recv_ns"], filters=filters)["recv_ns"].to_numpy()
    counts = np.bincount((received - begin_ns) // SECOND_NS, minlength=(end_ns - begin_ns) // SECOND_NS)
    return counts.astype(float).tolist()
