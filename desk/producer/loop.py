"""The producer's loop: frames in, ticks routed into lanes, marks set, batches out; news and commands in."""

from collections.abc import Generator, Iterator, Sequence

import msgspec

from desk.flow import Lane
from desk.model.batch import Ack, ShardBack, ShardLost, ShardPosition
from desk.model.commands import AddShard, Deliver, EndSession, MoveSlots, RemoveShard
from desk.model.errors import RunFailed
from desk.model.items import Mark
from desk.model.records import GapRecord
from desk.model.ticks import Frame
from desk.ports import Wait, Waits
from desk.producer.feed_watch.watch import FeedAges
from desk.producer.held_items import HeldItems
from desk.producer.live_pacing import LivePacing
from desk.producer.lossless_pacing import LosslessPacing
from desk.producer.parts import Beginning, ProducerConfig, ProducerParts, ProducerPorts
from desk.producer.session_end import session_end
from desk.producer.session_start import session_start
from desk.producer.stats import LoopStats, lane_rows, progress_of
from desk.telemetry.histogram import Histogram


class ProducerLoop:
    """Runs a feed to its end or to a stop, drains the lanes, and closes the session.

    A procedure that has to wait yields what it waits for, and `_turn` waits. While news and commands are handled,
    nothing else is on the stack. Commands are taken there, and carried out between frames and marks.

    Everything that changes a shard goes through its lane, in the order set here. If a shard dies, its lane replays the
    batches that its successor lacks. A restarted producer continues from the last saved producer state. Shards join and
    leave during the session.

    `lateness` counts how late the loop was after waits whose time was up.
    """

    def __init__(self, config: ProducerConfig, ports: ProducerPorts, beginning: Beginning) -> None:
        self.config = config
        self.parts = parts = ProducerParts.made(config, ports, beginning)
        self.feed = ports.feed
        self.live = ports.live
        self.lanes = parts.lanes
        self.moves = parts.moves
        self.notes = parts.notes
        self.gaps = parts.gaps
        self.watch = parts.watch
        self.problems: list[str] = []
        self.lateness = Histogram()
        self._ports = ports
        self._beginning = beginning
        self._ending = False
        self._pacing = (
            LosslessPacing(parts, ports.clock)
            if ports.feed.lossless
            else LivePacing(parts, ports.clock, ports.feed, ports.live)
        )

    @property
    def session_ns(self) -> int:
        """The session time reached."""
        return self.parts.progress.session_ns

    @property
    def marked(self) -> bool:
        """Whether any second of the session is complete."""
        return self.parts.progress.marked

    def play(self) -> Generator[None, None, None]:
        """Run to the end; return control to the caller after every frame. Closing the generator closes the feed.

        Raises the errors of the ports, and RunFailed if a shard refuses batches, or dies of items that must not be
        dropped.
        """
        parts = self.parts
        self._run(session_start(self.config, self._ports, parts, self._beginning))
        try:
            yield from self._frames()
        finally:
            parts.notes.extend(parts.watch.end())
            parts.router.put_in_all(parts.gaps.close())
        if self.live is not None and self.live.health.up:  # else the end of the feed is the fault, not the gap
            self._begin_repairs(self._ports.clock.wall_ns())
        self._run(session_end(self.config, self._ports, parts, self._pacing))
        if parts.recording.problem:
            self.problems.append(parts.recording.problem)

    def stop(self) -> None:
        """End the session soon. May be called from another thread, and from a signal handler.

        It ends after the current frame, or once this producer has caught up with the previous one. Everything received
        is drained, and the session is closed.
        """
        self._ports.mailbox.post(EndSession())

    def lane_of(self, symbol: str) -> Lane | HeldItems:
        """The lane of the shard that owns the symbol, or the items held back while the symbol moves."""
        return self.parts.router.lane_of(symbol)

    def gap_records(self) -> list[GapRecord]:
        """All gaps so far; an open one ends at this moment."""
        repairs, records = self.parts.repairs, self.gaps.records_at(self.session_ns)
        return [
            msgspec.structs.replace(gap, repaired=repairs.is_repaired(gap), unrepaired=repairs.why_not(gap))
            for gap in records
        ]

    def stats(self) -> LoopStats:
        """The figures at this moment."""
        parts, counts, now_ns = self.parts, self.feed.counts, self._ports.clock.wall_ns()
        return LoopStats(
            self.session_ns,
            progress_of(self.feed, self.session_ns),
            dict(counts.received),
            parts.subscriptions.count,
            parts.subscriptions.wanted_by_scanners,
            parts.subscriptions.open_positions,
            lane_rows(parts.lanes, now_ns),
            parts.notes.latest(),
            parts.notes.count,
            [lane.shard for lane in parts.lanes if lane.down],
            self.gap_records(),
            {kind: dict(causes) for kind, causes in counts.rejected.items()},
            dict(counts.skipped),
            parts.moves.table.version,
            parts.moves.done,
            parts.moves.has_requests or parts.moves.under_way,
            parts.moves.table.shards,
            parts.moves.pauses.snapshot(),
            now_ns,
            self.config.epoch,
            parts.watch.alerts(),
            parts.watch.figures(),
        )

    def _frames(self) -> Iterator[None]:
        self.feed.open()
        try:
            while (frame := self._next_frame()) is not None:
                self._run(self._on_frame(frame))
                yield
        finally:
            self.feed.close()

    def _next_frame(self) -> Frame | None:
        """Wait for the feed's next frame; None at the end of the feed or of the session."""
        while not (self._may_end() or self.feed.ended):
            wait = self._pacing.wait()
            self._turn(wait)
            if wait.until_ns and (late_ns := self._ports.clock.wall_ns() - wait.until_ns) >= 0:
                self.lateness.add_one(late_ns)
            due_ns = self.feed.due_ns
            if not self._may_end() and (frame := self.feed.read()) is not None:
                self._measure(frame, due_ns)
                return frame
        return None

    def _may_end(self) -> bool:
        return self.parts.catch_up.done(self.session_ns) and self._ending

    def _run(self, waits: Waits) -> None:
        for wait in waits:
            self._turn(wait)

    def _turn(self, wait: Wait) -> None:
        """The only place that waits, and the only one where news and commands are handled."""
        for news in self._ports.links.wait(wait, self._descriptors() if wait.until_ns else ()):
            match news:
                case Ack():
                    self._on_ack(news)
                case ShardLost():
                    self.lanes[news.shard].on_shard_lost()
                    self.notes.add(f"shard {news.shard} died ({news.why}); its lane waits for the successor")
                case ShardBack():
                    self._on_back(news.position)
        for command in self._ports.mailbox.take():
            match command:
                case Deliver():
                    self.parts.deliveries.take(command.events)
                case MoveSlots():
                    self.moves.request(command.slots, command.to)
                case AddShard() | RemoveShard():
                    self.parts.enlisting.request(command)
                case EndSession():
                    self._ending = True
                    self.feed.hurry()

    def _descriptors(self) -> Sequence[int]:
        """The descriptors that end a wait for a time: of commands, and of the feed's data."""
        commands, data = self._ports.mailbox.descriptor, self.feed.descriptor
        return (commands,) if data is None else (commands, data)

    def _on_ack(self, ack: Ack) -> None:
        if ack.refused:
            raise RunFailed(
                f"shard {ack.shard}",
                f"it refused batch {ack.seq}: it has a newer producer than this one",
                "one producer at a time",
                "End the other desk on this run folder, and run again.",
            )
        fresh = self.lanes[ack.shard].on_ack(ack)
        self.parts.states.durable(ack.shard, ack.durable_mark_ns)
        self.moves.on_ack(ack, self.lanes.by_shard, self._ports.clock.wall_ns())
        if fresh and ack.request is not None:
            self.parts.lockstep.collect(ack.request)

    def _on_back(self, position: ShardPosition) -> None:
        self.parts.enlisting.take(position)
        if self.parts.enlisting.welcome(position):
            return
        lane = self.lanes.by_shard.get(position.shard)
        if lane is None or not lane.down:  # only its position was requested
            return
        lane.on_shard_back(position, self._ports.clock.wall_ns())
        self.moves.on_back(position, self.lanes.by_shard)
        self.notes.add(f"shard {position.shard} is back, restored up to batch {position.seq} (epoch {position.epoch})")
        for item, _ in lane.quarantined:
            self.problems.append(f"shard {position.shard} died on {item!r} twice: it was left out")
        lane.quarantined.clear()

    def _on_frame(self, frame: Frame) -> Waits:
        parts = self.parts
        parts.router.put_in_all(parts.gaps.close())  # before the ticks that follow the gap
        if frame.lag_ns is not None:
            parts.progress.feed_lag_ns = frame.lag_ns - self.config.watch.delay_ns
        parts.notes.extend(parts.watch.take(frame))
        parts.recording.take(frame)
        if parts.repairs.wants_trades:
            parts.repairs.see(frame.ticks)
        if ticks := parts.catch_up.take(frame):
            yield from self._pacing.put(ticks)
            if parts.traces.on:
                parts.traces.routed(ticks[-1].received_ns, self._ports.clock.wall_ns())
        parts.progress.session_ns = frame.session_ns
        parts.router.put_in_all(parts.gaps.open(frame.session_ns))
        yield from self._on_mark(frame.session_ns) if frame.mark else self._pacing.pump()

    def _measure(self, frame: Frame, due_ns: int) -> None:
        """Note how long the frame's ticks waited for this read: since they were due, or above the usual lag."""
        if not frame.ticks:
            return
        received_ns, live = frame.ticks[0].received_ns, self.live
        if live is None:
            behind_ns = age_ns = max(received_ns - due_ns, 0) if due_ns else 0
        else:
            behind_ns, age_ns = live.read_age_ns, (frame.lag_ns or 0) - self.config.watch.delay_ns
        self._ports.hops.point(self._ports.clock.wall_ns())
        self._ports.hops.note("feed", received_ns - behind_ns, received_ns, age_ns)

    def _on_mark(self, mark_ns: int) -> Waits:
        """Complete a second: mark every lane, decide the requests (lockstep), apply scanner answers."""
        parts = self.parts
        parts.progress.marked = True
        now_ns = self._ports.clock.wall_ns()
        health = parts.watch.mark(mark_ns, now_ns, self._ages(now_ns))
        parts.notes.extend(health.notes)
        parts.router.put_in_all(parts.gaps.mark(mark_ns, parts.watch.stale))
        second = Mark(mark_ns, now_ns, health.lag_ns, 0, health.degraded)
        parts.lanes.mark(second)
        parts.moves.mark(second)
        if self.config.lockstep:
            yield from parts.lockstep.exchange(mark_ns)
        else:
            parts.router.give(parts.deliveries.due(mark_ns))
            yield from self._pacing.pump()
        yield from self._pacing.between_marks(mark_ns)
        parts.recording.save()
        self._begin_repairs(now_ns)
        if parts.states.due(now_ns):
            parts.states.add(parts.state(self.config.epoch, self.feed), now_ns)
        parts.router.put_items(parts.watching.at_mark(mark_ns))
        yield from self._put_history(mark_ns, now_ns)
        up = self.live is not None and self.live.down_from_ns is None
        parts.router.put_items(parts.repairs.at_mark(mark_ns, now_ns, up=up))

    def _put_history(self, mark_ns: int, now_ns: int) -> Waits:
        """Put in the bars of the past that have arrived; a feed that waits, waits for them."""
        parts = self.parts
        if self.feed.lossless:
            yield from parts.history.until_complete(self._ports.clock, mark_ns)
            parts.router.put_items(parts.history.take_ready())
        else:
            parts.router.put_items(parts.history.at_mark(mark_ns, now_ns))

    def _begin_repairs(self, now_ns: int) -> None:
        """Begin the repair of the gaps that have ended."""
        refused = () if self.live is None else self.live.health.refused.get("trades", ())
        self.parts.repairs.add(self.parts.gaps.take_ended(), refused, now_ns)

    def _ages(self, now_ns: int) -> FeedAges:
        """How old the data are in feed and lanes, and whether an overload blocks entries."""
        lane_ns = 0 if self.feed.lossless else max((lane.age_ns(now_ns) for lane in self.lanes), default=0)
        return FeedAges(self.parts.progress.feed_lag_ns, lane_ns, self.parts.overload.hold)
