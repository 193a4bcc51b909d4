"""Symbols that were subscribed by name and have sent nothing while the exchange was open.

Tests: tests/desk/producer/feed_watch/test_watch.py
"""

from collections.abc import Iterable
from typing import Final

from desk.model.notes import Note
from desk.telemetry import formatting

AFTER_S: Final = 60


class SilentSymbols:
    """Counts the seconds in which a live feed could have delivered, and remembers which symbols did."""

    def __init__(self, place: str, open_s: int = 0, seen: Iterable[str] = ()) -> None:
        self.open_s = open_s
        self._place = place
        self._seen = set(seen)

    def met(self, symbols: Iterable[str]) -> None:
        """Ticks of these symbols came."""
        self._seen.update(symbols)

    def among(self, symbols: Iterable[str]) -> list[str]:
        """Those of these that have sent nothing, sorted."""
        return sorted(set(symbols).difference(self._seen))

    def mark(self, symbols: Iterable[str], *, can_deliver: bool) -> list[Note]:
        """A second is complete, in which the exchange was open and the feed subscribed, or not."""
        if not can_deliver:
            return []
        self.open_s += 1
        text = self.text(symbols) if self.open_s == AFTER_S else ""
        return [Note(text)] if text else []

    def text(self, symbols: Iterable[str]) -> str:
        """Which of these have sent nothing; "" where all have, or none could."""
        silent = self.among(symbols)
        if not silent or not self.open_s:
            return ""
        return (
            f"{self._place}: nothing came of {formatting.some(len(silent), 'subscribed symbol')} in {self.open_s:,} s "
            f"of the exchange's hours: {formatting.names(silent)}"
        )
