"""What the producer does with ticks and acks, by whether its feed can wait for the lanes."""

from typing import Protocol

from desk.model.ticks import Tick
from desk.ports import Waits


class Pacing(Protocol):
    """One of two: `LosslessPacing` or `LivePacing`."""

    def put(self, ticks: list[Tick]) -> Waits:
        """Put a frame's ticks into the lanes."""
        ...

    def pump(self) -> Waits:
        """Send what is worth sending, after a frame or a mark."""
        ...

    def between_marks(self, mark_ns: int) -> Waits:
        """Do what only a feed that stands still allows; `mark_ns` is the last mark."""
        ...
