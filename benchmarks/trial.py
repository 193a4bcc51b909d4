"""One trial: a load, a system under test, and samples of both."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from benchmarks.load import Venue
from benchmarks.processes import Processes, Usage, loopback_bytes
from benchmarks.reading import Reading, growth_s, quantiles_ms
from benchmarks.sustained import Window
from desk.local_venue.venue_stats import VenueStats
from desk.model.units import SECOND_NS
from desk.telemetry.histogram import counted_since

WARM_S: Final = 2.0
DRAIN_S: Final = 10.0
OVERHEAD_S: Final = 120.0
"""The longest time for start and drain, beside warm-up and window; a longer trial is aborted."""

LAG_SAMPLES: Final = 4
"""The schedule's lag is the least of this many samples: a single late frame does not count."""


@dataclass(frozen=True)
class Sample:
    """Venue and system at one moment, `since_s` after the venue began to play."""

    since_s: float
    venue: VenueStats
    reading: Reading
    usage: dict[str, Usage]
    loopback_bytes: int


@dataclass(frozen=True)
class Timing:
    """The window, after `warm_s` that do not count. `rate` is the schedule's, None without a schedule."""

    rate: float | None
    window_s: float
    warm_s: float = WARM_S


class Trial:
    """Samples venue and system, stops the venue at the end of the window, and lets the system drain."""

    def __init__(self, venue: Venue, timing: Timing) -> None:
        self.timing = timing
        self.samples: list[Sample] = []
        self.sent = 0
        self.drained: Reading | None = None
        self._venue = venue
        self._deadline_s = 0.0
        self._give_up_s = time.monotonic() + OVERHEAD_S + timing.warm_s + timing.window_s
        self._warm = False

    def poll(self, reading: Reading, processes: Processes) -> bool:
        """Take a sample. Return whether the system may stop: it has drained, or its time to drain is over.

        Raises TimeoutError if the trial takes too long, RuntimeError if the venue has ended.
        """
        if self.drained is not None:
            return False
        if self._deadline_s:
            through = min(reading.received, reading.applied + reading.dropped)
            if through < self.sent and time.monotonic() < self._deadline_s:
                return False
            self.drained = reading
            return True
        if time.monotonic() > self._give_up_s:
            raise TimeoutError(f"the trial took {OVERHEAD_S:g} s more than its warm-up and window")
        stats = self._venue.stats()
        if stats.state == "waiting":
            return False
        if stats.elapsed_s >= self.timing.warm_s:
            if not self._warm:
                self._warm = True
                processes.refresh()
            self.samples.append(Sample(stats.elapsed_s, stats, reading, processes.usage(), loopback_bytes()))
        if stats.state == "ended" or stats.elapsed_s >= self.timing.warm_s + self.timing.window_s:
            self.sent = self._venue.stop()
            self._deadline_s = time.monotonic() + DRAIN_S
        return False

    def window(self) -> Window:
        """The figures between warm-up and end that decide whether the rate was sustained."""
        first, last = self.samples[0], self.samples[-1]
        seconds = last.since_s - first.since_s
        offered = last.venue.offered - first.venue.offered
        late_s = _lag_s(self.samples[-LAG_SAMPLES:]) - _lag_s(self.samples[:LAG_SAMPLES])
        queue_ns = counted_since(last.reading.queue, first.reading.queue).quantile(0.99)
        lost = last.venue.dropped_clients - first.venue.dropped_clients
        return Window(
            seconds=seconds,
            due=offered + (self.timing.rate or 0.0) * max(late_s, 0.0),
            sent=last.venue.sent - first.venue.sent,
            dropped=last.reading.dropped - first.reading.dropped + lost,
            growth_s=growth_s([sample.reading for sample in self.samples]),
            queue_p99_s=None if queue_ns is None else queue_ns / SECOND_NS,
        )

    def row(self) -> dict[str, Any]:
        """The figures of the window, per second and per applied event."""
        window = self.window()
        first, last = self.samples[0], self.samples[-1]
        applied = last.reading.applied - first.reading.applied
        reading_s = (last.reading.wall_ns - first.reading.wall_ns) / SECOND_NS
        return {
            "offered_per_s": round(window.due / window.seconds),
            "sent_per_s": round(window.sent / window.seconds),
            "received_per_s": round((last.reading.received - first.reading.received) / reading_s),
            "applied_per_s": round(applied / reading_s),
            "batches_per_s": round((last.reading.batches - first.reading.batches) / reading_s),
            **quantiles_ms("age", counted_since(last.reading.age, first.reading.age)),
            **quantiles_ms("queue", counted_since(last.reading.queue, first.reading.queue)),
            **costs(first.usage, last.usage, window.seconds, applied),
            "loopback_bytes_per_event": round((last.loopback_bytes - first.loopback_bytes) / max(applied, 1)),
            "sustained": window.failing() or "yes",
            **self.accounts(),
        }

    def accounts(self) -> dict[str, Any]:
        """The fate of every event that the venue sent in the whole trial: applied, dropped, or missing."""
        end = self.drained or self.samples[-1].reading
        return {
            "sent": self.sent,
            "received": end.received,
            "applied": end.applied,
            "dropped": end.dropped,
            "missing": self.sent - end.applied - end.dropped,
        }


@dataclass
class Roles:
    """CPU time and peak memory, summed by role: "consumers" for all consumers, "ray" for Ray's own processes."""

    cpu_s: dict[str, float] = field(default_factory=dict)
    peak_mb: dict[str, float] = field(default_factory=dict)

    def add(self, name: str, cpu_s: float, peak_mb: float) -> None:
        """Count one process."""
        role = role_of(name)
        self.cpu_s[role] = self.cpu_s.get(role, 0.0) + cpu_s
        self.peak_mb[role] = self.peak_mb.get(role, 0.0) + peak_mb


def role_of(name: str) -> str:
    """The role of a process: consumer-03 → consumers, Ray's own → ray, actors off the data path → control."""
    if name.startswith("consumer-"):
        return "consumers"
    if name.startswith("ray: "):
        return "ray"
    return "control" if name in {"broker", "ledger", "keeper", "scanner"} else name


def costs(first: dict[str, Usage], last: dict[str, Usage], seconds: float, applied: int) -> dict[str, Any]:
    """CPU time in µs per event by role and in total, its share of one core, and peak memory by role."""
    roles = Roles()
    for name, usage in last.items():
        before = first.get(name)
        roles.add(name, usage.cpu_s - (before.cpu_s if before else 0.0), usage.peak_rss_mb)
    total_s = sum(roles.cpu_s.values())
    return {
        "cpu_us_per_event": round(1e6 * total_s / max(applied, 1), 2),
        "cpu_share_of_a_core": round(total_s / seconds, 3),
        **{f"cpu_us_of_{role}": round(1e6 * used / max(applied, 1), 2) for role, used in roles.cpu_s.items()},
        **{f"peak_rss_mb_of_{role}": round(peak) for role, peak in roles.peak_mb.items()},
    }


def _lag_s(samples: Sequence[Sample]) -> float:
    return min(sample.venue.schedule_lag_ms for sample in samples) / 1000
