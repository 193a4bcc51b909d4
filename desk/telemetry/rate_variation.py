"""The variation of the consumers' rates: how unevenly the work is spread over the shards.

Tests: tests/desk/telemetry/test_steady_readings.py
"""

from collections.abc import Mapping
from statistics import fmean, pstdev

from desk.telemetry.readings import Readings


class RateVariation:
    """Standard deviation of the shards' rates since the last call, as a fraction of their mean."""

    def __init__(self) -> None:
        self._before: dict[str, float] = {}

    def take(self, readings: Mapping[str, Readings]) -> float | None:
        """The variation; None with fewer than two shards, or without a tick since the last call."""
        applied = {actor: found for actor, readings_ in readings.items() if (found := _applied(readings_)) is not None}
        grown = [max(total - self._before[actor], 0.0) for actor, total in applied.items() if actor in self._before]
        self._before = applied
        mean = fmean(grown) if grown else 0.0
        return pstdev(grown) / mean if len(grown) > 1 and mean > 0 else None


def _applied(readings: Readings) -> float | None:
    totals = [reading.value for reading in readings.values if reading.metric == "events.consumed"]
    return sum(totals) if totals else None
