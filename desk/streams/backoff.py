"""The wait before a retry: exponential backoff with full jitter.

Tests: tests/desk/streams/test_socket_loop.py
"""

from random import Random
from typing import Final

from desk.model.units import SECOND_NS

FIRST_NS: Final = SECOND_NS
LONGEST_NS: Final = 60 * SECOND_NS
MAX_DOUBLINGS: Final = 16


class Backoff:
    """Waits drawn evenly from 0 to a ceiling that doubles from 1 s to 60 s, and starts over after a success.

    Source: "Exponential Backoff And Jitter", AWS Architecture Blog, 2015 ("full jitter").
    """

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._failures = 0

    def next_ns(self) -> int:
        """The wait after one more failure."""
        ceiling_ns = min(LONGEST_NS, FIRST_NS << min(self._failures, MAX_DOUBLINGS))
        self._failures += 1
        return int(self._rng.random() * ceiling_ns)

    def succeeded(self) -> None:
        """Start over."""
        self._failures = 0
