"""Row counts of a recording by minute of arrival, to choose a day without reading it again."""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Self

import numpy as np
from numpy.typing import NDArray

from desk.model.ticks import CLASSES
from desk.model.units import MINUTE_NS


@dataclass(frozen=True, slots=True)
class MinuteCounts:
    """Rows by the minute in which they were received, oldest first; minutes without rows are omitted.

    `trades`, `quotes` and `notices` count rows by class, as a feed does; `prints` counts trades with a price and a size
    above 0. `first_ns` and `last_ns` are the received times of the minute's first and last row.
    """

    minute_ns: NDArray[np.int64]
    first_ns: NDArray[np.int64]
    last_ns: NDArray[np.int64]
    trades: NDArray[np.int64]
    quotes: NDArray[np.int64]
    notices: NDArray[np.int64]
    prints: NDArray[np.int64]

    @classmethod
    def of(cls, recv_ns: NDArray[np.int64], classes: NDArray[np.int8], prints: NDArray[np.bool_]) -> Self:
        """The counts of some rows in arrival order; `classes` are indices into CLASSES."""
        minutes = recv_ns // MINUTE_NS
        heads = np.flatnonzero(np.diff(minutes, prepend=-1))
        tails = np.append(heads[1:], len(recv_ns)) - 1
        trades, quotes, notices = (_sums(classes == number, heads) for number in range(len(CLASSES)))
        times = (minutes[heads] * MINUTE_NS, recv_ns[heads], recv_ns[tails])
        return cls(*times, trades, quotes, notices, _sums(prints, heads))

    @classmethod
    def joined(cls, parts: Iterable[Self]) -> Self:
        """The counts of consecutive parts of a recording, at least one."""
        columns = zip(*([getattr(part, field.name) for field in fields(cls)] for part in parts), strict=True)
        minute_ns, first_ns, last_ns, *counts = (np.concatenate(column) for column in columns)
        heads = np.flatnonzero(np.diff(minute_ns, prepend=-1))
        tails = np.append(heads[1:], len(minute_ns)) - 1
        return cls(minute_ns[heads], first_ns[heads], last_ns[tails], *(_sums(column, heads) for column in counts))

    def between(self, from_ns: int, until_ns: int) -> Self:
        """The minutes that begin at `from_ns` or later, and before `until_ns`."""
        first, stop = np.searchsorted(self.minute_ns, (from_ns, until_ns)).tolist()
        return type(self)(*(getattr(self, field.name)[first:stop] for field in fields(self)))

    def __len__(self) -> int:
        return len(self.minute_ns)

    @property
    def start_ns(self) -> int:
        """The time at which the first row was received."""
        return int(self.first_ns[0])

    @property
    def end_ns(self) -> int:
        """The instant after the last row."""
        return int(self.last_ns[-1]) + 1

    def counts(self) -> dict[str, int]:
        """Rows by class."""
        return {kind: int(getattr(self, kind).sum()) for kind in CLASSES}


def _sums(values: NDArray[np.bool_] | NDArray[np.int64], heads: NDArray[np.intp]) -> NDArray[np.int64]:
    if not len(heads):
        return np.empty(0, np.int64)
    sums: NDArray[np.int64] = np.add.reduceat(values.astype(np.int64), heads)
    return sums
