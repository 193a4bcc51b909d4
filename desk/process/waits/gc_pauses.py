"""Pauses by Python's garbage collector.

Tests: tests/desk/process/test_waits.py
"""

import gc
import time
import weakref
from typing import Any

from desk.telemetry.histogram import Histogram


class GcPauses:
    """Measures every run of the collector while this object lives. All threads stand still in a run.

    `total_ns` is their sum; `by_generation` their histograms.
    """

    def __init__(self) -> None:
        self.total_ns = 0
        self.by_generation = [Histogram() for _ in range(3)]
        self._began_ns = 0
        measure = weakref.WeakMethod(self._measure)

        def call(phase: str, info: dict[str, Any]) -> None:
            """Measure, or leave the callbacks once the meter is gone."""
            if (measured := measure()) is not None:
                measured(phase, info)
            elif call in gc.callbacks:
                gc.callbacks.remove(call)

        gc.callbacks.append(call)

    def _measure(self, phase: str, info: dict[str, Any]) -> None:
        if phase == "start":
            self._began_ns = time.perf_counter_ns()
        elif self._began_ns:
            took_ns = time.perf_counter_ns() - self._began_ns
            self._began_ns = 0
            self.total_ns += took_ns
            self.by_generation[info["generation"]].add_one(took_ns)
