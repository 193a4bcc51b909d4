"""The clock skew of a feed: how far its times are off, by its fastest ticks."""

from statistics import median
from typing import Final

import msgspec

from desk.model.notes import Note
from desk.model.units import MINUTE_NS, MS_NS, SECOND_NS

RECENT: Final = 10
LEAST: Final = 3
HALF_HOUR_NS: Final = 30 * MINUTE_NS
NEAR_NS: Final = MINUTE_NS


class SkewState(msgspec.Struct, array_like=True):
    """Everything that a `SkewMeter` knows, in ns; `fastest` is None in a second without ticks."""

    recent: list[int] = []
    fastest: int | None = None
    worst: int = 0
    reported: int = 0


class SkewMeter:
    """Median of received - venue time, less `delay_ns`, over the fastest tick of each recent second with ticks.

    It is judged once LEAST seconds had ticks, or at the end. An offset above `limit_ns` in size is reported once, and
    again whenever its size has doubled.
    """

    def __init__(self, place: str, limit_ns: int, delay_ns: int = 0, state: SkewState | None = None) -> None:
        self.state = state or SkewState()
        self._place = place
        self._limit_ns = limit_ns
        self._delay_ns = delay_ns

    @property
    def skew_ns(self) -> int:
        """The meter's value; 0 while there were no ticks."""
        recent = self.state.recent
        return round(median(recent)) if recent else 0

    @property
    def is_off(self) -> bool:
        """Whether the offset is above the limit by what is known so far."""
        return bool(self.state.worst) and abs(self.skew_ns) > self._limit_ns

    @property
    def problem(self) -> str:
        """The largest offset above the limit, in words; "" for none."""
        return self._text(self.state.worst) if self.state.worst else ""

    def take(self, fastest_ns: int) -> None:
        """The least of received - venue time of some ticks."""
        offset_ns = fastest_ns - self._delay_ns
        state = self.state
        state.fastest = offset_ns if state.fastest is None else min(state.fastest, offset_ns)

    def mark(self, pace: float = 1.0) -> list[Note]:
        """A second is complete. `pace`: session time passes so much faster than the wall time that it is made of."""
        self._complete()
        return self._judge(max(1.0, pace)) if len(self.state.recent) >= LEAST else []

    def end(self, pace: float = 1.0) -> list[Note]:
        """The feed has ended: judge by what there is."""
        self._complete()
        return self._judge(max(1.0, pace))

    def _complete(self) -> None:
        state = self.state
        if state.fastest is not None:
            state.recent = [*state.recent[1 - RECENT :], state.fastest]
            state.fastest = None

    def _judge(self, pace: float) -> list[Note]:
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
            remedy = "If the feed is late by design, set [feed] delay_s; else look at clocks and connection."
        return (
            f"{self._place}: its times are {abs(skew_ns) / SECOND_NS:,.1f} s {way} those of reception ({cause}"
            f"{_zone(skew_ns)}); expected at most max_clock_skew_ms = {self._limit_ns / MS_NS:g}. {remedy}"
        )


def _zone(skew_ns: int) -> str:
    """Name an offset of whole or half hours, which a wrong time zone makes."""
    halves = round(abs(skew_ns) / HALF_HOUR_NS)
    if not halves or abs(abs(skew_ns) - halves * HALF_HOUR_NS) > NEAR_NS:
        return ""
    return f"; {halves / 2:g} h: local time taken for UTC?"
