"""Python's cyclic garbage collector, moved out of the hot path.

Ticks and batches have no cycles, but the collector visits them, which costs up to a quarter of the rate. So the objects
of the start are frozen, and a collection runs once a session minute.

Tests: tests/actors/test_plain_actors.py
"""

import gc

from desk.model.units import MINUTE_NS


class GarbageCollector:
    """Collects at marks, at most once per minute of session time. One per process."""

    def __init__(self) -> None:
        self._due_ns = 0
        gc.collect()
        gc.freeze()
        gc.disable()

    def on_mark(self, mark_ns: int) -> None:
        """Collect if a session minute has passed since the last collection."""
        if mark_ns >= self._due_ns:
            self._due_ns = mark_ns + MINUTE_NS
            gc.collect()

    def release(self) -> None:
        """Restore Python's automatic collection."""
        gc.enable()
        gc.unfreeze()
