"""The CPU time and memory of this process, from the operating system."""

import os
import resource
from typing import Final

from desk.report.run_record import ProcessUsage

KIB: Final = 1024


def process_usage(node: str = "") -> ProcessUsage:
    """CPU time (user and system) and peak resident memory since the process began (Linux getrusage(2): KiB)."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return ProcessUsage(os.getpid(), node, used.ru_utime + used.ru_stime, used.ru_maxrss / KIB)
