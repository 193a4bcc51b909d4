"""Symbols that were subscribed by name and have sent nothing while the exchange was open.

Tests: tests/desk/producer/feed_watch/test_watch.py
"""

from collections.abc import Iterable
from typing import Final

from desk.model.notes import Note
from desk.telemetry import formatting

REPORT_AFTER_S: Final = 60


class SilentSymbols:
    """Counts the seconds in which a live feed could deliver ticks, and records the symbols that did."""

    def __init__(self, place: str, open_s: int = 0, seen: Iterable[str] = ()) -> None:
        self.open_s = open_s
        self._place = place
        self._seen = set(seen)

    def met(self, symbols: Iterable[str]) -> None:
        """Record that ticks of these symbols arrived."""
        self._seen.update(symbols)

    def silent_among(self, symbols: Iterable[str]) -> list[str]:
        """Those of these symbols without a tick so far, sorted."""
        return sorted(set(symbols).difference(self._seen))

    def mark(self, symbols: Iterable[str], *, can_deliver: bool) -> list[Note]:
        """Complete a second. `can_deliver`: the exchange was open and the feed subscribed."""
        if not can_deliver:
            return []
        self.open_s += 1
        text = self.text(symbols) if self.open_s == REPORT_AFTER_S else ""
        return [Note(text)] if text else []

    def text(self, symbols: Iterable[str]) -> str:
        """The message about symbols without a tick; "" if there is none, or if no tick could arrive."""
        silent = self.silent_among(symbols)
        if not silent or not self.open_s:
            return ""
        return (
            f"{self._place}: no tick of {formatting.some(len(silent), 'subscribed symbol')} in {self.open_s:,} s "
            f"of the exchange's hours: {formatting.names(silent)}"
        )
