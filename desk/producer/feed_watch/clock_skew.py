"""The clock skew of a feed, measured by its fastest ticks."""

from statistics import median
from typing import Final

import msgspec

from desk.model.notes import Note
from desk.model.units import MINUTE_NS, MS_NS, SECOND_NS

WINDOW_SECONDS: Final = 10
MIN_SECONDS: Final = 3
HALF_HOUR_NS: Final = 30 * MINUTE_NS
NEAR_NS: Final = MINUTE_NS


class SkewState(msgspec.Struct, array_like=True):
    """The state of a `SkewMeter`, in ns; `fastest` is None in a second without ticks."""

    recent: list[int] = []
    fastest: int | None = None
    worst: int = 0
    reported: int = 0


class SkewMeter:
    """Computes the skew: the median of received - venue time - `delay_ns` of the fastest tick of recent seconds.

    It is checked once MIN_SECONDS had ticks, or at the end. A skew above `limit_ns` in either direction is reported
    once, and again whenever it has doubled.
    """

    def __init__(self, place: str, limit_ns: int, delay_ns: int = 0, state: SkewState | None = None) -> None:
        self.state = state or SkewState()
        self._place = place
        self._limit_ns = limit_ns
        self._delay_ns = delay_ns

    @property
    def skew_ns(self) -> int:
        """The current skew; 0 before the first tick."""
        recent = self.state.recent
        return round(median(recent)) if recent else 0

    @property
    def is_off(self) -> bool:
        """Whether the current skew is above the limit."""
        return bool(self.state.worst) and abs(self.skew_ns) > self._limit_ns

    @property
    def problem(self) -> str:
        """The message about the largest skew above the limit; "" for none."""
        return self._text(self.state.worst) if self.state.worst else ""

    def take(self, fastest_ns: int) -> None:
        """Add the least received - venue time of some ticks."""
        skew_ns = fastest_ns - self._delay_ns
        state = self.state
        state.fastest = skew_ns if state.fastest is None else min(state.fastest, skew_ns)

    def mark(self, pace: float = 1.0) -> list[Note]:
        """Complete a second. Session time runs `pace` times as fast as wall time."""
        self._complete()
        return self._check(max(1.0, pace)) if len(self.state.recent) >= MIN_SECONDS else []

    def end(self, pace: float = 1.0) -> list[Note]:
        """Check the skew at the end of the feed."""
        self._complete()
        return self._check(max(1.0, pace))

    def _complete(self) -> None:
        state = self.state
        if state.fastest is not None:
            state.recent = [*state.recent[1 - WINDOW_SECONDS :], state.fastest]
            state.fastest = None

    def _check(self, pace: float) -> list[Note]:
        skew_ns, state = self.skew_ns, self.state
        if abs(skew_ns) <= self._limit_ns * pace:
            return []
        if abs(skew_ns) > abs(state.worst):
            state.worst = skew_ns
        if abs(skew_ns) < 2 * state.reported:
            return []
        state.reported = abs(skew_ns)
        return [Note(self._text(skew_ns), "error")]

    def _text(self, skew_ns: int) -> str:
        way, cause = ("behind", "lag or clock") if skew_ns > 0 else ("ahead of", "clock")
        remedy = "Set this machine's clock by NTP, or correct the venue's times."
        if skew_ns > 0:
            remedy = "If the feed is late by design, set [feed] delay_s; else check clocks and connection."
        return (
            f"{self._place}: its times are {abs(skew_ns) / SECOND_NS:,.1f} s {way} the time of reception ({cause}"
            f"{_zone(skew_ns)}); expected at most max_clock_skew_ms = {self._limit_ns / MS_NS:g}. {remedy}"
        )


def _zone(skew_ns: int) -> str:
    """A hint for a skew of whole or half hours, which a wrong time zone causes."""
    halves = round(abs(skew_ns) / HALF_HOUR_NS)
    if not halves or abs(abs(skew_ns) - halves * HALF_HOUR_NS) > NEAR_NS:
        return ""
    return f"; {halves / 2:g} h: local time taken for UTC?"
