"""A limit of requests per minute, as Alpaca's hosts apply it: by fixed windows.

Headers: docs.alpaca.markets, "Usage limit": X-RateLimit-Limit, -Remaining and -Reset (a Unix time).

Tests: tests/desk/local_venue/test_rest_door.py
"""

import time
from collections.abc import Callable
from typing import Final

WINDOW_S: Final = 60.0


class RateWindow:
    """Counts the requests of one key at one host. A window begins with the first request after the one before."""

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit = per_minute
        self._clock = clock
        self._begun_s = -WINDOW_S
        self._used = 0

    def take(self) -> bool:
        """Count a request; False if the window is used up."""
        now_s = self._clock()
        if now_s >= self._begun_s + WINDOW_S:
            self._begun_s, self._used = now_s, 0
        if self._used >= self._limit:
            return False
        self._used += 1
        return True

    def headers(self) -> dict[str, str]:
        """The state of the window."""
        reset_s = time.time() + max(0.0, self._begun_s + WINDOW_S - self._clock())
        return {
            "X-RateLimit-Limit": str(self._limit),
            "X-RateLimit-Remaining": str(self._limit - self._used),
            "X-RateLimit-Reset": str(int(reset_s) + 1),
        }
