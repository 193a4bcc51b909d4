"""How much memory this process may still take, as the operating system holds it to."""

import os
import resource
from pathlib import Path
from typing import Final

STATM: Final = Path("/proc/self/statm")
SLACK_BYTES: Final = 16 * 1024 * 1024
_DATA: Final = 5
_UNLIMITED: Final = resource.RLIM_INFINITY


class MemoryLimit:
    """What this process has when it is granted, and `more_bytes`; who asks for more is given MemoryError.

    It counts what is private and writable (Linux setrlimit(2), RLIMIT_DATA; proc_pid_statm(5)), used or not. There is
    no limit where the system does not tell, or gives us less than that anyway.
    """

    def __init__(self, more_bytes: int) -> None:
        self._more_bytes = more_bytes
        self._statm = os.open(STATM, os.O_RDONLY) if STATM.exists() else None
        self._limit = 0
        self.renew()

    def renew(self) -> None:
        """Grant the same again on top of what is in use now. Done with next to no memory."""
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
