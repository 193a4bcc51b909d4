"""Wall time."""

from typing import Protocol


class Clock(Protocol):
    """Wall time. Session time is never read: it is an argument, carried by marks."""

    def wall_ns(self) -> int:
        """Nanoseconds since the epoch, UTC."""
        ...

    def sleep(self, seconds: float) -> None:
        """Give the processor away for about this long (pacing, backoff)."""
        ...
