"""How long strategies' calls take: a histogram for each strategy and hook.

In the guard's loops a call's time is only appended to a list. The lists are counted later, many calls at once.
"""

from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Final

import numpy as np
from numpy.typing import NDArray

from desk.strategy import HOOKS
from desk.telemetry.histogram import Histogram, HistogramSnapshot

MAX_PENDING: Final = 4_096
"""The most times in one list that `trim` leaves uncounted."""

Recorders = tuple[Callable[[int], None], ...]
"""Record one call's duration in ns, by the hook's code (its place in HOOKS)."""


class CallTimes:
    """The durations of all calls of a shard's strategies since the process began."""

    def __init__(self) -> None:
        self._pending: dict[tuple[str, str], list[int]] = {}
        self._histograms: dict[tuple[str, str], Histogram] = {}
        self._rows: list[int] = []
        self._row: Sequence[str] = ()
        self._calls_in_a_row: list[tuple[str, int]] = []

    def recorders(self, strategy: str) -> Recorders:
        """The functions that record the calls of a strategy's instances."""
        return tuple(self._pending.setdefault((strategy, hook), []).append for hook in HOOKS)

    def second(self, strategies: Sequence[str]) -> Callable[[int], None]:
        """The function that records the times of one second's `on_second` calls, one call for each of `strategies`.

        It takes the time of the first call's begin, then the time of each call's end. The same `strategies` object
        means the same calls as in the second before.
        """
        if strategies is not self._row:
            self._count_rows()
            self._row = strategies
            self._calls_in_a_row = [(strategy, len(list(calls))) for strategy, calls in groupby(strategies)]
        return self._rows.append

    def trim(self) -> None:
        """Count the lists that have become long; to be called once for each batch."""
        if len(self._rows) > MAX_PENDING:
            self._count_rows()
        for key, durations_ns in self._pending.items():
            if len(durations_ns) > MAX_PENDING:
                self._count_pending(key, durations_ns)

    def snapshots(self) -> dict[str, dict[str, HistogramSnapshot]]:
        """The histograms by strategy and hook, of hooks that were called."""
        self._count_rows()
        for key, durations_ns in self._pending.items():
            self._count_pending(key, durations_ns)
        found: dict[str, dict[str, HistogramSnapshot]] = {}
        for (strategy, hook), histogram in self._histograms.items():
            found.setdefault(strategy, {})[hook] = histogram.snapshot()
        return found

    def _count_rows(self) -> None:
        """Count `on_second` calls: each row holds a begin and the ends of its calls."""
        width = len(self._row) + 1
        rows = np.fromiter(self._rows, np.int64, len(self._rows) // width * width).reshape(-1, width)
        self._rows.clear()
        if not rows.size:
            return
        durations_ns = np.diff(rows, axis=1)
        first = 0
        for strategy, calls in self._calls_in_a_row:
            self._add((strategy, "on_second"), durations_ns[:, first : first + calls].ravel())
            first += calls

    def _count_pending(self, key: tuple[str, str], durations_ns: list[int]) -> None:
        if durations_ns:
            self._add(key, np.fromiter(durations_ns, np.int64, len(durations_ns)))
            durations_ns.clear()

    def _add(self, key: tuple[str, str], durations_ns: NDArray[np.int64]) -> None:
        self._histograms.setdefault(key, Histogram()).add(durations_ns)
