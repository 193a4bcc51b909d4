"""The notes of one process: the latest of them, and their total number.

Tests: tests/desk/producer/test_loop.py
"""

from collections import deque
from collections.abc import Iterable
from typing import Final

from desk.model.notes import Level, Note

MOST: Final = 50


class NoteBoard:
    """Keeps the latest MOST notes, for the log and the live view of another process."""

    def __init__(self) -> None:
        self.count = 0
        self._latest: deque[Note] = deque(maxlen=MOST)

    def add(self, text: str, level: Level = "warning") -> None:
        """Add a note."""
        self.extend([Note(text, level)])

    def extend(self, notes: Iterable[Note]) -> None:
        """Add several notes."""
        for note in notes:
            self._latest.append(note)
            self.count += 1

    def latest(self) -> list[Note]:
        """The latest notes, newest last."""
        return list(self._latest)
