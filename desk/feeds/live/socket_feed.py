"""A live stream as a feed: frames of what was just read, a mark for every whole second of session time.

Tests: tests/desk/feeds/live/test_live_start.py
"""

from collections.abc import Callable, Generator, Iterable, Iterator
from random import Random
from typing import Final

import msgspec

from desk.feeds.live.freshness import FreshnessTracker
from desk.feeds.live.outages import RESTARTED, FeedOutages, OutageGap
from desk.feeds.live.refusals import refusal_notes
from desk.feeds.live.session_clock import SessionClock
from desk.feeds.live.tick_times import SocketRead, TickTimes, count_rejected, rejected_total
from desk.model.block_rows import BlockFeedCounts
from desk.model.feed_health import FeedHealth, Freshness
from desk.model.feed_position import FeedPosition
from desk.model.hours import ALWAYS_OPEN, TradingDay
from desk.model.notes import Note
from desk.model.ticks import Frame, Quote, Tick
from desk.model.units import SECOND_NS, ceil_to, floor_to
from desk.ports import Clock, FeedCounts
from desk.streams.socket_loop import PING_PART, SILENT, TIMEOUT_NS, SocketLoop
from desk.streams.stream_protocol import StreamProtocol

PATIENCE_S: Final = 0.05
MUTE_S: Final = 30.0
DRAINED_NS: Final = SECOND_NS
AHEAD_NS: Final = 60 * SECOND_NS
MUTE: Final = "connected, and mute"
CATCH_UP_NS: Final = 900 * SECOND_NS
JUMPED: Final = "session time jumped"


def always(session_ns: int) -> bool:  # noqa: ARG001  stands in for a calendar
    """Every moment is within the session."""
    return True


class SocketFeed:
    """Runs a stream protocol on a socket, inside the iteration of its frames: there is no thread.

    A frame comes as soon as anything was read, or after at most `patience_s`; it holds one read's ticks. Every
    whole second of session time is marked once, in order; ticks read before the second's end precede its mark.
    Before `start_ns` frames have neither ticks nor marks: what is read is skipped. The feed connects a minute before
    it, or at once where session time passes only while something is connected.
    Where session time jumps by more than 15 min (at the venue's pace, if that is faster), the seconds between have no
    marks, and are one gap. Ticks whose time cannot be right are rejected, see `desk.feeds.live.tick_times`.
    The session ends with the mark at or after `stop_ns`, when the venue's clock says so and nothing is left
    to read, or when the caller stops iterating; what was read and not handed over is skipped.

    A lost connection is made again, and the time between is in `gaps`; `open_gap` is the one that lasts. Lost is also a
    connection on which neither data nor a pong came for `timeout_ns`. A connection that stands with a subscription and
    is mute for `mute_s` while `is_open(session_ns)` is made again too. `freshness` says at a mark how far the data can
    be trusted. `health` holds the totals.
    Raises DeskError for what no new connection can heal.

    With `resume`, the position of a feed whose producer died, its totals are continued, and the next mark is that of
    the second after it: those that have passed meanwhile are handed over at once. The time until the first
    subscription stands is a gap.
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
    ) -> None:
        self.counts = self._counts = counts
        self.patience_s = PATIENCE_S
        self.mute_s = MUTE_S
        self.place = protocol.place
        self._gaps_taken = 0
        self._notes: list[Note] = []
        self._before = FeedHealth()
        self._mark_ns = start_ns if resume is None else resume.mark_ns
        self._outages = FeedOutages(protocol.place, session.farewell_ns, start_ns, timeout_ns)
        if resume is not None:
            counts.restore(resume)
            self._before = resume.health or self._before
            self._outages.health = msgspec.structs.replace(self._before, up=False)
        self._protocol = protocol
        self._clock = clock
        self._session = session
        self._start_ns = start_ns
        self._end_ns = None if stop_ns is None else ceil_to(stop_ns, SECOND_NS)
        self._is_open = is_open
        self._resume = resume
        self._times = TickTimes(protocol.place, hours.start_ns, hours.end_ns)
        self._reached_ns = 0
        self._is_over = False
        self._rejected = 0
        self._late_ns: int | None = None
        self._in_hand: list[Tick] = []
        # Waits need no secrecy.
        self._socket = SocketLoop(url, protocol, clock, rng or Random(), self._on_end, timeout_ns)  # noqa: S311
        self._proof = FreshnessTracker(self._socket, protocol, self._outages, session)

    @property
    def health(self) -> FeedHealth:
        """Totals of the connection, including those of earlier producers."""
        health, before, protocol = self._outages.health, self._before, self._protocol
        health.reconnects = before.reconnects + self._socket.reconnects
        health.slow_clients = before.slow_clients + protocol.slow_clients
        health.down_why = self._outages.first_why
        health.down_from_ns = self._outages.down_from_ns if health.down_why else None
        health.clock_silences = before.clock_silences + self._session.silence.count
        health.clock_why = self._session.silence.why
        health.encoding = protocol.encoding or before.encoding
        health.unknown = {
            kind: before.unknown.get(kind, 0) + protocol.unknown.get(kind, 0)
            for kind in sorted(before.unknown.keys() | protocol.unknown.keys())
        }
        return health

    def position(self) -> FeedPosition:
        """Where a restarted producer's feed continues, once a frame with a mark was handed over."""
        return self._counts.position(self._mark_ns, msgspec.structs.replace(self.health))

    @property
    def gaps(self) -> list[OutageGap]:
        """The times without a subscription, of this feed."""
        return self._outages.gaps

    @property
    def reconnects(self) -> int:
        """How many connections were made after the first."""
        return self._socket.reconnects

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
        """Why the feed is down; "" while it is up, or has not failed yet."""
        return self._outages.why

    def freshness(self, wall_ns: int) -> Freshness:
        """How far what was handed over can be trusted at this wall time."""
        return self._proof.at(wall_ns)

    def keep_below(self, age_ns: int) -> None:
        """Ping a quiet venue so often that its data never seem older than this while it answers."""
        self._socket.ping_ns = min(self._socket.ping_ns, age_ns // PING_PART)

    def open_gap(self, session_ns: int) -> OutageGap | None:
        """The gap that lasts at this session time, up to it."""
        return self._outages.open_gap(self._until_end(session_ns))

    def take_notes(self) -> list[Note]:
        """New lines for the log since the last call."""
        notes, self._notes = self._notes, []
        return notes + self._outages.take_notes() + self._times.take_notes() + self._session.take_notes()

    @property
    def last_end(self) -> str:
        """Why the last connection, or attempt at one, ended; "" before."""
        return self._socket.last_end

    @property
    def read_age_ns(self) -> int:
        """Received - venue time of the last frame, above its recent floor: grows when this reader is too slow."""
        return self._times.age_ns

    def venue_ns(self, wall_ns: int) -> int:
        """The venue time of what a reader who is not behind would have read last at this wall time."""
        return self._at(wall_ns) - self._times.floor_ns

    @property
    def connected(self) -> bool:
        """Whether a connection stands and its subscription is acknowledged."""
        return self._socket.open and self._protocol.settled

    def subscribe(self, symbols: Iterable[str]) -> None:
        """Hand over these symbols' ticks as soon as the venue sends them; "*" is all."""
        self._protocol.subscribe(symbols)

    def unsubscribe(self, symbols: Iterable[str]) -> None:
        """Skip these symbols' ticks from the next frame on, and unsubscribe them."""
        self._protocol.unsubscribe(symbols)

    def drop_quotes(self, symbols: Iterable[str]) -> None:
        """Unsubscribe the quotes of these symbols for now."""
        self._protocol.drop_quotes(symbols)

    def restore_quotes(self, symbols: Iterable[str]) -> None:
        """Subscribe their quotes again."""
        self._protocol.restore_quotes(symbols)

    def hurry(self) -> None:
        """Nothing to do: real time cannot be hurried, and no frame is waited for longer than `patience_s`."""

    def take_gaps(self) -> list[OutageGap]:
        """The gaps that were closed since the last call."""
        taken = self.gaps[self._gaps_taken :]
        self._gaps_taken += len(taken)
        return taken

    def frames(self) -> Generator[Frame, None, None]:
        """Frames until the session ends; can be iterated once."""
        try:
            self._socket.finish(self._session.ask())
            wall_ns, mark_ns = self._clock.wall_ns(), None if self._resume is None else self._resume.mark_ns
            self._proof.begin(wall_ns)
            self._reached_ns = max(self._at(wall_ns), self._start_ns) if mark_ns is None else mark_ns
            self._begin_outage(wall_ns, mark_ns)
            if mark_ns is None:
                yield from self._wait_for_start()
                self._reached_ns = max(self._now_ns(), self._start_ns)
            yield from self._run()
        finally:
            self._end()
            self._socket.close()
            self._skip(self._in_hand + self._protocol.ticks)

    def _wait_for_start(self) -> Iterator[Frame]:
        """Frames without ticks and marks until the session starts, or a venue ends before."""
        while (now_ns := self._now_ns()) < self._start_ns:
            if self._session.ended and self._drained():
                return
            if self._session.passes_alone and now_ns < self._start_ns - AHEAD_NS:
                self._clock.sleep(min(self.patience_s, (self._start_ns - AHEAD_NS - now_ns) / SECOND_NS))
                self._proof.begin(self._clock.wall_ns())
                self._outages.begin(self._start_ns, self._clock.wall_ns())
            else:
                ticks = self._read(self._start_ns)
                if self._at(self._socket.read_ns) < self._start_ns:
                    self._skip(ticks, is_early=True)
                else:
                    self._protocol.ticks = ticks  # for the session's first read
                self._proof.note()
            yield Frame([], self._start_ns, mark=False)

    def _begin_outage(self, wall_ns: int, mark_ns: int | None) -> None:
        """There is no subscription yet; after another producer there is an outage, its own or that of its end."""
        before = self._before
        if mark_ns is None:
            self._outages.begin(self._reached_ns, wall_ns)
        elif before.down_from_ns is None:
            self._outages.begin(mark_ns, wall_ns, RESTARTED)
        else:
            self._outages.begin(min(before.down_from_ns, mark_ns), wall_ns, before.down_why)

    def _end(self) -> None:
        """Write down what is still open: the socket's own end is no loss."""
        wall_ns = self._clock.wall_ns()
        now_ns = self._at(wall_ns) if self._reached_ns else 0
        owed = self._protocol.awaiting if self._socket.open else ""
        self._outages.end(self._until_end(now_ns), wall_ns, owed, over=self._session.ended)
        self._is_over = True

    def _run(self) -> Iterator[Frame]:
        mark_ns = floor_to(self._reached_ns, SECOND_NS) + SECOND_NS
        while True:
            ticks = self._in_hand = self._read(mark_ns)
            read_ns = self._at(self._socket.read_ns) if ticks else self._now_ns()
            quiet = not ticks
            mark_ns = self._skip_marks(mark_ns, read_ns)
            while mark_ns <= read_ns and not self._past_end(mark_ns):
                yield self._mark(mark_ns)
                mark_ns += SECOND_NS
                quiet = False
            self._reached_ns = max(self._reached_ns, read_ns)
            if self._past_end(mark_ns):
                return
            self._proof.note()
            self._in_hand = []
            if ticks or quiet or rejected_total(self.counts) > self._rejected:
                yield self._frame(ticks)
            if quiet and self._session.ended and self._drained():
                if self._reached_ns > mark_ns - SECOND_NS:
                    yield self._mark(mark_ns)
                return

    def _mark(self, mark_ns: int) -> Frame:
        self._mark_ns = mark_ns
        return Frame([], mark_ns, mark=True)

    def _skip_marks(self, mark_ns: int, read_ns: int) -> int:
        """The next mark: the last second that is complete, where session time has jumped, which leaves one gap."""
        to_ns = floor_to(self._until_end(read_ns), SECOND_NS)
        pace = self._session.factor
        if not pace or to_ns - mark_ns <= CATCH_UP_NS * max(1.0, pace):
            return mark_ns
        self._outages.jumped(self._reached_ns, to_ns, JUMPED)
        return to_ns

    def _read(self, mark_ns: int) -> list[Tick]:
        """What one turn of the socket brings, not waiting beyond the next mark."""
        wall_ns = self._clock.wall_ns()
        if self._session.due(wall_ns):
            self._socket.start(self._session.ask())
        if step_ns := self._session.look(wall_ns):
            self._times.shift(step_ns)
            self._outages.health.clock_steps += 1
        self._watch_mute(wall_ns)
        self._late_ns = self._socket.turn(min(self.patience_s, self._session.wait_ns(wall_ns, mark_ns) / SECOND_NS))
        self._look()
        protocol = self._protocol
        ticks, protocol.ticks = protocol.ticks, []
        return ticks

    def _look(self) -> None:
        """Follow connection and protocol: what changed in this turn is noted."""
        wall_ns, protocol, outages = self._clock.wall_ns(), self._protocol, self._outages
        if outages.down_from_ns is not None and self.connected:
            outages.back(self._until_end(self._at(wall_ns)), wall_ns)
        outages.look(wall_ns, protocol.awaiting if self._socket.open else "", over=self._session.ended)
        self._notes += protocol.take_notes()
        if self.connected:
            self._look_at_refusals()
        if protocol.ticks:
            outages.health.mutes_in_a_row = 0

    def _look_at_refusals(self) -> None:
        """Of a subscription that is settled: whether the venue refuses others than before."""
        health, refused = self._outages.health, self._protocol.refused
        if refused != health.refused:
            self._notes += refusal_notes(self.place, health.refused, refused)
            health.refused = refused

    def _frame(self, ticks: list[Tick]) -> Frame:
        """A read's sound ticks. Where ticks came and none is sound, nothing new is known: the data age."""
        read = SocketRead(self._reached_ns, self._socket.read_ns, self._session.factor)
        sound = self._times.sound(ticks, read) if ticks else ticks
        if len(sound) < len(ticks):
            count_rejected(self.counts, self.place, ticks, sound)
        before, self._rejected = self._rejected, rejected_total(self.counts)
        if not ticks:
            self._times.caught_up()
        if not sound:
            doubt_ns = self._times.doubt_ns(read) if self._rejected > before else None
            return Frame(sound, self._reached_ns, mark=False, lag_ns=doubt_ns, late_ns=self._late_ns)
        fastest_ns = self._reached_ns - self._times.newest_ns
        return Frame(sound, self._reached_ns, False, self._times.lag_ns(sound, read), fastest_ns)

    def _drained(self) -> bool:
        """Whether a venue that has ended has nothing left under way."""
        return not self._socket.open or self._clock.wall_ns() - self._socket.message_ns >= DRAINED_NS

    def _past_end(self, mark_ns: int) -> bool:
        return self._end_ns is not None and mark_ns > self._end_ns

    def _skip(self, ticks: list[Tick], *, is_early: bool = False) -> None:
        """Take ticks read before the start or after the stop out of what was received."""
        for tick in ticks:
            kind = "quotes" if isinstance(tick, Quote) else "trades"
            self.counts.received[kind] -= 1
            self._outages.health.early += is_early
            self._outages.health.late += not is_early
            self.counts.skipped[kind] += 1

    def _watch_mute(self, wall_ns: int) -> None:
        """Hang up on a connection that should speak and does not."""
        silent_ns = wall_ns - self._socket.message_ns
        if (
            silent_ns >= self.mute_s * SECOND_NS
            and self._socket.open
            and self._protocol.listening
            and self._is_open(self._at(wall_ns))
        ):
            self._outages.health.mutes += 1
            self._outages.health.mutes_in_a_row += 1
            self._socket.hang_up(f"{MUTE} for {silent_ns / SECOND_NS:.0f} s")

    def _on_end(self, reason: str, was_open: bool) -> None:
        """A connection, or an attempt at one, has ended."""
        if self._is_over:
            return
        wall_ns, outages = self._clock.wall_ns(), self._outages
        if was_open and self._protocol.settled:  # the subscription stood, perhaps for less than a turn
            self._look_at_refusals()
            if outages.down_from_ns is not None:
                outages.back(self._until_end(self._at(wall_ns)), wall_ns)
        last_ns = self._socket.message_ns if reason.startswith(MUTE) else self._socket.proof_ns
        if self._socket.fault is not None:
            outages.fail(self._at(last_ns), wall_ns, reason)
        elif outages.down_from_ns is None:
            outages.lost(self._at(last_ns), last_ns if reason.startswith(SILENT) else wall_ns, reason)
        else:
            outages.failed(wall_ns, reason)
        if was_open:
            self._session.hurry()

    def _until_end(self, session_ns: int) -> int:
        return session_ns if self._end_ns is None else min(session_ns, self._end_ns)

    def _now_ns(self) -> int:
        return self._at(self._clock.wall_ns())

    def _at(self, wall_ns: int) -> int:
        return self._session.session_ns(wall_ns)
