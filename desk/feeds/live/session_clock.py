"""Session time of a live feed: real time, or that of a venue that plays a recorded day."""

from collections.abc import Awaitable, Callable
from typing import Final, Protocol, runtime_checkable
from urllib.parse import urlsplit, urlunsplit

from desk.feeds.live.clock_answers import ClockReading, ClockSilence, check_answer
from desk.model.errors import RunFailed
from desk.model.notes import Note
from desk.model.plain_text import from_outside
from desk.model.units import MS_NS, SECOND_NS
from desk.ports import Clock
from desk.streams.http_get import http_get

ASK_NS: Final = SECOND_NS
ASK_STANDING_NS: Final = 100 * MS_NS
LOOK_NS: Final = SECOND_NS
LEAST_STEP_NS: Final = 100 * MS_NS


@runtime_checkable
class SteadyClock(Clock, Protocol):
    """A clock that ignores steps of the machine's clock, and measures them."""

    def step_ns(self) -> int:
        """The step of the machine's clock since construction, in ns."""
        ...


class SessionClock(Protocol):
    """Session time as a function of wall time. `passes_alone`: it passes whether or not a client is connected.

    `farewell_ns`: the time after the end of a connection in which a venue may report that it has ended its play.
    """

    ended: bool
    passes_alone: bool
    farewell_ns: int

    @property
    def silence(self) -> ClockSilence:
        """The time without a valid answer."""
        ...

    @property
    def factor(self) -> float:
        """Seconds of session time per second of wall time."""
        ...

    def session_ns(self, wall_ns: int) -> int:
        """The session time at a wall time."""
        ...

    def wait_ns(self, wall_ns: int, session_ns: int) -> int:
        """The wall time from a wall time until a session time; 0 when it is past."""
        ...

    def due(self, wall_ns: int) -> bool:
        """Whether the next request of the clock is due."""
        ...

    def hurry(self) -> None:
        """Make the next request due at once."""
        ...

    async def ask(self) -> None:
        """Request the session time. Raises RunFailed if there is no answer and never was one."""
        ...

    def look(self, wall_ns: int) -> int:
        """Return the step of this machine's clock since the last call, and follow it; report silences.

        Raises RunFailed if session time does not pass by itself and the venue does not answer.
        """
        ...

    def take_notes(self) -> list[Note]:
        """New lines for the log since the last call."""
        ...


class RealSession:
    """Session time is this machine's: where its clock is set, session time is set too."""

    ended = False
    passes_alone = True
    farewell_ns = 0
    factor = 1.0

    def __init__(self, clock: Clock | None = None, place: str = "the feed") -> None:
        self.silence = ClockSilence("")
        self._clock = clock if isinstance(clock, SteadyClock) else None
        self._place = place
        self._step_ns = 0
        self._looked_ns = 0
        self._notes: list[Note] = []

    def session_ns(self, wall_ns: int) -> int:
        """The wall time plus the steps of the machine's clock."""
        return wall_ns + self._step_ns

    def wait_ns(self, wall_ns: int, session_ns: int) -> int:
        """The difference."""
        return max(0, session_ns - self.session_ns(wall_ns))

    def due(self, wall_ns: int) -> bool:  # noqa: ARG002  the port's
        """Never."""
        return False

    def hurry(self) -> None:
        """Do nothing."""

    async def ask(self) -> None:
        """Do nothing."""

    def look(self, wall_ns: int) -> int:
        """Follow a step of this machine's clock, and return it: it is no lag."""
        if self._clock is None or wall_ns - self._looked_ns < LOOK_NS:
            return 0
        self._looked_ns = wall_ns
        step_ns = self._clock.step_ns() - self._step_ns
        if abs(step_ns) < LEAST_STEP_NS:
            return 0
        self._step_ns += step_ns
        way, then = ("forward", "") if step_ns > 0 else ("back", "; marks wait until it has caught up")
        text = f"this machine's clock was set {way} by {abs(step_ns) / SECOND_NS:,.1f} s: session time follows{then}"
        self._notes.append(Note(f"{self._place}: {text}"))
        return step_ns

    def take_notes(self) -> list[Note]:
        """Steps of the clock."""
        notes, self._notes = self._notes, []
        return notes


class VenueSession:
    """The session time of a venue that serves its clock as JSON at `url`, extrapolated between the answers.

    It is requested every second of session or wall time, whichever is shorter, but at most each 0.1 s, which is the
    period while its time does not pass by itself. Answers that cannot be right are refused, see
    `desk.feeds.live.clock_answers`. After a failure the last answer is extrapolated, and a lasting silence is reported.
    `ended`: the venue has ended its play.
    """

    passes_alone = False
    farewell_ns = SECOND_NS

    def __init__(self, url: str, clock: Clock, get: Callable[[str], Awaitable[bytes]] = http_get) -> None:
        self.ended = False
        self.failures = 0
        self._url = url
        self._clock = clock
        self._get = get
        self._reading: ClockReading | None = None
        self._doubted: ClockReading | None = None
        self.silence = ClockSilence(f"venue clock {url}")
        self._asked_ns = 0
        self._asking = False

    @property
    def reading(self) -> ClockReading:
        """The last answer."""
        assert self._reading is not None, "read before the first answer"
        return self._reading

    @property
    def factor(self) -> float:
        """Seconds of session time per second of wall time, by the last answer; 0 while it does not pass by itself."""
        return self.reading.factor

    def session_ns(self, wall_ns: int) -> int:
        """The session time at a wall time, by the last answer."""
        return self.reading.at(wall_ns)

    def wait_ns(self, wall_ns: int, session_ns: int) -> int:
        """The wall time until then; at most until the next answer, which may change it."""
        ahead_ns = session_ns - self.session_ns(wall_ns)
        factor = self.reading.factor
        return min(max(0, int(min(ahead_ns / factor, ASK_NS))), ASK_NS) if factor else ASK_STANDING_NS

    def due(self, wall_ns: int) -> bool:
        """Whether the next request is due."""
        factor = self.reading.factor
        period_ns = max(ASK_STANDING_NS, int(ASK_NS / max(1.0, factor))) if factor else ASK_STANDING_NS
        return not self._asking and not self.ended and not 0 <= wall_ns - self._asked_ns < period_ns

    def hurry(self) -> None:
        """Make the next request due at once."""
        self._asked_ns = 0

    async def ask(self) -> None:
        """Request the venue's clock once."""
        self._asking = True
        self._asked_ns = asked_ns = self._clock.wall_ns()
        try:
            answer = await self._get(self._url)
            now_ns = self._clock.wall_ns()
            self._take(check_answer(answer, asked_ns, now_ns), now_ns)
        except (OSError, ValueError) as error:  # ValueError: a name that cannot be encoded, an answer of no use
            self.failures += 1
            why = from_outside(str(error)) or type(error).__name__
            self.silence.failed(why)
            if self._reading is None:
                raise RunFailed(
                    f"venue clock {self._url}",
                    why,
                    "a JSON object with session_ns, wall_ns, speed and state",
                    'Start the venue first, or set clock = "real".',
                ) from error
        finally:
            self._asking = False

    def look(self, wall_ns: int) -> int:
        """Report a silence; raise RunFailed if session time waits for an answer for too long."""
        self.silence.look(wall_ns, stands=self._reading is not None and not self.factor and not self.ended)
        return 0

    def take_notes(self) -> list[Note]:
        """New lines for the log since the last call."""
        return self.silence.take_notes()

    def _take(self, reading: ClockReading, now_ns: int) -> None:
        """Accept an answer. One that jumps is accepted once another agrees with it; before that, raise ValueError."""
        before, doubted = self._reading, self._doubted
        self._doubted = reading
        if before is not None and (why := before.refuses(reading, now_ns)):
            if before.is_far(reading, now_ns) or doubted is None or doubted.refuses(reading, now_ns):
                raise ValueError(why)
            self.silence.note(f"{why}: followed, since it says so again")
        self._reading, self._doubted = reading, None
        self.ended = reading.is_ended
        self.silence.answered(now_ns, reading.at(now_ns))


def clock_url(stream_url: str) -> str:
    """The address of a venue's clock: /clock at the host of its stream."""
    parts = urlsplit(stream_url)
    return urlunsplit(("https" if parts.scheme == "wss" else "http", parts.netloc, "/clock", "", ""))
