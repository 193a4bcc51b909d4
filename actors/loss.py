"""The death of Ray itself: what the desk's driver does when a process of Ray's on its node has died.

Every wait of the driver on Ray ends with ClusterLost then. Some calls of Ray's cannot be interrupted: a driver that is
inside one of them ends itself, after its last words.
"""

import os
import sys
import threading
from collections.abc import Callable
from typing import Final

from desk.model.errors import ClusterLost

LEAVE_S: Final = 5.0
"""So long the main thread has to leave Ray: calls of actors that were killed return within 3 s."""
NOTICE_S: Final = 0.5
"""A call may fail before the death of the process that it failed of is noticed."""

LastWords = Callable[[ClusterLost], None]
"""Writes what can be written without Ray; called in another thread than the main one."""


class Loss:
    """Takes the news of a death; `clean` ends what is left of a Ray of the desk's own and removes its folder."""

    def __init__(self, clean: Callable[[], None], last_words: LastWords) -> None:
        self._clean = clean
        self._last_words = last_words
        self._fault: ClusterLost | None = None
        self._noticed = threading.Event()
        self._left = threading.Event()
        self._lock = threading.Lock()

    def died(self, name: str) -> None:
        """Take in that this process of Ray's has died. Waits for the main thread, and ends the process if it has to."""
        with self._lock:
            if self._left.is_set():
                return
            self._fault = ClusterLost(
                "Ray",
                f"its {name} has died",
                "Ray's processes to live as long as the run",
                "Look into the machine's memory and the run folder's ray-logs, and continue with "
                "`desk run --resume DIR`.",
            )
            self._noticed.set()
        self._clean()
        if not self._left.wait(LEAVE_S):
            self._force(self._fault)

    def require_alive(self) -> None:
        """Raises ClusterLost once a process of Ray's has died."""
        if self._fault is not None:
            raise self._fault

    def explains(self) -> ClusterLost | None:
        """The loss that a failure just seen came of, if any."""
        self._noticed.wait(NOTICE_S)
        return self._fault

    def leave(self) -> None:
        """The main thread needs Ray no more: whatever dies now is no loss."""
        with self._lock:
            self._left.set()

    def _force(self, fault: ClusterLost) -> None:
        try:
            self._last_words(fault)
        finally:
            sys.stderr.write(f"error: {fault}\n")
            sys.stderr.flush()
            os._exit(fault.exit_status)
