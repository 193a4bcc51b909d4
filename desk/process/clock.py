"""Wall time from the operating system: the one implementation of the Clock port outside tests."""

import time
from typing import Final

STEADY: Final = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
"""Passes evenly, while the machine sleeps too, whatever its clock is set to."""

LOOKS: Final = 5


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
    """The machine's time at which its steady clock was 0: by the quickest of some looks at both clocks.

    A process that has to wait between the two looks sees them apart.
    """
    return min(_look() for _ in range(LOOKS))[1]


def _look() -> tuple[int, int]:
    """How long a look at both clocks took, and the difference that it saw."""
    before_ns = time.clock_gettime_ns(STEADY)
    now_ns = time.time_ns()
    after_ns = time.clock_gettime_ns(STEADY)
    return after_ns - before_ns, now_ns - (before_ns + after_ns) // 2
