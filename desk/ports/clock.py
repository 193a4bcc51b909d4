"""Wall time."""

from collections.abc import Sequence
from typing import Protocol


class Clock(Protocol):
    """Wall time. Session time is never read: it is an argument, carried by marks."""

    def wall_ns(self) -> int:
        """Nanoseconds since the epoch, UTC."""
        ...

    def wait(self, until_ns: int, descriptors: Sequence[int] = ()) -> None:
        """Wait until this wall time or until a descriptor is readable; it may return earlier, so callers loop."""
        ...
