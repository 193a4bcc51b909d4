"""The answers of a desk's actors to polls.

Tests: tests/actors/test_on_ray.py
"""

from logging import Logger
from typing import Any

from actors.driver.ledger_reports import LedgerReports
from actors.driver.scanner_problems import ScannerProblems
from desk.telemetry.readings import Readings


class PollAnswers:
    """The last `stats` and `readings` of each actor by its name, and the reports of scanners and ledger so far."""

    def __init__(self, log: Logger) -> None:
        self.stats: dict[str, Any] = {}
        self.readings: dict[str, Readings] = {}
        self.scanner_problems = ScannerProblems()
        self.ledger = LedgerReports(log)

    def take(self, name: str, stats: Any, readings: Readings | None = None) -> None:
        """Store an actor's answer; without `readings` those of its last poll stay."""
        self.stats[name] = stats
        if readings is not None:
            self.readings[name] = readings
        self.scanner_problems.take(stats)
        self.ledger.take(stats)
