"""The metrics that every process of the desk has: CPU time, memory, page faults, and what it waited for."""

import os
import resource
import time
from pathlib import Path
from typing import Final

from desk.process.usage import process_usage
from desk.process.waits.wait_meters import WaitMeters
from desk.report.run_record import ProcessUsage
from desk.telemetry.readings import Readings

PAGE: Final = os.sysconf("SC_PAGE_SIZE")
STATM: Final = Path("/proc/self/statm")


class ProcessMeters:
    """The meters of this process, which serves as `actor` of a desk."""

    def __init__(self, actor: str, node: str = "") -> None:
        self._actor = actor
        self._node = node
        self._started_ns = time.time_ns()
        self.waits = WaitMeters()

    def usage(self) -> ProcessUsage:
        """CPU time and peak memory that this process has used."""
        return process_usage(self._node)

    def readings(self) -> Readings:
        """The metrics of this process now."""
        readings = Readings(self._actor, os.getpid(), self._node, self._started_ns, time.time_ns())
        used = resource.getrusage(resource.RUSAGE_SELF)
        readings.count("process.cpu.time", used.ru_utime, mode="user")
        readings.count("process.cpu.time", used.ru_stime, mode="system")
        readings.set("process.memory.usage", _resident_bytes())
        readings.count("process.paging.faults", used.ru_majflt)
        self.waits.measure(readings)
        return readings


def _resident_bytes() -> int:
    """Resident memory (Linux proc_pid_statm(5): the second number, in pages); where there is no /proc, the peak."""
    try:
        return int(STATM.read_bytes().split()[1]) * PAGE
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
