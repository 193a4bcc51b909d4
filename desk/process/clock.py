"""Wall time from the operating system: the one implementation of the Clock port outside tests."""

import select
import time
from collections.abc import Sequence
from typing import Final

from desk.model.units import MS_NS, SECOND_NS, ceil_to

STEADY: Final = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
"""A steady clock: it advances also while the machine sleeps, and ignores changes of the machine's time."""

LOOKS: Final = 5
LONGEST_WAIT_NS: Final = 250 * MS_NS
"""A machine may sleep meanwhile: the timers of the operating system do not advance then, and this clock does."""
SELECT_LIMIT: Final = 1024
"""`select` takes descriptors below this number only."""


class SystemClock:
    """Time since the epoch: the machine's time at construction plus the steady time since then.

    A step of the machine's clock (NTP, by hand) does not change it; only `step_ns` shows the step.
    """

    def __init__(self) -> None:
        self._epoch_ns = _epoch_ns()

    def wall_ns(self) -> int:
        """Nanoseconds since the epoch, UTC."""
        return self._epoch_ns + time.clock_gettime_ns(STEADY)

    def step_ns(self) -> int:
        """The step of the machine's clock since construction, in ns; forward is positive."""
        return _epoch_ns() - self._epoch_ns

    def wait(self, until_ns: int, descriptors: Sequence[int] = ()) -> None:
        """Wait until this wall time or until a descriptor is readable, for LONGEST_WAIT_NS at most."""
        wait_ns = min(until_ns - self.wall_ns(), LONGEST_WAIT_NS)
        if wait_ns <= 0:
            return
        if max(descriptors, default=0) < SELECT_LIMIT:
            select.select(descriptors, (), (), wait_ns / SECOND_NS)
            return
        poll = select.poll()
        for descriptor in descriptors:
            poll.register(descriptor, select.POLLIN)
        poll.poll(ceil_to(wait_ns, MS_NS) // MS_NS)


def _epoch_ns() -> int:
    """The machine's time at 0 of its steady clock, by the fastest of several readings of both clocks.

    A process that is suspended between two readings gets a wrong difference.
    """
    return min(_look() for _ in range(LOOKS))[1]


def _look() -> tuple[int, int]:
    """The duration of one reading of both clocks, and the difference."""
    before_ns = time.clock_gettime_ns(STEADY)
    now_ns = time.time_ns()
    after_ns = time.clock_gettime_ns(STEADY)
    return after_ns - before_ns, now_ns - (before_ns + after_ns) // 2
