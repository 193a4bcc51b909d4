"""How late ticks are read: the lag of a frame.

Tests: tests/desk/feeds/live/test_tick_times.py
"""

from collections.abc import Sequence
from typing import Final

from desk.model.ticks import TIMED, Event

SAMPLE: Final = 512


def median_ns(received_ns: int, ticks: Sequence[Event]) -> int | None:
    """Median of `received_ns` - venue time; of many ticks, over an even sample of at most SAMPLE. None without ticks.

    Corrections and cancels are left out, whose time may be that of the trade that they change, and so are notices.
    """
    if not ticks:
        return None
    step = -(-len(ticks) // SAMPLE)
    times_ns = sorted([tick.ts_ns for tick in ticks[::step] if type(tick) in TIMED])
    count = len(times_ns)
    if not count:
        return None
    return received_ns - (times_ns[(count - 1) // 2] + times_ns[count // 2]) // 2
