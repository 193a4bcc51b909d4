"""The probe: a thread that sleeps, and notes how late it runs again. The lock of the interpreter makes it late.

Tests: tests/desk/process/test_waits.py
"""

import threading
import time
from collections.abc import Callable
from typing import Final, Protocol

from desk.model.units import MS_NS, SECOND_NS
from desk.process.clock import SystemClock
from desk.process.waits.slices import ProbeReading
from desk.process.waits.thread_clocks import ThreadClocks

PERIOD_NS: Final = 50 * MS_NS
ALERT_PERIOD_NS: Final = 2 * MS_NS
ALERT_NS: Final = SECOND_NS
"""The period is shorter for so long after a long wait for the lock."""
LATE_NS: Final = 2 * MS_NS
FULL_EVERY: Final = 10
"""A wake-up in time reads two clocks; each wake-up of this number, and each that is LATE_NS late, reads all."""


class ProbeOwner(Protocol):
    """What the probe reports to."""

    @property
    def working(self) -> ThreadClocks | None:
        """The clocks of the working thread."""
        ...

    def shared_clocks(self) -> tuple[int, int]:
        """Throttled time and the collector's pauses so far, in ns."""
        ...

    def take(self, before: ProbeReading, now: ProbeReading) -> bool:
        """Take in the time between two readings; whether the lock was held for long."""
        ...


def run_probe(owner: Callable[[], ProbeOwner | None], clock: SystemClock) -> None:
    """Probe until there is no owner any more. It is held between two sleeps only."""
    probe = ThreadClocks(threading.current_thread())
    watched: ThreadClocks | None = None
    before: ProbeReading | None = None
    alert_until_ns = due_ns = asleep_cpu_ns = brief = 0
    while (current := owner()) is not None:
        now_ns = clock.wall_ns()
        working = current.working
        cpu_ns = 0 if working is None else working.cpu_ns()
        brief += 1
        if working is not watched or now_ns - due_ns > LATE_NS or brief >= FULL_EVERY or now_ns < alert_until_ns:
            brief = 0
            queue_ns = 0 if working is None else working.run_queue_ns()
            process_ns = time.process_time_ns()
            clocks = (probe.run_queue_ns(), queue_ns, cpu_ns, *current.shared_clocks(), process_ns, asleep_cpu_ns)
            now = ProbeReading(due_ns, now_ns, *clocks)
            if before is not None and working is watched and current.take(before, now):
                alert_until_ns = now_ns + ALERT_NS
            watched, before = working, now
        del current
        period_ns = ALERT_PERIOD_NS if now_ns < alert_until_ns else PERIOD_NS
        due_ns, asleep_cpu_ns = now_ns + period_ns, cpu_ns
        time.sleep(period_ns / SECOND_NS)
    probe.close()
