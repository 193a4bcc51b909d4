"""Times in which a live feed has no subscription: gaps, notes and totals."""

from typing import Final

import msgspec

from desk.model.feed_health import NO_CONNECTION_YET, FeedHealth
from desk.model.notes import Level, Note
from desk.model.units import MINUTE_NS, SECOND_NS, ceil_to

FAREWELL_NS: Final = 5 * SECOND_NS
STILL_DOWN_NS: Final = 30 * SECOND_NS
MAX_REASONS: Final = 5
LATE_NS: Final = 5 * SECOND_NS
RESTARTED: Final = "the producer was restarted"
NEVER_NS: Final = 1 << 62
LATE: Final = "the first subscription was acknowledged after the session's start"


class OutageGap(msgspec.Struct, frozen=True):
    """Session time in which nothing could be received, until the subscription was renewed.

    It begins with the last message, with the last mark of a producer that died, or, before the first subscription, with
    the feed.
    """

    from_ns: int
    to_ns: int
    why: str


class _Outage(msgspec.Struct):
    """An outage: its start in session and wall time, and its cause; `why` is "" until something has failed.

    `can_be_farewell`: it began with the loss of a connection, with which a venue may end its play.
    """

    from_ns: int
    wall_ns: int
    why: str = ""
    can_be_farewell: bool = False
    failures: int = 0
    is_reported: bool = False
    is_closed: bool = False
    reasons: int = 0
    last: str = ""
    still_due_ns: int = STILL_DOWN_NS


class FeedOutages:
    """Follows a feed from outage to outage. Times are arguments: session time for gaps, wall time for waits.

    A loss is reported at once, and opens a gap. If the venue's clock may report within `farewell_ns` that the venue has
    ended its play, the loss is reported after that time, and not at all if it does. An outage that lasts is reported
    again after 30 s, and at each doubling of that. Before `start_ns`, the session's start, and after `end_ns`, its end,
    there are no gaps.

    `back_ns` is the session time of the last acknowledged subscription.
    The first subscription may take `late_ns`; after that its absence is an outage too. A shorter wait is a gap only if
    a minute began in it: the first minute of a session that begins within a minute is partial anyway.
    """

    def __init__(
        self, place: str, farewell_ns: int = 0, start_ns: int = 0, late_ns: int = LATE_NS, end_ns: int = NEVER_NS
    ) -> None:
        self.health = FeedHealth()
        self.gaps: list[OutageGap] = []
        self.back_ns = 0
        self._place = place
        self._farewell_ns = farewell_ns
        self._start_ns = start_ns
        self._end_ns = end_ns
        self._late_ns = late_ns
        self._notes: list[Note] = []
        self._outage: _Outage | None = None

    @property
    def down_from_ns(self) -> int | None:
        """The session time since which the feed is down; None while it is up."""
        return None if self._outage is None else self._outage.from_ns

    @property
    def why(self) -> str:
        """Why the last attempt failed; "" while the feed is up, and before the first failure."""
        return "" if self._outage is None else self._outage.last

    @property
    def first_why(self) -> str:
        """Why the feed went down; "" while it is up, and before the first failure."""
        return "" if self._outage is None else self._outage.why

    def open_gap(self, session_ns: int) -> OutageGap | None:
        """The gap of an outage that was reported and has not ended at this session time; None without one."""
        outage = self._outage
        if outage is None or not outage.is_reported or outage.is_closed or session_ns <= self._start_ns:
            return None
        from_ns = max(outage.from_ns, self._start_ns)
        return OutageGap(from_ns, max(from_ns, min(session_ns, self._end_ns)), outage.why)

    def is_farewell(self, wall_ns: int) -> bool:
        """Of a venue that has ended its play: whether it ended the connection with it."""
        outage = self._outage
        return outage is not None and outage.can_be_farewell and wall_ns - outage.wall_ns < FAREWELL_NS

    def begin(self, session_ns: int, wall_ns: int, why: str = "") -> None:
        """Begin without a subscription; with `why`, in an outage of an earlier producer's feed."""
        self._outage = _Outage(session_ns, wall_ns, why, last=why)

    def lost(self, from_ns: int, wall_ns: int, why: str) -> None:
        """Record the loss of a subscribed connection; the last message came at `from_ns`."""
        self.health.up = False
        self.health.last_failure = why
        self._outage = _Outage(from_ns, wall_ns, why, can_be_farewell=True, last=why)

    def failed(self, wall_ns: int, why: str) -> None:
        """Record an attempt to connect that ended before the subscription was acknowledged."""
        health, outage = self.health, self._outage
        health.failures += 1
        health.last_failure = why
        if outage is None:
            return
        outage.failures += 1
        if outage.is_reported and why != outage.last and outage.reasons < MAX_REASONS:
            outage.reasons += 1
            self._note(f"attempt {outage.failures} to connect failed: {why}")
        outage.why = outage.why or why
        outage.last = why
        self.look(wall_ns)

    def fail(self, from_ns: int, wall_ns: int, why: str) -> None:
        """Record the error that ends the feed. The run reports it, so there is no note of it."""
        self.health.up, self.health.is_failed = False, True
        self.health.last_failure = why
        outage = self._outage = self._outage or _Outage(from_ns, wall_ns, why)
        outage.why, outage.is_reported = outage.why or why, True

    def look(self, wall_ns: int, owed: str = "", *, over: bool = False) -> None:
        """Report an outage when due. `owed` is the answer that the venue owes; `over`: it has ended its play."""
        outage = self._outage
        if outage is None or over:
            return
        down_ns = wall_ns - outage.wall_ns
        if not outage.why:
            if down_ns < self._late_ns:
                return
            outage.why = outage.last = self.health.last_failure = _missing(owed)
        if not outage.is_reported and (down_ns >= self._farewell_ns or not outage.can_be_farewell):
            self._report(outage)
        if down_ns >= outage.still_due_ns:
            outage.still_due_ns = max(2 * outage.still_due_ns, down_ns)
            self._note(
                f"no subscription for {down_ns / SECOND_NS:,.0f} s and {outage.failures:,} failed attempts, "
                f"the last: {outage.last}",
                "error",
            )

    def back(self, session_ns: int, wall_ns: int) -> None:
        """Record that the subscription is acknowledged."""
        health, outage, session_ns = self.health, self._outage, min(session_ns, self._end_ns)
        self.back_ns = session_ns
        if outage is not None:
            if outage.why:
                self._report(outage)
                self._close(outage, session_ns)
                again = "again " if health.subscribed else ""
                self._note(f"subscribed {again}after {(wall_ns - outage.wall_ns) / SECOND_NS:.1f} s")
            elif not health.subscribed:
                self._note("connected and subscribed", "info")
                from_ns = max(outage.from_ns, self._start_ns)
                if ceil_to(from_ns, MINUTE_NS) < session_ns:
                    outage.why = LATE
                    self._close(outage, session_ns)
        self._outage = None
        health.up = health.subscribed = True

    def jumped(self, from_ns: int, to_ns: int, why: str) -> None:
        """Record a jump of session time: a gap, unless there is an outage."""
        self.health.jumps += 1
        if self._outage is None:
            self.gaps.append(OutageGap(max(from_ns, self._start_ns), to_ns, why))
        self._note(f"{why} by {(to_ns - from_ns) / SECOND_NS:,.0f} s: that time is a gap, and has no marks")

    def end(self, session_ns: int, wall_ns: int, owed: str, *, over: bool) -> None:
        """End the feed. It is down at its end if it has an outage, unless the venue ended its play.

        `owed` is the answer that the venue owes: the cause if there is no subscription and nothing has failed.
        """
        outage = self._outage
        if outage is None:
            return
        if over and self.is_farewell(wall_ns):
            self._outage = None
        else:
            is_waiting = not outage.why and session_ns < self._start_ns
            outage.why = outage.why or _missing(owed)
            self.health.last_failure = self.health.last_failure or outage.why
            if not is_waiting:
                self._report(outage, ended=True)
            self._close(outage, session_ns)
        self.health.up = over and self.health.subscribed

    def take_notes(self) -> list[Note]:
        """The notes since the last call."""
        notes, self._notes = self._notes, []
        return notes

    def _report(self, outage: _Outage, *, ended: bool = False) -> None:
        """Report once that the feed is down: as an error if it never was up. `ended`: the feed ends with it."""
        if outage.is_reported:
            return
        outage.is_reported = True
        if self.health.subscribed:
            self._note(f"the feed is down: {outage.why}")
        else:
            why = "" if outage.why == NO_CONNECTION_YET else f": {outage.why}"
            more = "" if ended else "; it is tried again"
            self._note(f"the feed is not connected{why}{more}", "error")

    def _close(self, outage: _Outage, session_ns: int) -> None:
        from_ns = max(outage.from_ns, self._start_ns)
        session_ns = min(session_ns, self._end_ns)
        to_ns = max(from_ns, session_ns)
        outage.is_closed = True
        self.health.outages += 1
        self.health.last_outage = outage.why
        if session_ns >= self._start_ns:
            self.health.down_ns += to_ns - from_ns
            self.gaps.append(OutageGap(from_ns, to_ns, outage.why))

    def _note(self, text: str, level: Level = "warning") -> None:
        self._notes.append(Note(f"{self._place}: {text}", level))


def _missing(owed: str) -> str:
    """Why there is no subscription although nothing has failed."""
    return f"the venue still owed {owed}" if owed else NO_CONNECTION_YET
