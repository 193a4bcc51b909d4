"""The death of Ray itself: what the desk's driver does when a process of Ray's on its node has died.

Every wait of the driver on Ray ends with ClusterLost then. Some calls of Ray's cannot be interrupted: a driver that is
inside one of them ends itself, after its last words.

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
"""So long the main thread has to leave Ray: calls of actors that were killed return within 3 s."""
NOTICE_S: Final = 0.5
"""A call may fail before the death of the process that it failed of is noticed."""

LastWords = Callable[[ClusterLost], None]
"""Writes what can be written without Ray; called in another thread than the main one."""


class RayDeath:
    """Takes the news of a death; `clean` ends what is left of a Ray of the desk's own, with its logs in `run_dir`."""

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
        """Take in that this process of Ray's has died. Waits for the main thread, and ends the process if it has to."""
        with self._lock:
            if self._left.is_set():
                return
            self._fault = ClusterLost(
                "Ray",
                f"its {name} has died",
                "processes of Ray's that live as long as the run",
                f"Look at the machine's memory and Ray's logs, and continue with `desk run --resume {self._run_dir}`.",
            )
            self._noticed.set()
        try:
            self._clean(self._run_dir)
        finally:
            self._cleaned.set()
        if not self._left.wait(LEAVE_S):
            self._force(self._fault)

    def require_alive(self) -> None:
        """Raises ClusterLost once a process of Ray's has died."""
        if self._fault is not None:
            raise self._fault

    @property
    def is_lost(self) -> bool:
        """Whether a process of Ray's has died."""
        return self._fault is not None

    @contextmanager
    def translate_failures(self) -> Iterator[None]:
        """A failure in here that came of the loss is raised as ClusterLost."""
        try:
            yield
        except (DeskError, RayError) as error:
            lost = self.cause_of_failure()
            if lost is None or error is lost:
                raise
            raise lost from error

    def cause_of_failure(self) -> ClusterLost | None:
        """The loss that a failure just seen came of, if any."""
        self._noticed.wait(NOTICE_S)
        return self._fault

    def wait_until_clean(self) -> None:
        """After a loss: wait until its remains are gone and Ray's logs are kept."""
        if self._fault is not None:
            self._cleaned.wait(LEAVE_S)

    def leave(self) -> None:
        """The main thread has left Ray: a death of one of its processes is no loss from now on."""
        with self._lock:
            self._left.set()

    def _force(self, fault: ClusterLost) -> None:
        try:
            self._last_words(fault)
        finally:
            sys.stderr.write(f"error: {fault}\n")
            sys.stderr.flush()
            os._exit(fault.exit_status)
