"""The problems of all incarnations of the scanners: a successor does not know those of the dead.

Tests: tests/actors/test_scanner_watch.py
"""

from actors.scanners import ScanStats


class ScannerProblems:
    """What each incarnation has told, once."""

    def __init__(self) -> None:
        self._told: dict[str, None] = {}

    def take(self, stats: object) -> None:
        """Take in what an actor answered, if it is the scanners."""
        if isinstance(stats, ScanStats):
            self._told |= dict.fromkeys(stats.problems)

    @property
    def all(self) -> list[str]:
        """In the order in which they were told first."""
        return list(self._told)
