"""Saves the process's standard files while user code is loaded, and restores those that it closed or changed.

Tests: tests/desk/loading/test_user_code.py
"""

import contextlib
import fcntl
import os
from typing import Final, Self

STANDARD: Final = (0, 1, 2)
NAMES: Final = {0: "stdin", 1: "stdout", 2: "stderr"}
FIRST_FREE: Final = 512
"""Copies get descriptors from here on if the process may have so many, so that `os.closerange(0, 256)` misses them."""


class StandardStreams:
    """Copies of the descriptors 0, 1 and 2."""

    def __init__(self, copies: dict[int, int]) -> None:
        self._copies = copies

    @classmethod
    def save(cls) -> Self:
        """Copy the open ones."""
        copies = {}
        for number in STANDARD:
            with contextlib.suppress(OSError):
                copies[number] = _copy(number)
        return cls(copies)

    def restore(self) -> list[str]:
        """Restore each descriptor and close the copies; return the names of those that had changed."""
        changed = []
        for number, copy in self._copies.items():
            with contextlib.suppress(OSError):  # the copy is closed as well
                if _file(number) != _file(copy):
                    os.dup2(copy, number)
                    changed.append(NAMES[number])
                os.close(copy)
        self._copies = {}
        return changed


def _copy(number: int) -> int:
    try:
        return fcntl.fcntl(number, fcntl.F_DUPFD_CLOEXEC, FIRST_FREE)
    except OSError:
        return os.dup(number)


def _file(number: int) -> tuple[int, int] | None:
    try:
        found = os.fstat(number)
    except OSError:
        return None
    return found.st_dev, found.st_ino
