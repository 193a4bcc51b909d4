"""The spans of time of longer bars: how an exchange day is divided into 5 minutes, 15 minutes, hours and the day."""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from desk.model.hours import TradingDay
from desk.model.timeframes import INTRADAY_NS, Timeframe
from desk.model.units import MINUTE_NS

Ints = NDArray[np.int64]

NO_SPAN: Final = -1
"""The start of the span of a minute that belongs to none."""
FOREVER: Final = 1 << 62


class BarSpan(NamedTuple):
    """The time of one bar, [start_ns, end_ns)."""

    start_ns: int
    end_ns: int


class SessionGrid:
    """Divides one exchange day into the spans of its bars.

    The day has three parts: the extended hours before the open, the regular hours, and the extended hours after the
    close. No bar spans two parts. Within a part the spans follow each other from the part's start, and the last one is
    shorter where the part ends: hours of a day that opens at 09:30 begin at 09:30, 10:30, … 15:30, the last of them
    ends at 16:00, and on a day that closes at 13:00 the last one is 12:30 to 13:00.

    A day is the regular hours: minutes of the extended hours belong to no daily bar. On a calendar that is always open
    the whole day is regular.
    """

    def __init__(self, hours: TradingDay) -> None:
        self._anchors = np.array([hours.start_ns, hours.open_ns, hours.close_ns, hours.end_ns], np.int64)
        self._limits = np.array([hours.open_ns, hours.close_ns, hours.end_ns, FOREVER], np.int64)
        self.day_start_ns = hours.start_ns

    def spans(self, timeframe: Timeframe, minutes: Ints) -> tuple[Ints, Ints]:
        """The start and the end of the span of each minute; both are NO_SPAN for a minute without one."""
        part = np.searchsorted(self._limits[:3], minutes, side="right")
        if timeframe == "1d":
            regular = part == 1
            return np.where(regular, self._anchors[1], NO_SPAN), np.where(regular, self._limits[1], NO_SPAN)
        length_ns = INTRADAY_NS[timeframe]
        starts = minutes - (minutes - self._anchors[part]) % length_ns
        return starts, np.minimum(starts + length_ns, self._limits[part])

    def ending(self, timeframe: Timeframe, after_ns: int, until_ns: int) -> list[BarSpan]:
        """The spans that end in (after_ns, until_ns], oldest first. Both are whole minutes."""
        minutes = np.arange(after_ns, until_ns, MINUTE_NS, dtype=np.int64)
        starts, ends = self.spans(timeframe, minutes)
        last = ends == minutes + MINUTE_NS
        return [BarSpan(start, end) for start, end in zip(starts[last].tolist(), ends[last].tolist(), strict=True)]
