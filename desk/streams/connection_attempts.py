"""The time of the next attempt to connect: exponential backoff under a hard limit of attempts."""

from collections import deque
from random import Random
from typing import Final

from desk.model.units import SECOND_NS
from desk.streams.backoff import Backoff

DELIVERY_NS: Final = 30 * SECOND_NS
AT_ONCE_NS: Final = 30 * SECOND_NS
FULL_NS: Final = 2 * SECOND_NS
LONGEST_FULL_NS: Final = 16 * SECOND_NS
"""After a refusal for too many connections the wait is drawn from the upper half of 2, 4, 8, 16, 16, … s: a venue
closes a half-open connection of a desk that died after about 90 s, within which it sees 14 attempts at most."""
CONNECT_NS: Final = 10 * SECOND_NS
LIMITS: Final = ((8, 15 * SECOND_NS + CONNECT_NS), (12, 60 * SECOND_NS + CONNECT_NS))
"""The maximum numbers of attempts within these times. An attempt may take CONNECT_NS. The times are longer by that, so
that a venue sees at most 8 connections in any 15 s and 12 in any minute, however it delays or ends them."""


class ConnectionAttempts:
    """The times of attempts to connect. Waits grow until a connection has delivered ticks for DELIVERY_NS.

    An acknowledgement or a first tick does not reset the backoff: a venue that closes right after it would be connected
    to for ever.
    """

    def __init__(self, rng: Random) -> None:
        self._backoff = Backoff(rng)
        self._began_ns: deque[int] = deque(maxlen=max(count for count, _ in LIMITS))
        self._due_ns = 0
        self._longest_ns = 0
        self._at_once_ns: int | None = None
        self._full = 0
        self._rng = rng
        self._delivering_ns: int | None = None

    def is_due(self, now_ns: int) -> bool:
        """Whether another attempt may begin now. A clock that was set back delays it by no more than the wait."""
        self._due_ns = min(self._due_ns, now_ns + self._longest_ns)
        return now_ns >= self._due_ns

    def begin(self, now_ns: int) -> None:
        """Record the start of an attempt."""
        self._began_ns.append(now_ns)
        self._delivering_ns = None

    def delivered(self, now_ns: int) -> None:
        """Record that the connection has delivered ticks."""
        if self._delivering_ns is None:
            self._delivering_ns = now_ns
        elif now_ns - self._delivering_ns >= DELIVERY_NS:
            self._backoff.succeeded()

    def ended(self, now_ns: int, *, at_once: bool = False, is_full: bool = False) -> None:
        """Record the end of the attempt or of its connection.

        `at_once`: no wait, at most once in AT_ONCE_NS. `is_full`: the venue refused it because others are open.
        """
        self._full = self._full + 1 if is_full else 0
        wait_ns = self._full_wait_ns() if is_full else self._backoff.next_ns()
        if at_once and (self._at_once_ns is None or not 0 <= now_ns - self._at_once_ns < AT_ONCE_NS):
            self._at_once_ns = now_ns
            wait_ns = 0
        self._due_ns = max(now_ns + wait_ns, self._allowed_ns(now_ns))
        self._longest_ns = self._due_ns - now_ns

    def _full_wait_ns(self) -> int:
        ceiling_ns = min(LONGEST_FULL_NS, FULL_NS << min(self._full - 1, 16))
        return int((1 + self._rng.random()) * ceiling_ns / 2)

    def _allowed_ns(self, now_ns: int) -> int:
        """The first time at which an attempt keeps every limit; times that the clock has not reached do not count."""
        began_ns = [time_ns for time_ns in self._began_ns if time_ns <= now_ns]
        return max((began_ns[-count] + span_ns for count, span_ns in LIMITS if len(began_ns) >= count), default=0)
