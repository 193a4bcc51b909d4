"""How many requests a host may get, and which of the waiting ones is sent next.

A host takes `PER_MINUTE` requests a minute until its headers name another limit. Each class of requests has a share of
it, by which the processes of a desk, each with a budget of its own, stay below the limit together. Two answers of the
host stop everything but orders: few requests left in its minute (headers), and a refusal (429).

Tests: tests/desk/venues/test_request_budget.py
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime
from itertools import count
from typing import Final, Literal

RequestClass = Literal["orders", "history", "scans"]

PER_MINUTE: Final = 200
"""Alpaca's limit for an account without another plan ("Usage limit / rate limit", its support page)."""
SHARES: Final[Mapping[RequestClass, float]] = {"orders": 1.0, "history": 0.6, "scans": 0.3}
"""Fractions of the limit by class, most urgent first. History and scans together leave a tenth to orders."""
RESERVE: Final = 0.1
"""The fraction of the limit that only orders may use."""
RANK: Final[Mapping[RequestClass, int]] = {name: rank for rank, name in enumerate(SHARES)}
WINDOW_S: Final = 60.0
REFUSED_S: Final = 5.0
"""The pause after a refusal without a header that says how long."""
MOST_PAUSE_S: Final = 75.0
"""A longer pause in a header is not believed: limits are per minute."""
REFUSED: Final = 429


class BudgetTimeout(Exception):
    """A request could not be sent within its time limit. One line says why."""


class RequestBudget:
    """The requests of this process to one host. Its methods may be called from any thread.

    `limit` is the host's, per minute. `refusals` counts the host's refusals (429). Times are monotonic, in s.
    """

    def __init__(self, place: str, per_minute: int = PER_MINUTE, clock: Callable[[], float] = time.monotonic) -> None:
        self.place = place
        self.limit = per_minute
        self.refusals = 0
        self._clock = clock
        self._sent: dict[RequestClass, deque[float]] = {name: deque() for name in SHARES}
        self._paused_until_s = 0.0
        self._scarce_until_s = 0.0
        self._changed = threading.Condition()
        self._waiting: set[tuple[int, int, RequestClass]] = set()
        self._numbers = count()

    def take(self, kind: RequestClass, until_s: float) -> None:
        """Wait until a request of this class may be sent, and count it. Raises BudgetTimeout where that is too late."""
        with self._changed:
            turn = (RANK[kind], next(self._numbers), kind)
            self._waiting.add(turn)
            try:
                while (wait_s := self._wait_s(kind)) > 0 or self._is_behind(turn):
                    left_s = until_s - self._clock()
                    if left_s <= 0 or wait_s > left_s:
                        raise BudgetTimeout(f"{self.place} takes no request for {max(wait_s, 0):.0f} s: {self._why()}")
                    self._changed.wait(min(wait_s, left_s) if wait_s > 0 else left_s)
                self._sent[kind].append(self._clock())
            finally:
                self._waiting.discard(turn)
                self._changed.notify_all()

    def answered(self, status: int, headers: Mapping[str, str]) -> None:
        """Take over the limits that an answer states: `X-RateLimit-*`, and `Retry-After` of a refusal."""
        with self._changed:
            now_s = self._clock()
            limit = _number(headers, "X-RateLimit-Limit")
            if limit is not None and limit >= 1:
                self.limit = int(limit)
            reset_s = _reset_s(headers)
            remaining = _number(headers, "X-RateLimit-Remaining")
            if remaining is not None and reset_s is not None:
                scarce = remaining <= RESERVE * self.limit
                self._scarce_until_s = now_s + reset_s if scarce else 0.0
            if status == REFUSED:
                self.refusals += 1
                pause_s = _number(headers, "Retry-After")
                pause_s = pause_s if pause_s is not None else reset_s if reset_s is not None else REFUSED_S
                self._paused_until_s = max(self._paused_until_s, now_s + min(max(pause_s, 1.0), MOST_PAUSE_S))
            self._changed.notify_all()

    def _is_behind(self, turn: tuple[int, int, RequestClass]) -> bool:
        """Whether a more urgent or an earlier request waits that may be sent now."""
        return any(other < turn and self._wait_s(other[2]) <= 0 for other in self._waiting)

    def _wait_s(self, kind: RequestClass) -> float:
        """How long a request of this class has to wait from now on, in s; 0 or less: it may be sent."""
        now_s = self._clock()
        for sent in self._sent.values():
            while sent and sent[0] <= now_s - WINDOW_S:
                sent.popleft()
        waits_s = [self._paused_until_s - now_s, self._window_s(self._sent[kind], SHARES[kind], now_s)]
        if kind != "orders":
            together = deque(sorted(at_s for sent in self._sent.values() for at_s in sent))
            waits_s += [self._scarce_until_s - now_s, self._window_s(together, 1.0 - RESERVE, now_s)]
        return max(waits_s)

    def _window_s(self, sent: deque[float], share: float, now_s: float) -> float:
        """When the last minute has room for one more request of this share of the limit, in s from now."""
        most = max(int(share * self.limit), 1)
        return 0.0 if len(sent) < most else sent[len(sent) - most] + WINDOW_S - now_s

    def _why(self) -> str:
        now_s = self._clock()
        if self._paused_until_s > now_s:
            return "it has refused one (429)"
        if self._scarce_until_s > now_s:
            return "few are left in its minute, and they are kept for orders"
        return f"its limit is {self.limit} a minute"


def _number(headers: Mapping[str, str], name: str) -> float | None:
    try:
        found = float(headers[name])
    except (KeyError, ValueError):
        return None
    return found if 0 <= found < float("inf") else None


def _reset_s(headers: Mapping[str, str]) -> float | None:
    """The time until the host's minute ends, in s. The header has seconds since the epoch, by the host's clock."""
    reset = _number(headers, "X-RateLimit-Reset")
    if reset is None:
        return None
    try:
        now = parsedate_to_datetime(headers["Date"]).timestamp()
    except (KeyError, ValueError):
        now = time.time()
    return min(max(reset - now, 0.0), MOST_PAUSE_S)


_budgets: dict[str, RequestBudget] = {}
_budgets_lock = threading.Lock()


def budget_of(host: str) -> RequestBudget:
    """The budget of this process for a host. All clients of the host share it."""
    with _budgets_lock:
        return _budgets.setdefault(host, RequestBudget(host))
