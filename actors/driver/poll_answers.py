"""What the actors of a desk answered to polls.

Tests: tests/actors/test_on_ray.py
"""

from logging import Logger
from typing import Any

from actors.driver.ledger_reports import LedgerReports
from actors.driver.scanner_problems import ScannerProblems


class PollAnswers:
    """The last answer of each actor in `stats`, by its name, and all that scanners and ledger reported so far."""

    def __init__(self, log: Logger) -> None:
        self.stats: dict[str, Any] = {}
        self.scanner_problems = ScannerProblems()
        self.ledger = LedgerReports(log)

    def take(self, name: str, stats: Any) -> None:
        """Take an actor's answer in."""
        self.stats[name] = stats
        self.scanner_problems.take(stats)
        self.ledger.take(stats)
