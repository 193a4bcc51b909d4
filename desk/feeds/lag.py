"""How late ticks are read: the lag of a frame, and its excess over what is usual."""

from collections.abc import Sequence
from typing import Final

from desk.model.ticks import REVISIONS, Tick
from desk.model.units import SECOND_NS

SAMPLE: Final = 512
FLOOR_NS: Final = 30 * SECOND_NS


def median_ns(received_ns: int, ticks: Sequence[Tick]) -> int | None:
    """Median of `received_ns` - venue time; of many ticks, over an even sample of at most SAMPLE. None of none.

    Corrections and cancels are left out: their time may be that of the trade that they change.
    """
    if not ticks:
        return None
    step = -(-len(ticks) // SAMPLE)
    times_ns = sorted([tick.ts_ns for tick in ticks[::step] if type(tick) not in REVISIONS])
    count = len(times_ns)
    if not count:
        return None
    return received_ns - (times_ns[(count - 1) // 2] + times_ns[count // 2]) // 2


class ReadAge:
    """Lag above its recent floor: what the reader itself adds, whatever the venue's own delay and clock.

    The floor is the least lag of the last 30 to 60 s: two windows of 30 s, the older one let go.
    """

    def __init__(self) -> None:
        self.age_ns = 0
        self.floor_ns = 0
        self._floors: tuple[int | None, int | None] = (None, None)
        self._window_ns = 0

    def read(self, now_ns: int, lag_ns: int) -> None:
        """Take the lag of one frame in."""
        older, newer = self._floors
        if now_ns - self._window_ns >= FLOOR_NS:
            older, newer = newer, None
            self._window_ns = now_ns
        newer = lag_ns if newer is None else min(newer, lag_ns)
        self._floors = (older, newer)
        self.floor_ns = newer if older is None else min(older, newer)
        self.age_ns = lag_ns - self.floor_ns

    def caught_up(self) -> None:
        """Nothing was left to read."""
        self.age_ns = 0
