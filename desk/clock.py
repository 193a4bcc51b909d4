"""Wall time from the operating system: the one implementation of the Clock port outside tests."""

import time
from typing import Final

STEADY: Final = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
"""Passes evenly, while the machine sleeps too, whatever its clock is set to."""


class SystemClock:
    """Real time since the epoch as it was when this was made, and the time that has passed since.

    So a step of the machine's clock (NTP, by hand) makes nothing look old: it shows in `step_ns` alone.
    """

    def __init__(self) -> None:
        self._epoch_ns = _epoch_ns()

    def wall_ns(self) -> int:
        """Nanoseconds since the epoch, UTC."""
        return self._epoch_ns + time.clock_gettime_ns(STEADY)

    def step_ns(self) -> int:
        """By how much the machine's clock was set since this was made; forward is positive."""
        return _epoch_ns() - self._epoch_ns

    def sleep(self, seconds: float) -> None:
        """Sleep for about this long."""
        if seconds > 0:
            time.sleep(seconds)


def _epoch_ns() -> int:
    """The machine's time at which its steady clock was 0."""
    before_ns = time.clock_gettime_ns(STEADY)
    now_ns = time.time_ns()
    return now_ns - (before_ns + time.clock_gettime_ns(STEADY)) // 2
