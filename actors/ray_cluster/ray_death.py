"""The driver's reaction to the death of a Ray process on its node.

Every wait of the driver on Ray then ends with ClusterLost. Some calls of Ray cannot be interrupted: if the main thread
is inside one, the driver calls `last_words` and ends its process.

Tests: tests/actors/test_ray_deaths.py
"""

import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from ray.exceptions import RayError

from desk.model.errors import ClusterLost, DeskError

LEAVE_S: Final = 5.0
"""The time for the main thread to leave Ray: calls of killed actors return within 3 s."""
NOTICE_S: Final = 0.5
"""The wait for a notice of death after a call failed: the call may fail first."""

LastWords = Callable[[ClusterLost], None]
"""Writes the results that do not need Ray; called in another thread than the main one."""


class RayDeath:
    """Handles the death of a Ray process.

    `clean` kills the rest of the desk's own Ray and copies its logs to `run_dir`.
    """

    def __init__(
        self, clean: Callable[[Path | None], None], last_words: LastWords, run_dir: Path | None = None
    ) -> None:
        self._run_dir = run_dir
        self._clean = clean
        self._last_words = last_words
        self._fault: ClusterLost | None = None
        self._noticed = threading.Event()
        self._cleaned = threading.Event()
        self._left = threading.Event()
        self._lock = threading.Lock()

    def died(self, name: str) -> None:
        """Handle the death of this Ray process. Waits for the main thread to leave Ray, else ends this process."""
        with self._lock:
            if self._left.is_set():
                return
            self._fault = ClusterLost(
                "Ray",
                f"its {name} has died",
                "Ray processes that run until the run ends",
                f"Check the machine's memory and Ray's logs, and continue with `desk run --resume {self._run_dir}`.",
            )
            self._noticed.set()
        try:
            self._clean(self._run_dir)
        finally:
            self._cleaned.set()
        if not self._left.wait(LEAVE_S):
            self._force(self._fault)

    def require_alive(self) -> None:
        """Raise ClusterLost if a Ray process has died."""
        if self._fault is not None:
            raise self._fault

    @property
    def is_lost(self) -> bool:
        """Whether a Ray process has died."""
        return self._fault is not None

    @contextmanager
    def translate_failures(self) -> Iterator[None]:
        """Translate a failure within the block that Ray's death caused to ClusterLost."""
        try:
            yield
        except (DeskError, RayError) as error:
            lost = self.cause_of_failure()
            if lost is None or error is lost:
                raise
            raise lost from error

    def cause_of_failure(self) -> ClusterLost | None:
        """The ClusterLost that caused the failure just raised, if any."""
        self._noticed.wait(NOTICE_S)
        return self._fault

    def wait_until_clean(self) -> None:
        """After a loss, wait until Ray's processes have ended and its logs are copied."""
        if self._fault is not None:
            self._cleaned.wait(LEAVE_S)

    def leave(self) -> None:
        """Ignore deaths of Ray processes from now on: the main thread has left Ray."""
        with self._lock:
            self._left.set()

    def _force(self, fault: ClusterLost) -> None:
        try:
            self._last_words(fault)
        finally:
            sys.stderr.write(f"error: {fault}\n")
            sys.stderr.flush()
            os._exit(fault.exit_status)
