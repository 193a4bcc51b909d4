"""The reports of all incarnations of the ledger about its server.

Tests: tests/actors/test_ledger_outage.py
"""

from logging import Logger

from desk.ledger.server_outages import LedgerReport
from desk.report.viewer import NewNotes


class LedgerReports:
    """Logs each note once; keeps the warnings of dead incarnations."""

    def __init__(self, log: Logger) -> None:
        self._notes = NewNotes(log)
        self._last: dict[int, LedgerReport] = {}

    def take(self, stats: object) -> None:
        """Take an actor's answer, if it is the ledger's."""
        if isinstance(stats, LedgerReport):
            self._notes.write(stats)
            self._last[stats.epoch] = stats

    @property
    def alerts(self) -> list[str]:
        """Faults at this moment."""
        newest = max(self._last, default=0)
        return [self._last[newest].alert] if self._last and self._last[newest].alert else []

    @property
    def warnings(self) -> list[str]:
        """Faults that are over."""
        return [line for report in self._last.values() for line in report.warnings]
