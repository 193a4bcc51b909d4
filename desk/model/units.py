"""Times are int nanoseconds since the epoch, UTC; prices and sizes are floats."""

from typing import Final

MS_NS: Final = 1_000_000
SECOND_NS: Final = 1_000_000_000
MINUTE_NS: Final = 60 * SECOND_NS
DAY_NS: Final = 86_400 * SECOND_NS

FIRST_NS: Final = 631_152_000 * SECOND_NS
END_NS: Final = 4_102_444_800 * SECOND_NS
"""The range of plausible market data, 1990 to 2099; a time in another unit falls far outside."""


def floor_to(time_ns: int, step_ns: int) -> int:
    """The last multiple of `step_ns` at or before `time_ns`."""
    return time_ns - time_ns % step_ns


def ceil_to(time_ns: int, step_ns: int) -> int:
    """The first multiple of `step_ns` at or after `time_ns`."""
    return time_ns + -time_ns % step_ns
