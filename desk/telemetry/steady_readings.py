"""Readings as exporters need them: restored totals never fall, and a silent process has no gauges.

A restarted shard restores its totals from its last checkpoint and passes the old ones by replay. A receiver would take
the fall between for a counter that began again at zero, and count everything twice.
"""

from collections.abc import Mapping
from typing import Final

from desk.model.units import SECOND_NS
from desk.telemetry.catalogue import BY_NAME, RESTORED
from desk.telemetry.readings import HistogramReading, Reading, Readings

SILENT_NS: Final = 10 * SECOND_NS
"""A process whose readings are older has ended, or does not answer: its gauges say nothing."""

Key = tuple[str, ...]


class SteadyReadings:
    """Keeps the highest restored totals of each actor."""

    def __init__(self) -> None:
        self._totals: dict[Key, Reading] = {}
        self._histograms: dict[Key, HistogramReading] = {}

    def take(self, readings: Mapping[str, Readings], now_ns: int) -> dict[str, Readings]:
        """New readings for exporters, by actor."""
        return {actor: self._steady(actor, found, now_ns) for actor, found in readings.items()}

    def _steady(self, actor: str, found: Readings, now_ns: int) -> Readings:
        is_silent = now_ns - found.wall_ns > SILENT_NS
        values = [
            self._highest(actor, reading)
            for reading in found.values
            if not (is_silent and BY_NAME[reading.metric].kind == "gauge")
        ]
        histograms = [self._fullest(actor, reading) for reading in found.histograms]
        return Readings(actor, found.pid, found.node, found.started_ns, found.wall_ns, values, histograms)

    def _highest(self, actor: str, reading: Reading) -> Reading:
        if reading.metric not in RESTORED:
            return reading
        key = (actor, reading.metric, *reading.labels.values())
        before = self._totals.get(key)
        if before is None or reading.value >= before.value:
            self._totals[key] = reading
        return self._totals[key]

    def _fullest(self, actor: str, reading: HistogramReading) -> HistogramReading:
        if reading.metric not in RESTORED:
            return reading
        key = (actor, reading.metric, *reading.labels.values())
        before = self._histograms.get(key)
        if before is None or reading.histogram.count >= before.histogram.count:
            self._histograms[key] = reading
        return self._histograms[key]
