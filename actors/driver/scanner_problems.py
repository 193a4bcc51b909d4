"""The problems of all incarnations of the scanners: a successor does not know those of its predecessors.

Tests: tests/actors/test_scanner_watch.py
"""

from actors.scanners import ScanStats


class ScannerProblems:
    """Collects the problems of all incarnations, each once, and the warnings of each incarnation's last answer."""

    def __init__(self) -> None:
        self._problems: dict[str, None] = {}
        self._last: dict[int, ScanStats] = {}

    def take(self, stats: object) -> None:
        """Take an actor's answer, if it is the scanners'."""
        if isinstance(stats, ScanStats):
            self._problems |= dict.fromkeys(stats.problems)
            self._last[stats.epoch] = stats

    @property
    def faults(self) -> list[str]:
        """Why the live market cannot be scanned at this moment."""
        newest = max(self._last, default=0)
        return [self._last[newest].fault] if self._last and self._last[newest].fault else []

    @property
    def all(self) -> list[str]:
        """The problems in the order of their first report."""
        return [*self._problems, *self.faults]

    @property
    def warnings(self) -> list[str]:
        """Faults that are over, those of a dead incarnation included."""
        newest = max(self._last, default=0)
        old = [stats.fault for epoch, stats in self._last.items() if epoch != newest and stats.fault]
        return list(dict.fromkeys([*(line for stats in self._last.values() for line in stats.warnings), *old]))
