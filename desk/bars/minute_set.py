"""A set of minutes that is small for an outage of hours."""

from bisect import bisect_right
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from desk.model.units import MINUTE_NS


class MinuteSet:
    """A set of minutes, each by its start. Minutes that follow each other are kept as one range.

    `bounds` are the start and the end of each range, ascending; they restore the set.
    """

    __slots__ = ("bounds",)

    def __init__(self, bounds: Iterable[int] = ()) -> None:
        self.bounds = list(bounds)

    def __bool__(self) -> bool:
        return bool(self.bounds)

    def __contains__(self, minute_ns: int) -> bool:
        return bisect_right(self.bounds, minute_ns) % 2 == 1

    def add(self, minute_ns: int) -> None:
        """Add a minute; one that is in the set changes nothing."""
        bounds, end_ns = self.bounds, minute_ns + MINUTE_NS
        index = bisect_right(bounds, minute_ns)
        if index % 2:
            return
        joins_left = index > 0 and bounds[index - 1] == minute_ns
        joins_right = index < len(bounds) and bounds[index] == end_ns
        inner = [*([] if joins_left else [minute_ns]), *([] if joins_right else [end_ns])]
        bounds[index - joins_left : index + joins_right] = inner

    def discard(self, minute_ns: int) -> None:
        """Remove a minute; one that is not in the set changes nothing."""
        bounds, end_ns = self.bounds, minute_ns + MINUTE_NS
        index = bisect_right(bounds, minute_ns)
        if not index % 2:
            return
        before = [bounds[index - 1], minute_ns] if bounds[index - 1] < minute_ns else []
        after = [end_ns, bounds[index]] if end_ns < bounds[index] else []
        bounds[index - 1 : index + 1] = [*before, *after]

    def clear(self) -> None:
        """Remove all minutes."""
        self.bounds.clear()

    def minutes(self) -> NDArray[np.int64]:
        """All minutes, ascending."""
        ranges = [
            np.arange(start, end, MINUTE_NS, dtype=np.int64)
            for start, end in zip(self.bounds[::2], self.bounds[1::2], strict=True)
        ]
        return np.concatenate(ranges) if ranges else np.empty(0, np.int64)
