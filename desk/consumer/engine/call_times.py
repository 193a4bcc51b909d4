"""How long calls of strategies take, by strategy and hook.

Tests: tests/desk/consumer/engine/test_guard.py
"""

from collections import defaultdict
from typing import Final

import numpy as np

from desk.telemetry.histogram import Histogram
from desk.telemetry.readings import Readings

MAX_RECENT: Final = 8_192


class CallTimes:
    """Collects durations in lists, which cost a tenth of a histogram, and counts them together later."""

    def __init__(self) -> None:
        self._recent: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
        self._counted: defaultdict[tuple[str, str], Histogram] = defaultdict(Histogram)
        self._since_counted = 0

    def recent(self, strategy: str, hook: str) -> list[int]:
        """The list of durations in ns to which calls of this hook are to be appended, until `note` is called."""
        return self._recent[strategy, hook]

    def note(self, calls: int) -> None:
        """So many durations were appended."""
        self._since_counted += calls
        if self._since_counted > MAX_RECENT:
            self._count()

    def measure(self, readings: Readings) -> None:
        """Add all durations so far."""
        self._count()
        for (strategy, hook), histogram in self._counted.items():
            readings.record("strategy.duration", histogram.snapshot(), strategy=strategy, hook=hook)

    def _count(self) -> None:
        self._since_counted = 0
        for key, durations_ns in self._recent.items():
            self._counted[key].add(np.array(durations_ns, np.int64))
        self._recent.clear()
