"""Reports when the age of the data exceeds `max_data_latency_s`, and when it falls below it again."""

from typing import Final

import msgspec

from desk.model.notes import Note
from desk.model.units import SECOND_NS

QUIET_NS: Final = 60 * SECOND_NS


class DataAgeReading(msgspec.Struct, frozen=True):
    """An age and its cause; `hold`: the overload ladder refuses entries, whatever the age."""

    age_ns: int
    cause: str
    hold: bool = False


class DataAgeState(msgspec.Struct, array_like=True):
    """The state of `DataAge`, in session time, ns.

    `since` is when the data became too old, None while they are fresh. `spells` counts the spells of old data, `old` is
    their total length. `logged`: the current spell was logged; `logged_ns` is when a spell was last logged; `unlogged`
    counts the spells since then that were not.
    """

    since: int | None = None
    spells: int = 0
    old: int = 0
    worst: int = 0
    cause: str = ""
    logged: bool = False
    logged_ns: int | None = None
    unlogged: int = 0


class DataAge:
    """Tracks spells of old data from mark to mark.

    The start and the end of a spell are logged as errors. A spell that starts within a minute of a logged one is logged
    only if it lasts until that minute is over; else it is counted.
    """

    def __init__(self, place: str, limit_ns: int, state: DataAgeState | None = None) -> None:
        self.state = state or DataAgeState()
        self._place = place
        self._limit_ns = limit_ns

    @property
    def is_old(self) -> bool:
        """Whether the data are too old for entries."""
        return self.state.since is not None

    def mark(self, mark_ns: int, age: DataAgeReading) -> list[Note]:
        """Record the age at a mark; return what to log."""
        state = self.state
        if age.age_ns <= self._limit_ns and not age.hold:
            return self._fresh(mark_ns, age)
        if state.since is None:
            state.since = mark_ns
            state.spells += 1
            state.logged = False
        if age.age_ns > state.worst or not state.cause:
            state.worst, state.cause = max(age.age_ns, state.worst), age.cause
        if state.logged or (state.logged_ns is not None and mark_ns - state.logged_ns < QUIET_NS):
            return []
        unlogged, state.unlogged = state.unlogged, 0
        state.logged, state.logged_ns = True, mark_ns
        more = f"; {unlogged:,} more such spells in the last minute" if unlogged else ""
        return [
            Note(
                f"{self._place}: the data are {_s(age.age_ns)} old ({age.cause}), above max_data_latency_s = "
                f"{self._limit_ns / SECOND_NS:g}: no entries{more}",
                "error",
            )
        ]

    def warning(self, mark_ns: int) -> str:
        """A summary of the spells of old data; "" for none."""
        state = self.state
        if not state.spells:
            return ""
        old_ns = state.old + (mark_ns - state.since if state.since is not None else 0)
        times = "once" if state.spells == 1 else f"{state.spells:,} times"
        return (
            f"{self._place}: the data were older than max_data_latency_s = {self._limit_ns / SECOND_NS:g} {times}, "
            f"for {_s(old_ns)} in all, at most {_s(state.worst)} ({state.cause}): no entries meanwhile"
        )

    def _fresh(self, mark_ns: int, age: DataAgeReading) -> list[Note]:
        state = self.state
        if state.since is None:
            return []
        lasted_ns, logged = mark_ns - state.since, state.logged
        state.since, state.logged = None, False
        state.old += lasted_ns
        if not logged:
            state.unlogged += 1
            return []
        return [Note(f"{self._place}: the data are fresh again, {_s(age.age_ns)} old, after {_s(lasted_ns)}", "error")]


def _s(ns: int) -> str:
    return f"{ns / SECOND_NS:,.1f} s"
