"""Counts exports and their failures; warns once for each spell of failures.

Tests: tests/desk/exporters/test_otlp_metrics.py
"""

from logging import Logger


class ExportFailures:
    """The exports of one way out. `what` names it in log and summary. One thread reports, others read."""

    def __init__(self, what: str, log: Logger) -> None:
        self.exports = 0
        self.failures = 0
        self._what = what
        self._log = log
        self._why = ""
        self._failing = False

    def report(self, why: str = "") -> None:
        """Report the outcome of an export; `why` it failed, "" if it did not."""
        self.exports += 1
        if why:
            self.failures += 1
            self._why = why
            if not self._failing:
                self._log.warning("%s fails; further failures are counted, not logged: %s", self._what, why)
        elif self._failing:
            self._log.info("%s works again after %d failures so far", self._what, self.failures)
        self._failing = bool(why)

    def warnings(self) -> list[str]:
        """One line for the summary if any export failed."""
        if not self.failures:
            return []
        return [
            f"{self._what} failed {self.failures} of {self.exports} times, which loses data there; last: {self._why}"
        ]
