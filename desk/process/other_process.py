"""Memory and CPU time of another process of this machine, from outside: Ray's own ones.

Tests: tests/desk/process/test_other_process.py
"""

import os
import time
from pathlib import Path
from typing import Final

from desk.model.units import SECOND_NS
from desk.process.process_meters import PAGE
from desk.telemetry.readings import Readings

TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")


def process_readings(actor: str, pid: int) -> Readings | None:
    """Its metrics under the name `actor`; None where it has ended or there is no /proc (Linux, proc_pid_stat(5))."""
    try:
        # The name in parentheses may have spaces.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, IndexError):
        return None
    faults, user, system, started = int(fields[9]), int(fields[11]), int(fields[12]), int(fields[19])
    readings = Readings(actor, pid, "", started * SECOND_NS // TICKS_PER_S, time.time_ns())
    readings.count("process.cpu.time", user / TICKS_PER_S, mode="user")
    readings.count("process.cpu.time", system / TICKS_PER_S, mode="system")
    readings.set("process.memory.usage", pages * PAGE)
    readings.count("process.paging.faults", faults)
    return readings
