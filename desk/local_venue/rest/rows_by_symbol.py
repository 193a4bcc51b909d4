"""Rows in the order of arrival, appended in chunks and read by symbol.

Tests: tests/desk/local_venue/test_market_store.py
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from desk.local_venue.byte_fields import Ints

Columns = dict[str, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class _Run:
    """Rows sorted by symbol; the rows of symbol i are those from edges[i] to edges[i + 1]."""

    columns: Columns
    symbol: NDArray[np.int32]
    edges: Ints

    def __len__(self) -> int:
        return len(self.symbol)


class RowsBySymbol:
    """Columns of rows. Runs of similar size are merged, so that there are few: their number is logarithmic."""

    def __init__(self, symbols: int) -> None:
        self._symbols = symbols
        self._runs: list[_Run] = []

    def append(self, symbol: NDArray[np.int32], columns: Columns) -> None:
        """Add rows that arrived after all others."""
        if not len(symbol):
            return
        self._runs.append(self._sorted(symbol, columns))
        while len(self._runs) > 1 and len(self._runs[-2]) < 2 * len(self._runs[-1]):
            later, earlier = self._runs.pop(), self._runs.pop()
            joined = {name: np.concatenate((rows, later.columns[name])) for name, rows in earlier.columns.items()}
            self._runs.append(self._sorted(np.concatenate((earlier.symbol, later.symbol)), joined))

    def of(self, symbol: int) -> Columns:
        """The rows of one symbol in the order of arrival; no columns if there are none."""
        parts = [
            {name: rows[run.edges[symbol] : run.edges[symbol + 1]] for name, rows in run.columns.items()}
            for run in self._runs
            if run.edges[symbol] < run.edges[symbol + 1]
        ]
        if len(parts) < 2:
            return parts[0] if parts else {}
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def _sorted(self, symbol: NDArray[np.int32], columns: Columns) -> _Run:
        order = np.argsort(symbol, kind="stable")
        counts = np.bincount(symbol, minlength=self._symbols)
        edges = np.concatenate((np.zeros(1, np.int64), np.cumsum(counts)))
        return _Run({name: rows[order] for name, rows in columns.items()}, symbol[order], edges)
