"""The meters of waiting of one process: a probe thread that watches the working thread.

Tests: tests/desk/process/test_waits.py
"""

import threading
import time
import weakref
from typing import Final

from desk.model.units import MS_NS, SECOND_NS
from desk.process.clock import SystemClock
from desk.process.waits.cpu_throttling import CpuThrottling
from desk.process.waits.gc_pauses import GcPauses
from desk.process.waits.lock_probe import run_probe
from desk.process.waits.slices import LONG_NS, ProbeReading, slices
from desk.process.waits.thread_clocks import ThreadClocks
from desk.telemetry.histogram import Histogram
from desk.telemetry.readings import Readings
from desk.telemetry.wait_timeline import WaitSlice, WaitTimeline, WaitTimes
from desk.telemetry.work_points import WorkPoints

GROUPS_EVERY_S: Final = 1.0
"""How often the probe looks whether the process was moved to another control group."""
PROBE: Final = "probe"
KERNEL: Final = "kernel"
EXACT: Final = "exact"
"""How a wait was measured: sampled by the probe thread, counted by the kernel, or timed where it happens."""
SAMPLED: Final = {"lock": PROBE, "run_queue": KERNEL, "throttled": KERNEL, "gc": EXACT}


class WaitMeters:
    """Watches the thread that called `follow` last, by a daemon thread that ends when this object is gone.

    `timeline` divides intervals of the last minute, in wall time of `SystemClock`. Where the system has no run-queue
    clock or no throttling count, these kinds are absent from the readings.
    """

    def __init__(self) -> None:
        self._clock = SystemClock()
        self.timeline = WaitTimeline(self._clock.wall_ns())
        self.gc = GcPauses()
        self._throttling = CpuThrottling()
        self._working: ThreadClocks | None = None
        self._watched = 0
        self._groups_due_s = 0.0
        self._totals = WaitTimes()
        self._durations = {kind: Histogram() for kind in SAMPLED if kind != "gc"}

    def follow(self) -> None:
        """Watch the calling thread. Cheap if it is watched already."""
        if threading.get_ident() != self._watched:
            self._watched = threading.get_ident()
            first = self._working is None
            self._working = ThreadClocks(threading.current_thread())
            if first:
                threading.Thread(
                    target=run_probe, args=(weakref.ref(self), self._clock), name="wait-probe", daemon=True
                ).start()

    @property
    def not_measured(self) -> list[str]:
        """The kinds of waiting that this system does not count."""
        working = self._working
        kinds = [] if working is None or working.has_run_queue else ["run_queue"]
        return kinds if self._throttling.available else [*kinds, "throttled"]

    def measure(self, readings: Readings) -> None:
        """Add the waits so far."""
        absent = self.not_measured
        for kind, taken in SAMPLED.items():
            if kind not in absent:
                total_ns = self.gc.total_ns if kind == "gc" else getattr(self._totals, kind)
                readings.count("wait.time", total_ns / SECOND_NS, kind=kind, taken=taken)
        for kind, histogram in self._durations.items():
            readings.record("wait.duration", histogram.snapshot(), kind=kind, taken=SAMPLED[kind])
        for generation, histogram in enumerate(self.gc.by_generation):
            readings.record("gc.pause", histogram.snapshot(), generation=str(generation))

    @property
    def working(self) -> ThreadClocks | None:
        """The clocks of the working thread."""
        return self._working

    def work_points(self) -> WorkPoints:
        """Points for the thread that is watched."""
        return WorkPoints(time.thread_time_ns, self._own_queue_ns)

    def _own_queue_ns(self) -> int:
        return 0 if self._working is None else self._working.run_queue_ns()

    def shared_clocks(self) -> tuple[int, int]:
        """Throttled time and the collector's pauses so far, in ns."""
        now_s = time.monotonic()
        if now_s >= self._groups_due_s:
            self._groups_due_s = now_s + GROUPS_EVERY_S
            self._throttling.refresh()
        return self._throttling.throttled_ns(), self.gc.total_ns

    def take(self, before: ProbeReading, now: ProbeReading) -> bool:
        """Take in the time between two readings; whether the lock was held for long."""
        taken = slices(before, now)
        for one in taken:
            self.timeline.add(one)
        times = _sum(taken)
        self._totals = WaitTimes(*(was + new for was, new in zip(self._totals, times, strict=True)))
        for kind, histogram in self._durations.items():
            if (wait_ns := getattr(times, kind)) >= MS_NS:
                histogram.add_one(wait_ns)
        return times.lock > LONG_NS


def _sum(taken: list[WaitSlice]) -> WaitTimes:
    return WaitTimes(*(sum(parts) for parts in zip(*(one.times for one in taken), strict=True)))
