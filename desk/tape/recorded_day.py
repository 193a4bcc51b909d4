"""One day of a recording.

Tests: tests/desk/tape/test_row_counts.py
"""

from collections.abc import Iterator
from typing import Protocol, runtime_checkable

import numpy as np

from desk.model.blocks import Block
from desk.tape.row_counts import MinuteCounts


@runtime_checkable
class RecordedSource(Protocol):
    """A block source that can be read by time received."""

    place: str
    symbols: tuple[str, ...]
    start_ns: int
    end_ns: int
    tally: MinuteCounts

    def blocks(self, from_ns: int | None = None, until_ns: int | None = None) -> Iterator[Block]:
        """The rows in arrival order; it may omit those before `from_ns` and from `until_ns` on."""
        ...

    def symbols_between(self, from_ns: int, until_ns: int) -> tuple[str, ...]:
        """The symbols of that period, sorted; also those of rows that are read together with it."""
        ...


class DaySource:
    """The rows of a recording received from `from_ns` on and before `until_ns`, which are whole minutes.

    A block source like a recording of these rows alone, except that ordinals are the whole recording's. At least one
    row lies in between.
    """

    def __init__(self, source: RecordedSource, from_ns: int, until_ns: int) -> None:
        rows = source.tally.between(from_ns, until_ns)
        self.place = source.place
        self.symbols = source.symbols_between(from_ns, until_ns)
        self.start_ns = rows.start_ns
        self.end_ns = rows.end_ns
        self._source = source
        self._from_ns = from_ns
        self._until_ns = until_ns

    def blocks(self) -> Iterator[Block]:
        """The rows in arrival order; every call starts from the beginning."""
        for block in self._source.blocks(self._from_ns, self._until_ns):
            first, stop = np.searchsorted(block.recv_ns, (self._from_ns, self._until_ns)).tolist()
            if first < stop:
                yield block.part(first, stop)
            if stop < len(block):
                return
