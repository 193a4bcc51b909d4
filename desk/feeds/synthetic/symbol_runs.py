"""Runs: arrays sorted by symbol, worked on symbol by symbol without a loop over symbols."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

TIME_BITS = 41
"""Times within a span are offsets below 2^40 ns (18 minutes), symbols take the bits above."""


@dataclass(frozen=True, slots=True)
class SymbolRuns:
    """Consecutive elements of one symbol each: element i lies in run `run[i]`, which begins at `heads[run[i]]`.

    `symbols`, `heads` and `tails` (the last element) have one entry per run, the symbols all different.
    """

    symbols: NDArray[np.int32]
    heads: NDArray[np.intp]
    tails: NDArray[np.intp]
    run: NDArray[np.intp]

    @classmethod
    def of(cls, symbol: NDArray[np.int32]) -> Self:
        """The runs of an array in which equal symbols stand together."""
        first = np.ones(len(symbol), np.bool_)
        np.not_equal(symbol[1:], symbol[:-1], out=first[1:])
        heads = np.flatnonzero(first)
        tails = np.append(heads[1:], len(symbol))[: len(heads)] - 1
        return cls(symbol[heads], heads, tails, np.cumsum(first) - 1)

    def head_of_each(self) -> NDArray[np.intp]:
        """For every element the index at which its run begins."""
        return self.heads[self.run]

    def cumulate(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """The running sum within each run, the element itself included."""
        total = np.cumsum(values)
        before = (total - values)[self.heads]
        return total - before[self.run]

    def running_max(self, values: NDArray[np.int64]) -> NDArray[np.int64]:
        """The running maximum within each run; values lie within ±2^40."""
        shift = self.run << TIME_BITS
        highest: NDArray[np.int64] = np.maximum.accumulate(shift + values)
        return highest - shift

    def strictly_rising(self, values: NDArray[np.int64]) -> NDArray[np.int64]:
        """The least values at or above the given ones that rise by at least 1 within each run."""
        place = np.arange(len(values))
        return self.running_max(values - place) + place
