"""The problems of all incarnations of the scanners: a successor does not know those of its predecessors.

Tests: tests/actors/test_scanner_watch.py
"""

from actors.scanners import ScanStats


class ScannerProblems:
    """Collects the problems of all incarnations, each once."""

    def __init__(self) -> None:
        self._problems: dict[str, None] = {}

    def take(self, stats: object) -> None:
        """Take an actor's answer, if it is the scanners'."""
        if isinstance(stats, ScanStats):
            self._problems |= dict.fromkeys(stats.problems)

    @property
    def all(self) -> list[str]:
        """The problems in the order of their first report."""
        return list(self._problems)
