"""A ledger's server that goes away and returns: noted at once, and at the end."""

import time
from collections.abc import Callable
from typing import Final

import msgspec

from desk.model.notes import Level, Note
from desk.telemetry.note_board import NoteBoard

SHOWN: Final = 200


class LedgerReport(msgspec.Struct, array_like=True):
    """What a ledger says of its server: what is wrong now, and what healed.

    `notes` are the latest of the `noted` of this `epoch`: one process of the ledger, later ones have higher numbers.
    `commits` are those of the process.
    """

    epoch: int
    notes: list[Note]
    noted: int
    alert: str = ""
    warnings: list[str] = []
    commits: int = 0


def _nothing() -> None:
    pass


class ServerOutages:
    """Counts the times without an answer. `changed` is called at every failed attempt, and when the server answers."""

    def __init__(self, place: str, patience_s: float) -> None:
        self.changed: Callable[[], None] = _nothing
        self._place = place
        self._patience_s = patience_s
        self._board = NoteBoard()
        self._epoch = time.time_ns()
        self._since_s: float | None = None
        self._times = 0
        self._away_s = 0.0

    @property
    def alert(self) -> str:
        """What is wrong now; "" for nothing."""
        if self._since_s is None:
            return ""
        return f"the ledger has not answered for {time.monotonic() - self._since_s:,.0f} s: {self._place}"

    @property
    def warnings(self) -> list[str]:
        """A line about the times without an answer that are over."""
        if not self._times:
            return []
        times = "once" if self._times == 1 else f"{self._times:,} times"
        return [f"ledger {self._place}: it did not answer {times}, for {self._away_s:,.1f} s in all; nothing was lost"]

    def report(self) -> "LedgerReport":
        """All of this, for another process."""
        return LedgerReport(self._epoch, self._board.latest(), self._board.count, self.alert, self.warnings)

    def failed(self, error: Exception) -> None:
        """An attempt had no answer."""
        if self._since_s is None:
            self._since_s = time.monotonic()
            found = " ".join(str(getattr(error, "orig", None) or error).split())[:SHOWN]
            self._note(f"it does not answer ({found}); the desk waits up to {self._patience_s:g} s", "error")
        self.changed()

    def answered(self) -> None:
        """An attempt had an answer."""
        if self._since_s is None:
            return
        away_s = time.monotonic() - self._since_s
        self._since_s = None
        self._times += 1
        self._away_s += away_s
        self._note(f"it answers again after {away_s:,.1f} s; nothing was lost", "warning")
        self.changed()

    def _note(self, text: str, level: Level) -> None:
        self._board.add(f"ledger {self._place}: {text}", level)
