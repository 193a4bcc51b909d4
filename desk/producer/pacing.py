"""How the producer paces reads and sends: one policy for feeds that wait for the lanes, one for the others."""

from typing import Protocol

from desk.model.ticks import Event
from desk.ports import Wait, Waits


class Pacing(Protocol):
    """One of two: `LosslessPacing` or `LivePacing`."""

    def wait(self) -> Wait:
        """The wait before the next read of the feed."""
        ...

    def put(self, ticks: list[Event]) -> Waits:
        """Put a frame's ticks into the lanes."""
        ...

    def pump(self) -> Waits:
        """Send the batches that are worth sending, after a frame or a mark."""
        ...

    def between_marks(self, mark_ns: int) -> Waits:
        """Change shards and slots while no frame is read; `mark_ns` is the last mark."""
        ...
