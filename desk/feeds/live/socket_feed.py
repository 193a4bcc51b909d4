"""A live stream as a feed: frames of socket reads, and a mark for every whole second of session time.

Tests: tests/desk/feeds/live/test_live_start.py, tests/desk/venues/alpaca/test_alpaca_feed.py
"""

from collections.abc import Callable, Generator, Iterable, Iterator
from random import Random
from typing import Final

import msgspec

from desk.feeds.live.connection_watch import ConnectionWatch
from desk.feeds.live.freshness import FreshnessTracker
from desk.feeds.live.outages import NEVER_NS, FeedOutages, OutageGap
from desk.feeds.live.read_frames import ReadFrames
from desk.feeds.live.session_clock import SessionClock
from desk.feeds.live.symbol_activity import ActivityMeter
from desk.feeds.live.tick_times import SocketRead, TickTimes
from desk.files.connection_budget import ConnectionBudget
from desk.model.block_rows import BlockFeedCounts
from desk.model.errors import DeskError
from desk.model.feed_health import FeedHealth, Freshness, SymbolActivity
from desk.model.feed_position import FeedPosition
from desk.model.hours import ALWAYS_OPEN, TradingDay
from desk.model.notes import Note
from desk.model.ticks import Event, Frame
from desk.model.units import MS_NS, SECOND_NS, ceil_to, floor_to
from desk.ports import Clock, FeedCounts
from desk.streams.socket_loop import PING_PART, TIMEOUT_NS, SocketLoop
from desk.streams.stream_protocol import SelectiveStream, StreamProtocol

CHECK_NS: Final = 50 * MS_NS
"""Between two reads of a quiet feed: time limits, pings and attempts to connect are checked in reads."""
DRAINED_NS: Final = SECOND_NS
AHEAD_NS: Final = 60 * SECOND_NS
CATCH_UP_NS: Final = 900 * SECOND_NS
JUMPED: Final = "session time jumped"
PREDECESSOR_NS: Final = 10 * SECOND_NS
"""A producer that died has freed its connection within this time, and another desk that closes within CLOSING_NS."""
CLOSING_NS: Final = 2 * SECOND_NS


def always(session_ns: int) -> bool:  # noqa: ARG001  stands in for a calendar
    """Return True: every time is within the session."""
    return True


class SocketFeed:
    """Runs a stream protocol on a socket, inside `read`: there is no thread, and nothing waits.

    Every read returns a frame, with the ticks that one turn of the socket read, if any; None before the first answer of
    the venue's clock. A read is due at the next mark, after CHECK_NS at the latest. Every whole second of session time
    is marked once, in order; ticks read before the second's end precede its mark.
    Before `start_ns` frames have neither ticks nor marks: ticks are skipped. The feed connects a minute before it, or
    at once if session time passes only while a client is connected.
    If session time jumps by more than 15 min (at the venue's pace, if that is faster), the seconds between have no
    marks, and are one gap. Ticks whose time cannot be right are rejected, see `desk.feeds.live.tick_times`.
    The session ends with the mark at or after `stop_ns`, when the venue's clock reports the end and nothing is left to
    read, or when the feed is closed. Ticks that were read and not returned are skipped.

    A lost connection is replaced, and the time without one is in `gaps`; `open_gap` is the gap that has not ended. A
    connection counts as lost if neither data nor a pong came for `timeout_ns`; one with a subscription that is mute
    while `is_open(session_ns)` is replaced too. `freshness` reports at a mark whether data may be missing. `health`
    holds the totals. A DeskError that no new connection would heal is raised before the first subscription. After it,
    the session ends there in order: `fault` is the error.
    `budget` is the connection that desks of this machine share: without one RunFailed is raised.

    With `resume`, the position of the feed of a producer that died, its totals continue, and the next mark is that of
    the following second: marks that are overdue are returned at once. The time until the first subscription is a gap.
    """

    lossless = False
    repeatable = False
    start_ns: int | None = None
    end_ns: int | None = None
    counts: FeedCounts

    def __init__(
        self,
        url: str,
        protocol: StreamProtocol,
        counts: BlockFeedCounts,
        *,
        clock: Clock,
        session: SessionClock,
        start_ns: int = 0,
        stop_ns: int | None = None,
        rng: Random | None = None,
        is_open: Callable[[int], bool] = always,
        hours: TradingDay = ALWAYS_OPEN,
        resume: FeedPosition | None = None,
        timeout_ns: int = TIMEOUT_NS,
        budget: ConnectionBudget | None = None,
    ) -> None:
        self.fault: DeskError | None = None
        self.counts = self._counts = counts
        self.ended = False
        self.descriptor: int | None = None
        self.due_ns = 0
        self.place = protocol.place
        self._protocol = protocol
        self._clock = clock
        self._session = session
        self._resume = resume
        self._budget = budget
        self._activity = ActivityMeter()
        self._in_session = False
        self._start_ns = start_ns
        self._end_ns = NEVER_NS if stop_ns is None else ceil_to(stop_ns, SECOND_NS)
        self._mark_ns = start_ns if resume is None else resume.mark_ns
        self._reached_ns = 0
        self._read_ns = 0
        self._in_hand: list[Event] = []
        self._gaps_taken = 0
        if resume is not None:
            counts.restore(resume)
        # Waits need no secrecy.
        self._socket = SocketLoop(url, protocol, clock, rng or Random(), timeout_ns)  # noqa: S311
        outages = FeedOutages(protocol.place, session.farewell_ns, start_ns, timeout_ns, self._end_ns)
        before = (resume and resume.health) or FeedHealth()
        self.connection = ConnectionWatch(self._socket, protocol, outages, session, clock, is_open, before)
        self._outages = outages
        self._times = TickTimes(protocol.place, hours.start_ns, hours.end_ns)
        self._reads = ReadFrames(protocol.place, counts, self._times, outages.health)
        self._proof = FreshnessTracker(self._socket, protocol, outages, session)
        self._frames = self._all_frames()

    @property
    def health(self) -> FeedHealth:
        """Totals of the connection, including those of earlier producers."""
        return self.connection.health

    def position(self) -> FeedPosition:
        """Where a restarted producer's feed continues, after a frame with a mark."""
        return self._counts.position(self._mark_ns, msgspec.structs.replace(self.health))

    @property
    def gaps(self) -> list[OutageGap]:
        """The times without a subscription."""
        return self._outages.gaps

    @property
    def pace(self) -> float:
        """How many seconds of session time pass in one of wall time."""
        return self._session.factor

    @property
    def down_from_ns(self) -> int | None:
        """The session time since which a subscription, or the venue's clock, is missing; None while neither is."""
        times_ns = (self._outages.down_from_ns, self._session.silence.from_ns)
        return min((time_ns for time_ns in times_ns if time_ns is not None), default=None)

    @property
    def down_why(self) -> str:
        """Why the feed is down; "" while it is up, and before the first failure."""
        return self._outages.why

    def freshness(self, wall_ns: int) -> Freshness:
        """Whether data may be missing at this wall time, and how long the venue has been silent."""
        return self._proof.at(wall_ns)

    def keep_below(self, age_ns: int) -> None:
        """Ping a quiet venue often enough that its data never seem older than this while it answers."""
        self._socket.ping_ns = min(self._socket.ping_ns, age_ns // PING_PART)

    def expect_delay(self, delay_ns: int) -> None:
        """Accept ticks of before the exchange day that come so much later by design."""
        self._times.delay_ns = self.connection.delay_ns = delay_ns

    def open_gap(self, session_ns: int) -> OutageGap | None:
        """The gap that has not ended at this session time, up to it; None without one."""
        return self._outages.open_gap(session_ns)

    def take_notes(self) -> list[Note]:
        """New lines for the log since the last call."""
        return self.connection.take_notes() + self._times.take_notes() + self._session.take_notes()

    @property
    def read_age_ns(self) -> int:
        """Received - venue time of the last frame, above its recent floor: grows when this reader is too slow."""
        return self._times.age_ns

    def venue_ns(self, wall_ns: int) -> int:
        """The venue time that a reader without delay would have reached at this wall time."""
        return self._at(wall_ns) - self._times.floor_ns

    def subscribe(self, symbols: Iterable[str]) -> None:
        """Return these symbols' ticks as soon as the venue sends them, most wanted first; "*" is all."""
        self._protocol.subscribe(symbols)
        self.due_ns = 0

    def unsubscribe(self, symbols: Iterable[str]) -> None:
        """Skip these symbols' ticks from the next frame on, and unsubscribe them."""
        self._protocol.unsubscribe(symbols)
        self.due_ns = 0

    def resubscribe(self, symbols: Iterable[str]) -> None:
        """Subscribe these symbols anew, if the venue's protocol can."""
        if isinstance(self._protocol, SelectiveStream):
            self._protocol.resubscribe(symbols)
            self.due_ns = 0

    def is_open(self, session_ns: int) -> bool:
        """Whether the exchange is in regular hours at this session time, and not in a break."""
        return self.connection.is_open(session_ns)

    def take_activity(self) -> SymbolActivity:
        """The symbols that traded since the last call, and the venue's messages about symbols."""
        return self._activity.take()

    def drop_quotes(self, symbols: Iterable[str]) -> None:
        """Unsubscribe the quotes of these symbols for now."""
        self._protocol.drop_quotes(symbols)
        self.due_ns = 0

    def restore_quotes(self, symbols: Iterable[str]) -> None:
        """Subscribe their quotes again."""
        self._protocol.restore_quotes(symbols)
        self.due_ns = 0

    def hurry(self) -> None:
        """Do nothing: real time passes at its own pace."""

    def take_gaps(self) -> list[OutageGap]:
        """The gaps that ended since the last call."""
        taken = self.gaps[self._gaps_taken :]
        self._gaps_taken += len(taken)
        return taken

    def open(self) -> None:
        """Do nothing: the first read connects."""

    def read(self) -> Frame | None:
        """Run one turn of the socket; return its ticks, or a mark that is due."""
        self.due_ns = 0
        try:
            return next(self._frames)
        except StopIteration:
            self.ended = True
            return None

    def close(self) -> None:
        """End the session here, and close the connection: it has a second to close in order."""
        self._frames.close()
        self.descriptor = None

    def _all_frames(self) -> Generator[Frame | None, None, None]:
        try:
            yield from self._until_granted()
            yield from self._until_answered()
            wall_ns, mark_ns = self._clock.wall_ns(), None if self._resume is None else self._resume.mark_ns
            self._proof.begin(wall_ns)
            self._reached_ns = max(self._at(wall_ns), self._start_ns) if mark_ns is None else mark_ns
            self.connection.begin(self._reached_ns, wall_ns, is_resumed=mark_ns is not None)
            if mark_ns is None:
                yield from self._wait_for_start()
                self._reached_ns = max(self._now_ns(), self._start_ns)
            self._in_session = True
            yield from self._run()
        finally:
            wall_ns = self._clock.wall_ns()
            self.connection.end(self._at(wall_ns) if self._reached_ns else 0, wall_ns)
            self._socket.close()
            if self._budget is not None:
                self._budget.release()
            self._reads.skip(self._in_hand + self._protocol.ticks)

    def _until_granted(self) -> Iterator[None]:
        """None until this desk has one of the key's connections. Raises RunFailed if other desks keep them."""
        budget, began_ns = self._budget, self._clock.wall_ns()
        if budget is None:
            return
        patience_ns = CLOSING_NS if self._resume is None else PREDECESSOR_NS
        try:
            while not budget.acquire(now_ns := self._clock.wall_ns()):
                if now_ns - began_ns >= patience_ns:
                    raise budget.refusal(self.place)
                self.due_ns, self.descriptor = now_ns + CHECK_NS, None
                yield None
        except OSError as error:  # the venue's own limit (406) remains
            self.connection.note(f"the connection is not shared with other desks of this machine: {error}")

    def _until_answered(self) -> Iterator[None]:
        """None until the session's clock has answered. Raises RunFailed if it gives no answer."""
        asked = self._socket.start(self._session.ask())
        self._socket.advance()
        while not asked.done():
            self.due_ns, self.descriptor = self._clock.wall_ns() + CHECK_NS, self._socket.descriptor
            yield None
            self._socket.advance()
        asked.result()

    def _rest(self, session_ns: int) -> None:
        """Have the next read due at this session time, or after CHECK_NS, or when the socket has something to read."""
        self.due_ns = self._read_ns + min(self._session.wait_ns(self._read_ns, session_ns), CHECK_NS)
        self.descriptor = self._socket.descriptor

    def _wait_for_start(self) -> Iterator[Frame]:
        """Frames without ticks and marks until the session starts, or until the venue ends before that."""
        while (now_ns := self._now_ns()) < self._start_ns:
            if self._session.ended and self._drained():
                return
            if self._session.passes_alone and now_ns < self._start_ns - AHEAD_NS:
                wall_ns = self._clock.wall_ns()
                self.due_ns, self.descriptor = wall_ns + min(self._start_ns - AHEAD_NS - now_ns, CHECK_NS), None
                self._proof.begin(wall_ns)
                self._outages.begin(self._start_ns, wall_ns)
            else:
                ticks = self._read()
                if self._at(self._socket.read_ns) < self._start_ns:
                    self._reads.skip(ticks, is_early=True)
                else:
                    self._protocol.ticks = ticks  # for the session's first read
                self._proof.note()
                self._rest(self._start_ns)
            yield Frame([], self._start_ns, mark=False)

    def _run(self) -> Iterator[Frame]:
        mark_ns = floor_to(self._reached_ns, SECOND_NS) + SECOND_NS
        while True:
            ticks = self._in_hand = self._read()
            read_ns = self._at(self._socket.read_ns) if ticks else self._now_ns()
            quiet = not ticks
            is_empty = quiet and not self._reads.has_rejected
            mark_ns = self._skip_marks(mark_ns, read_ns)
            while mark_ns <= read_ns and not self._past_end(mark_ns):
                next_ns = mark_ns + SECOND_NS
                if is_empty and read_ns < next_ns <= self._end_ns:
                    self._rest(next_ns)
                yield self._mark(mark_ns)
                mark_ns, quiet = next_ns, False
            self._reached_ns = max(self._reached_ns, read_ns)
            if self._past_end(mark_ns):
                return
            self._proof.note()
            self._in_hand = []
            if quiet or not is_empty:
                self._rest(mark_ns)
                read = SocketRead(self._reached_ns, self._socket.read_ns, self._session.factor)
                yield self._reads.frame(ticks, read)
            if self.fault is not None or (quiet and self._session.ended and self._drained()):
                if self._reached_ns > mark_ns - SECOND_NS:
                    yield self._mark(mark_ns)
                return

    def _mark(self, mark_ns: int) -> Frame:
        self._mark_ns = mark_ns
        return Frame([], mark_ns, mark=True)

    def _skip_marks(self, mark_ns: int, read_ns: int) -> int:
        """The next mark. If session time has jumped, that is the last complete second, and the jump is one gap."""
        to_ns = floor_to(min(read_ns, self._end_ns), SECOND_NS)
        pace = self._session.factor
        if not pace or to_ns - mark_ns <= CATCH_UP_NS * max(1.0, pace):
            return mark_ns
        self._outages.jumped(self._reached_ns, to_ns, JUMPED)
        return to_ns

    def _read(self) -> list[Event]:
        """The ticks that one turn of the socket reads."""
        wall_ns = self._clock.wall_ns()
        if self._session.due(wall_ns):
            self._socket.start(self._session.ask())
        if step_ns := self._session.look(wall_ns):
            self._times.shift(step_ns)
            self._outages.health.clock_steps += 1
        self.connection.end_mute(wall_ns)
        if self.fault is None:
            self._socket.turn()
        self._read_ns = self._clock.wall_ns()
        try:
            self.connection.after_turn(self._read_ns)
        except DeskError as fault:
            if not (self._in_session and self.health.subscribed):
                raise
            self.fault = fault
        protocol = self._protocol
        ticks, protocol.ticks = protocol.ticks, []
        self._activity.look(ticks)
        return ticks

    def _drained(self) -> bool:
        """Whether nothing more comes from a venue that has ended."""
        return not self._socket.open or self._clock.wall_ns() - self._socket.message_ns >= DRAINED_NS

    def _past_end(self, mark_ns: int) -> bool:
        return mark_ns > self._end_ns

    def _now_ns(self) -> int:
        return self._at(self._clock.wall_ns())

    def _at(self, wall_ns: int) -> int:
        return self._session.session_ns(wall_ns)
