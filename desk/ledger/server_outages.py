"""Records outages of a ledger's server: the log reports each one at its start and at its end."""

import time
from collections.abc import Callable
from typing import Final

import msgspec

from desk.model.notes import Level, Note
from desk.telemetry.note_board import NoteBoard

SHOWN_CHARS: Final = 200


class LedgerReport(msgspec.Struct, array_like=True):
    """A ledger process's report on its server: `alert` for an outage now, `warnings` for earlier ones.

    `notes` are the latest of all `noted` notes of the process, and `commits` counts its commits. The `epoch` of a
    restarted process is higher.
    """

    epoch: int
    notes: list[Note]
    noted: int
    alert: str = ""
    warnings: list[str] = []
    commits: int = 0


class ServerOutages:
    """Records times without an answer. `changed` is called after each failed attempt, and when the server answers."""

    def __init__(self, place: str, patience_s: float) -> None:
        self.changed: Callable[[], None] = lambda: None
        self._place = place
        self._patience_s = patience_s
        self._board = NoteBoard()
        self._epoch = time.time_ns()
        self._since_s: float | None = None
        self._outages = 0
        self._outage_s = 0.0

    @property
    def alert(self) -> str:
        """The current outage in words; "" for none."""
        if self._since_s is None:
            return ""
        return f"the ledger has not answered for {time.monotonic() - self._since_s:,.0f} s: {self._place}"

    @property
    def warnings(self) -> list[str]:
        """A line about the outages that are over."""
        if not self._outages:
            return []
        times = "once" if self._outages == 1 else f"{self._outages:,} times"
        return [
            f"ledger {self._place}: it did not answer {times}, for {self._outage_s:,.1f} s in all; nothing was lost"
        ]

    def report(self) -> LedgerReport:
        """The report for another process."""
        return LedgerReport(self._epoch, self._board.latest(), self._board.count, self.alert, self.warnings)

    def failed(self, error: Exception) -> None:
        """Record an attempt without an answer."""
        if self._since_s is None:
            self._since_s = time.monotonic()
            found = " ".join(str(getattr(error, "orig", None) or error).split())[:SHOWN_CHARS]
            self._note(f"it does not answer ({found}); the desk waits up to {self._patience_s:g} s", "error")
        self.changed()

    def answered(self) -> None:
        """Record an answer."""
        if self._since_s is None:
            return
        away_s = time.monotonic() - self._since_s
        self._since_s = None
        self._outages += 1
        self._outage_s += away_s
        self._note(f"it answers again after {away_s:,.1f} s; nothing was lost", "warning")
        self.changed()

    def _note(self, text: str, level: Level) -> None:
        self._board.add(f"ledger {self._place}: {text}", level)
