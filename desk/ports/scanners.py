"""The scanners, which see the market apart from the lanes, as the producer uses them."""

from collections.abc import Sequence
from typing import Protocol

from desk.model.bars import Bar
from desk.model.records import ScanAnswer


class ScannerPort(Protocol):
    """Asked at one mark, answered at the next. What waits raises ActorDied where no successor comes."""

    def ask(self, mark_ns: int, subscribed: Sequence[str]) -> bool:
        """Ask the scanners that are due at this mark; whether any is. The market is seen up to `mark_ns`."""
        ...

    def answers(self) -> list[ScanAnswer]:
        """The answers to all that was asked, waited for."""
        ...

    def history(self, symbols: Sequence[str], until_ns: int) -> dict[str, list[Bar]]:
        """The session's minutes of these symbols, oldest first, from the rows received before `until_ns`."""
        ...

    def remembered(self, symbols: Sequence[str], until_ns: int) -> dict[str, bytes]:
        """A shard's remembered trades of these symbols at that time, without those that have none."""
        ...
