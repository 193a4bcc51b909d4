"""Whether the desk is healthy, for `/healthz` and the heartbeat: no symbol, order or path is in it."""

import json
import time
from collections.abc import Callable
from typing import Final, NamedTuple

from desk.exporters.status_server import Answer
from desk.report.desk_view import DeskState

STALE_S: Final = 30.0
"""A running desk whose session time has not advanced for longer is unhealthy, as is any desk that stops publishing."""


class Health(NamedTuple):
    """The desk's health at one moment; `why` is empty if it is healthy."""

    state: DeskState
    why: str
    mark_age_s: float | None

    @property
    def ok(self) -> bool:
        """Whether the desk is healthy."""
        return not self.why


class DeskHealth:
    """Judges the health from the last published state. One thread publishes, others read.

    `now_s` returns the seconds of a steady clock.
    """

    def __init__(self, now_s: Callable[[], float] = time.monotonic) -> None:
        self._now_s = now_s
        self._state: DeskState = "starting"
        self._feed_up = True
        self._session_ns: int | None = None
        self._marked_s: float | None = None
        self._published_s = now_s()

    def publish(self, state: DeskState, session_ns: int | None, *, feed_up: bool) -> None:
        """Set the desk's state and the session time reached; None before the first mark."""
        self._published_s = self._now_s()
        self._state, self._feed_up = state, feed_up
        if session_ns != self._session_ns:
            self._session_ns, self._marked_s = session_ns, self._published_s

    def health(self) -> Health:
        """The health now."""
        now_s = self._now_s()
        age_s = None if self._marked_s is None else now_s - self._marked_s
        return Health(self._state, self._why(now_s, age_s), age_s)

    def page(self, accept: str) -> Answer:  # noqa: ARG002 - a page of StatusServer
        """`/healthz`: 200 if healthy, else 503."""
        health = self.health()
        age_s = None if health.mark_age_s is None else round(health.mark_age_s, 3)
        body = {"ok": health.ok, "state": health.state, "mark_age_s": age_s, "why": health.why}
        return Answer(200 if health.ok else 503, "application/json", f"{json.dumps(body)}\n".encode())

    def _why(self, now_s: float, age_s: float | None) -> str:
        if self._state == "starting":
            return "the desk is starting"
        if now_s - self._published_s > STALE_S:
            return "the desk does not respond"
        if self._state == "running" and age_s is not None and age_s > STALE_S:
            return "session time does not advance"
        if self._state == "running" and not self._feed_up:
            return "the feed is down"
        return ""
