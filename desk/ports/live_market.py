"""A live market as scanners see it: snapshots of its symbols, read on request.

Tests: tests/desk/venues/alpaca/test_alpaca_snapshots.py
"""

from collections.abc import Sequence
from typing import Protocol

from desk.model.live_symbol import LiveSymbol


class MarketUnavailable(Exception):
    """The market could not be read: not permitted, no answer, or a malformed one. One line says why."""


class LiveMarket(Protocol):
    """Reads a venue's market. `place` names it in messages."""

    place: str

    def read(self, subscribed: Sequence[str]) -> list[LiveSymbol]:
        """The snapshots of the market's symbols now, those of `subscribed` included. Raises MarketUnavailable.

        Blocks, with a time limit. It may be called from any thread, one call at a time.
        """
        ...

    def take_notes(self) -> list[str]:
        """Remarks since the last call: what was left out or fetched again, one line each."""
        ...
