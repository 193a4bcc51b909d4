"""The scanners, for the producer. They read the market themselves, not through the lanes."""

from collections.abc import Sequence
from typing import Protocol

from desk.model.bars import Bar
from desk.model.records import ScanAnswer


class ScannerPort(Protocol):
    """Scans start at one mark and are read at the next, or on a live feed at the first at which they are `answered`.

    Calls that wait raise ActorDied if no successor starts.
    """

    def ask(self, mark_ns: int, subscribed: Sequence[str]) -> bool:
        """Start the scanners due at this mark, on the market up to `mark_ns`; returns whether any is due."""
        ...

    def answers(self) -> list[ScanAnswer]:
        """Wait for the answers of all started scans."""
        ...

    def answered(self) -> bool:
        """Whether `answers` would not wait. Never waits."""
        ...

    def history(self, symbols: Sequence[str], until_ns: int) -> dict[str, list[Bar]]:
        """The session's minutes of these symbols, oldest first, from the rows received before `until_ns`."""
        ...

    def remembered(self, symbols: Sequence[str], until_ns: int) -> dict[str, bytes]:
        """A shard's remembered trades of these symbols at that time, without those that have none."""
        ...
