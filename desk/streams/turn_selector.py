"""The selector of an event loop that runs in turns and never waits in one.

Tests: tests/desk/streams/test_socket_loop.py
"""

from asyncio import AbstractEventLoop
from collections.abc import Callable
from selectors import DefaultSelector, SelectorKey


class TurnSelector(DefaultSelector):
    """Ends a turn when the loop would wait; after a read it takes no more input and runs only callbacks that are ready.

    Its descriptor is readable while there is something to read, so that others can wait for the loop. Outside a turn
    it waits like any selector.
    """

    def __init__(self) -> None:
        super().__init__()
        self._has_read = False
        self._stop: Callable[[], None] | None = None

    def run_turn(self, loop: AbstractEventLoop) -> None:
        """Run the loop of this selector for one turn."""
        self._has_read, self._stop = False, loop.stop
        try:
            loop.run_forever()
        finally:
            self._stop = None

    def end_input(self) -> None:
        """Take no more input in this turn."""
        self._has_read = True

    def select(self, timeout: float | None = None) -> list[tuple[SelectorKey, int]]:
        """The descriptors that are ready; in a turn without waiting. A timeout of 0 means that callbacks are ready."""
        if self._stop is None:
            return super().select(timeout)
        events = [] if self._has_read else super().select(0)
        if not events and (timeout is None or timeout > 0):
            self._stop()
        return events
