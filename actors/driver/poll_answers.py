"""The answers of a desk's actors to polls.

Tests: tests/actors/test_on_ray.py
"""

from logging import Logger
from typing import Any

from actors.driver.ledger_reports import LedgerReports
from actors.driver.scanner_problems import ScannerProblems


class PollAnswers:
    """The last answer of each actor by its name (`stats`), and the reports of scanners and ledger so far."""

    def __init__(self, log: Logger) -> None:
        self.stats: dict[str, Any] = {}
        self.scanner_problems = ScannerProblems()
        self.ledger = LedgerReports(log)

    def take(self, name: str, stats: Any) -> None:
        """Store an actor's answer."""
        self.stats[name] = stats
        self.scanner_problems.take(stats)
        self.ledger.take(stats)
