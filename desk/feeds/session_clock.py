"""Session time of a live feed: real time, or that of a venue that plays a recorded day."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Final, Protocol
from urllib.parse import urlsplit, urlunsplit

import msgspec
from msgspec import Meta

from desk.feeds.http_get import http_get
from desk.model.errors import RunFailed
from desk.model.plain_text import from_outside
from desk.model.units import MS_NS, SECOND_NS
from desk.ports import Clock

ASK_NS: Final = SECOND_NS
ASK_STANDING_NS: Final = 100 * MS_NS
PLAYING: Final = "playing"
ENDED: Final = "ended"


class SessionClock(Protocol):
    """Session time as a function of wall time. `passes_alone`: whether or not anything is connected.

    `farewell_ns`: how long after its connection has ended a venue may take to say that it has ended its play.
    """

    ended: bool
    passes_alone: bool
    farewell_ns: int

    @property
    def factor(self) -> float:
        """By how much session time passes faster than wall time."""
        ...

    def session_ns(self, wall_ns: int) -> int:
        """The session time at a wall time."""
        ...

    def wait_ns(self, wall_ns: int, session_ns: int) -> int:
        """How much wall time passes from a wall time until a session time; 0 when it is past."""
        ...

    def due(self, wall_ns: int) -> bool:
        """Whether the clock wants to be asked anew."""
        ...

    def hurry(self) -> None:
        """Want to be asked at the next opportunity."""
        ...

    async def ask(self) -> None:
        """Ask whoever knows. Raises RunFailed when there is no answer and never was one."""
        ...


class RealSession:
    """Session time is wall time."""

    ended = False
    passes_alone = True
    farewell_ns = 0
    factor = 1.0

    def session_ns(self, wall_ns: int) -> int:
        """The wall time."""
        return wall_ns

    def wait_ns(self, wall_ns: int, session_ns: int) -> int:
        """The difference."""
        return max(0, session_ns - wall_ns)

    def due(self, wall_ns: int) -> bool:  # noqa: ARG002  the port's
        """Never."""
        return False

    def hurry(self) -> None:
        """Nothing to ask."""

    async def ask(self) -> None:
        """Nothing to ask."""


class Reading(msgspec.Struct, frozen=True):
    """A venue's answer: its session time at a wall time, the factor at which it passes while playing, its state.

    A venue that knows where its session time will end says so in `end_ns`: no more is then read into it.
    """

    session_ns: int
    wall_ns: int
    speed: Annotated[float, Meta(ge=0, le=1e6)] | None = None
    state: str = ""
    end_ns: int | None = None

    @property
    def factor(self) -> float:
        """By how much session time passes faster than wall time; 0 while only the venue knows where it is."""
        return self.speed or 0.0 if self.state == PLAYING else 0.0


class VenueSession:
    """The session time of a venue that serves its clock as JSON at `url`, carried on between the answers.

    Asked again every second of session or wall time, whichever is shorter, but not within 0.1 s, which is the
    period while its time does not pass by itself; and when told to. Failures after the first answer are lived
    with: the last one is carried on. `ended`: the venue has no more to play.
    """

    passes_alone = False
    farewell_ns = SECOND_NS

    def __init__(self, url: str, clock: Clock, get: Callable[[str], Awaitable[bytes]] = http_get) -> None:
        self.ended = False
        self.failures = 0
        self._url = url
        self._clock = clock
        self._get = get
        self._reading: Reading | None = None
        self._asked_ns = 0
        self._asking = False

    @property
    def reading(self) -> Reading:
        """The last answer."""
        assert self._reading is not None, "read before the first answer"
        return self._reading

    @property
    def factor(self) -> float:
        """By how much session time passes faster than wall time, by the last answer; 0 while it does not by itself."""
        return self.reading.factor

    def session_ns(self, wall_ns: int) -> int:
        """The session time at a wall time, by the last answer."""
        reading = self.reading
        session_ns = reading.session_ns + int((wall_ns - reading.wall_ns) * reading.factor)
        return session_ns if reading.end_ns is None else min(session_ns, reading.end_ns)

    def wait_ns(self, wall_ns: int, session_ns: int) -> int:
        """The wall time until then; at most until the next answer, which may change it."""
        ahead_ns = session_ns - self.session_ns(wall_ns)
        factor = self.reading.factor
        return min(max(0, int(ahead_ns / factor)), ASK_NS) if factor else ASK_STANDING_NS

    def due(self, wall_ns: int) -> bool:
        """Whether it is time to ask again."""
        factor = self.reading.factor
        period_ns = max(ASK_STANDING_NS, int(ASK_NS / max(1.0, factor))) if factor else ASK_STANDING_NS
        return not self._asking and not self.ended and wall_ns - self._asked_ns >= period_ns

    def hurry(self) -> None:
        """Ask at the next opportunity."""
        self._asked_ns = 0

    async def ask(self) -> None:
        """Ask the venue once."""
        self._asking = True
        self._asked_ns = self._clock.wall_ns()
        try:
            self._reading = msgspec.json.decode(await self._get(self._url), type=Reading)
            self.ended = self._reading.state == ENDED
        except (OSError, ValueError, msgspec.MsgspecError) as error:  # ValueError: a name that cannot be encoded
            self.failures += 1
            if self._reading is None:
                raise RunFailed(
                    f"venue clock {self._url}",
                    from_outside(str(error)) or type(error).__name__,
                    "a JSON object with session_ns, wall_ns, speed and state",
                    'Start the venue first, or set clock = "real".',
                ) from error
        finally:
            self._asking = False


def clock_url(stream_url: str) -> str:
    """Where a venue with this stream serves its clock: the same host, /clock."""
    parts = urlsplit(stream_url)
    return urlunsplit(("https" if parts.scheme == "wss" else "http", parts.netloc, "/clock", "", ""))
