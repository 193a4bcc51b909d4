"""Checked answers of a venue's clock, and the times without a valid answer.

Tests: tests/desk/feeds/live/test_venue_clock_faults.py
"""

from typing import Annotated, Final

import msgspec
from msgspec import Meta

from desk.model.errors import RunFailed
from desk.model.notes import Level, Note
from desk.model.units import DAY_NS, END_NS, FIRST_NS, SECOND_NS

PLAYING: Final = "playing"
ENDED: Final = "ended"
JUMP_NS: Final = 60 * SECOND_NS
FAR_NS: Final = DAY_NS
DATED_NS: Final = SECOND_NS
SILENT_NS: Final = 5 * SECOND_NS
LOST_NS: Final = 120 * SECOND_NS
Time = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]


class ClockReading(msgspec.Struct, frozen=True):
    """A venue's answer: its session time at a wall time, the factor at which it passes while playing, its state.

    `end_ns` is the end of its session time, if the venue knows it: session time does not pass it.
    """

    session_ns: Time
    wall_ns: Time
    speed: Annotated[float, Meta(ge=0, le=1e6)] | None = None
    state: Annotated[str, Meta(max_length=32)] = ""
    end_ns: Time | None = None

    @property
    def factor(self) -> float:
        """Seconds of session time per second of wall time; 0 while session time does not pass by itself."""
        return self.speed or 0.0 if self.state == PLAYING else 0.0

    @property
    def is_ended(self) -> bool:
        """Whether the venue has ended its play."""
        return self.state == ENDED

    def at(self, wall_ns: int) -> int:
        """The session time at a wall time."""
        session_ns = self.session_ns + int((wall_ns - self.wall_ns) * self.factor)
        return session_ns if self.end_ns is None else min(session_ns, self.end_ns)

    def refuses(self, other: "ClockReading", wall_ns: int) -> str:
        """Why another answer is refused after this one: session time jumps; "" if it is accepted.

        While session time does not pass by itself, it may advance by up to a day.
        """
        jump_ns = other.at(wall_ns) - self.at(wall_ns)
        limit_ns = JUMP_NS * max(1.0, self.factor, other.factor)
        if jump_ns > limit_ns and (self.factor or jump_ns > FAR_NS):
            return f"its session time jumps ahead by {jump_ns / SECOND_NS:,.1f} s"
        return f"its session time jumps back by {-jump_ns / SECOND_NS:,.1f} s" if jump_ns < -limit_ns else ""

    def is_far(self, other: "ClockReading", wall_ns: int) -> bool:
        """Whether the other answer is of another day: such an answer is never accepted."""
        return abs(other.at(wall_ns) - self.at(wall_ns)) > FAR_NS


_decode = msgspec.json.Decoder(ClockReading).decode


def check_answer(answer: bytes, asked_ns: int, now_ns: int) -> ClockReading:
    """Decode an answer. If its wall time is not that of the request, its arrival counts instead.

    Raises ValueError for answers that cannot be decoded, and for times before 1990 or after 2099.
    """
    try:
        reading = _decode(answer)
    except msgspec.MsgspecError as error:
        raise ValueError(str(error)) from error
    except RecursionError as error:
        raise ValueError("the answer is nested too deeply") from error
    for name, time_ns in (("session_ns", reading.session_ns), ("end_ns", reading.end_ns)):
        if time_ns is not None and not FIRST_NS <= time_ns < END_NS:
            raise ValueError(f"{name} is {time_ns}; expected ns since 1970, UTC, from 1990 to 2099")
    if not asked_ns - DATED_NS <= reading.wall_ns <= now_ns + DATED_NS:
        reading = msgspec.structs.replace(reading, wall_ns=now_ns)
    return reading


class ClockSilence:
    """Measures the time without a valid answer of a venue's clock; reports it after SILENT_NS, and at each doubling.

    `why` is the cause once it is reported, else ""; `count` counts the silences that were reported. `from_ns` is the
    session time of the last answer while a silence is reported, else None.
    """

    def __init__(self, place: str) -> None:
        self.why = ""
        self.count = 0
        self.from_ns: int | None = None
        self._place = place
        self._answered_ns: int | None = None
        self._session_ns = 0
        self._failure = ""
        self._due_ns = SILENT_NS
        self._notes: list[Note] = []

    def answered(self, wall_ns: int, session_ns: int) -> None:
        """Record a valid answer."""
        if self.why and self._answered_ns is not None:
            self.note(f"answers again after {(wall_ns - self._answered_ns) / SECOND_NS:,.0f} s")
        self._answered_ns, self._session_ns, self.from_ns = wall_ns, session_ns, None
        self._failure = self.why = ""
        self._due_ns = SILENT_NS

    def failed(self, why: str) -> None:
        """Record a request that failed, or an invalid answer."""
        self._failure = why

    def look(self, wall_ns: int, *, stands: bool) -> None:
        """Report a silence when due. `stands`: session time waits for an answer; then raise RunFailed after LOST_NS."""
        if self._answered_ns is None:
            return
        silent_ns = wall_ns - self._answered_ns
        if not self._failure or silent_ns < SILENT_NS:
            return
        if stands and silent_ns >= LOST_NS:
            raise RunFailed(
                self._place,
                f"no answer of use for {silent_ns / SECOND_NS:,.0f} s: {self._failure}",
                "the session time, which only the venue knows",
                'Look at the venue, or set clock = "real".',
            )
        self.count += not self.why
        self.why, self.from_ns = self._failure, self._session_ns
        if silent_ns >= self._due_ns:
            self._due_ns = max(2 * self._due_ns, silent_ns)
            how = "session time stands" if stands else "its last one is carried on"
            self.note(f"no answer of use for {silent_ns / SECOND_NS:,.0f} s ({self._failure}): {how}", "error")

    def note(self, text: str, level: Level = "warning") -> None:
        """Add a line for the log."""
        self._notes.append(Note(f"{self._place}: {text}", level))

    def take_notes(self) -> list[Note]:
        """New lines for the log since the last call."""
        notes, self._notes = self._notes, []
        return notes
