"""A limit on this process's memory, enforced by the operating system."""

import os
import resource
from pathlib import Path
from typing import Final

STATM: Final = Path("/proc/self/statm")
SLACK_BYTES: Final = 16 * 1024 * 1024
_DATA: Final = 5
_UNLIMITED: Final = resource.RLIM_INFINITY


class MemoryLimit:
    """The memory in use at `renew` plus `more_bytes`; allocations above it raise MemoryError.

    It counts private writable memory (Linux setrlimit(2), RLIMIT_DATA; proc_pid_statm(5)), used or not. No limit is set
    if the system does not report the usage, or has a lower limit already.
    """

    def __init__(self, more_bytes: int) -> None:
        self._more_bytes = more_bytes
        self._statm = os.open(STATM, os.O_RDONLY) if STATM.exists() else None
        self._limit = 0
        self.renew()

    def renew(self) -> None:
        """Set the limit again above the memory in use now. Needs almost no memory itself."""
        if self._statm is None:
            return
        if self._limit:
            self._set(self._limit + SLACK_BYTES)
        pages = int(os.pread(self._statm, 256, 0).split()[_DATA])
        self._set(pages * resource.getpagesize() + self._more_bytes)

    def _set(self, limit: int) -> None:
        _, most = resource.getrlimit(resource.RLIMIT_DATA)
        if most == _UNLIMITED or limit < most:
            resource.setrlimit(resource.RLIMIT_DATA, (limit, most))
            self._limit = limit
