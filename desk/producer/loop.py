"""The producer's work: frames in, ticks routed into lanes, marks set, batches out, acks and order events in."""

from collections.abc import Callable, Iterable, Mapping
from contextlib import closing

import msgspec

from desk.flow import Lane, LaneConfig
from desk.flow.ladder import Ladder, LadderConfig
from desk.flow.routing_table import RoutingTable, slot_of
from desk.model.batch import Ack, LaneTotals, News, Position, ShardBack, ShardLost
from desk.model.checkpoint import ProducerState
from desk.model.errors import RunFailed
from desk.model.items import Close, Item, Second
from desk.model.notes import Level
from desk.model.orders import OrderEvent, Request
from desk.model.ticks import Frame
from desk.model.units import MS_NS
from desk.ports import BrokerDoor, Clock, Feed, KeeperDoor, LiveFeed, ScannerDoor, ShardLinks
from desk.producer.catch_up import CatchUp
from desk.producer.deliveries import Deliveries
from desk.producer.durable_states import ProducerStates
from desk.producer.feed_gaps import FeedGaps
from desk.producer.feed_watch.watch import Ages, FeedWatch, WatchConfig
from desk.producer.held_items import Holding
from desk.producer.lanes import Lanes
from desk.producer.membership import Enlisting
from desk.producer.overload import Overload
from desk.producer.router import Router
from desk.producer.slot_moves import Moves
from desk.producer.stats import IntakeStats, lane_rows, progress_of
from desk.producer.subscriptions import Subscriptions
from desk.producer.watched_symbols import Watching
from desk.telemetry.note_board import NoteBoard

FLUSH_NS = 50 * MS_NS
ACKS_NS = 20 * MS_NS
PATIENCE_BUSY_S = 0.001
PATIENCE_IDLE_S = 0.05
NEVER_NS = 1 << 62

_encode = msgspec.msgpack.Encoder().encode


class IntakeConfig(msgspec.Struct, frozen=True):
    """How the producer works; see `[session]`, `[flow]` and `[guards]` in the tradeplan.

    `epoch` is this incarnation's. `lockstep`: every mark waits until its intents are decided and given back.
    `history_from_start`: the market has rows before the session's start, which warm up the symbols of the plan.
    `waits`: why a live session does not start at once.
    """

    epoch: int
    lockstep: bool
    session_start_ns: int
    max_data_latency_ns: int
    checkpoint_ns: int
    history_from_start: bool = False
    waits: str = ""
    watch: WatchConfig = WatchConfig()


class Intake:
    """Runs a feed to its end, or until `stop`, and drains everything behind it.

    Everything that changes a shard goes through its lane, in the order set here. A shard that dies is waited for,
    and given again what its successor has not; `state` is what a dead producer left, from which this one goes on.
    Shards join and leave meanwhile; `asleep` are the lane totals of those that left before this producer's time.
    """

    def __init__(
        self,
        config: IntakeConfig,
        feed: Feed,
        table: RoutingTable,
        lane_config: LaneConfig,
        links: ShardLinks,
        broker: BrokerDoor,
        scanner: ScannerDoor,
        keeper: KeeperDoor,
        clock: Clock,
        subscriptions: Subscriptions,
        *,
        live: LiveFeed | None = None,
        state: ProducerState | None = None,
        asleep: Mapping[int, LaneTotals] | None = None,
    ) -> None:
        self.config = config
        self.feed = feed
        self.live = live
        self.subscriptions = subscriptions
        self.session_ns = config.session_start_ns if state is None else state.mark_ns
        self.marked = state is not None
        self.notes = NoteBoard()
        self.problems: list[str] = []
        self.gaps = FeedGaps(
            feed,
            live,
            self._put_in_all,
            lambda: subscriptions.count,
            [] if state is None else state.gaps,
            config.watch.delay_ns,
            config.watch.channels,
        )
        self._links = links
        self._broker = broker
        self._clock = clock
        self._from = state
        self._asked: Request = Request()
        self._unasked = False
        self._stopping = False
        self._closing = False
        self._feed_lag_ns = 0 if state is None else state.feed_lag_ns
        self._flushed_ns = 0
        self._acked_ns = 0
        self.lanes = Lanes(lane_config, links, clock, self._hear)
        self.lanes.closed |= asleep or {}
        moves = 0 if state is None else state.moves
        self.moves = Moves(table, moves, self._rerouted, waits=feed.lossless, tell=self._note)
        self._catch_up = CatchUp(feed, live, clock)
        self._states = ProducerStates(config.checkpoint_ns, keeper)
        self._enlisting = Enlisting(self.lanes, links, self.moves, self._wake)
        ladder = Ladder(LadderConfig.of(lane_config.write_timeout_ns, config.max_data_latency_ns))
        self.overload = Overload(ladder, self.lanes.by_shard, live, lane_config.write_timeout_ns, self._note)
        self._router = Router(self.lanes, self.moves, self.overload, clock, self._meet, self._note)
        self._watching = Watching(subscriptions, scanner, feed, self._router.put, self._note, state)
        self._deliveries = Deliveries(broker, subscriptions, self._router.put)
        kept = b"" if state is None else state.watch
        self.watch = FeedWatch(
            config.watch, config.max_data_latency_ns, feed, live, lambda: subscriptions.symbols, kept
        )

    def play(self, show: Callable[[], None]) -> None:
        """Run to the end. `show` is called after every frame. Raises what links, broker and scanners raise."""
        self._begin()
        try:
            self._play(show)
        finally:
            self.notes.extend(self.watch.end())
            self.gaps.close()
        self._finish()

    def _play(self, show: Callable[[], None]) -> None:
        if self._may_stop():
            return
        with closing(self.feed.frames()) as frames:
            for frame in frames:
                self._take(frame)
                if frame.mark:
                    self._mark(frame)
                else:
                    self._pump()
                show()
                if self._may_stop():
                    break

    def stop(self) -> None:
        """End after the current frame, or once this producer has caught up with the one before; may come from a thread.

        What was taken in is drained, the books are closed.
        """
        self._stopping = True
        self.feed.hurry()

    def _may_stop(self) -> bool:
        return self._catch_up.done(self.session_ns) and self._stopping

    def deliver(self, events: Iterable[OrderEvent]) -> None:
        """Take committed order events in. May be called from another thread."""
        self._deliveries.deliver(events)

    def move(self, slots: Iterable[int], to: int) -> None:
        """Let these slots belong to another shard soon. May be called from another thread."""
        self.moves.wish(slots, to)

    def enlist(self, shard: int) -> None:
        """Open a lane to a shard that is there, soon. May be called from another thread, and again."""
        self._enlisting.wish(shard, there=True)

    def dismiss(self, shard: int) -> None:
        """Close the lane of a shard once it owns nothing and all is durable. May be called from another thread."""
        self._enlisting.wish(shard, there=False)

    def lane_of(self, symbol: str) -> Lane | Holding:
        """The lane of the shard that owns the symbol, or what stands for it while the symbol is on its way."""
        return self._router.lane_of(symbol)

    def stats(self) -> IntakeStats:
        """What there is to see at this moment."""
        counts, now_ns = self.feed.counts, self._clock.wall_ns()
        return IntakeStats(
            self.session_ns,
            progress_of(self.feed, self.session_ns),
            dict(counts.received),
            self.subscriptions.count,
            self.subscriptions.wanted_by_scanners,
            self.subscriptions.open_positions,
            lane_rows(self.lanes),
            self.notes.latest(),
            self.notes.count,
            [lane.shard for lane in self.lanes if lane.down],
            self.gaps.records_at(self.session_ns),
            {kind: dict(causes) for kind, causes in counts.rejected.items()},
            dict(counts.skipped),
            self.moves.table.version,
            self.moves.done,
            self.moves.wished or self.moves.under_way,
            self.moves.table.shards,
            self.moves.pauses.snapshot(),
            now_ns,
            {lane.shard: (lane.busy_ns, lane.age_ns(now_ns)) for lane in self.lanes},
            self.config.epoch,
            self.watch.alerts(),
        )

    def _note(self, text: str, level: Level = "warning") -> None:
        self.notes.add(text, level)

    def _begin(self) -> None:
        """Begin the session, or take it up where another producer left it."""
        positions = self._links.positions()
        for position in sorted(positions, key=lambda position: position.shard):
            lane = self._open(position, None if self.feed.lossless else position.lane)
            lane.mark_ns = 0 if self._from is None else self._from.mark_ns
            self.moves.used.update(map(slot_of, position.watched))
        self.moves.over = any(position.closed for position in positions)
        read_again = self.feed.repeatable and not self.feed.lossless
        if any(position.adopted or position.released or (read_again and position.ordinals) for position in positions):
            # Moves, and ticks read again, are judged by where shards stand once none can fall back behind it.
            self.lanes.poke_until(lambda lane: lane.confirmed)
            positions = self._links.positions()
        self.moves.take_up(positions, self.lanes.by_shard, self._clock.wall_ns())
        decided_ns = self._deliveries.ask_again(self.session_ns if self.config.lockstep else 0)
        mark_ns = max(decided_ns, *(position.mark_ns for position in positions))
        self.marked = self.marked or mark_ns > 0
        self._catch_up.begin(positions, self.lanes.closed.values(), self.config.session_start_ns, mark_ns)
        if self._from is None:
            if self.config.waits:
                self._note(self.config.waits)
            self._watching.begin(self.config.session_start_ns, warm=self.config.history_from_start)
        self.feed.subscribe(self.subscriptions.symbols)
        self._deliveries.give_decided(self.session_ns if self.feed.lossless else None)
        if self._from is not None:
            self._note(f"the producer goes on from the mark at {self._from.mark_ns}")
            self._watching.take_up(self._from.mark_ns)

    def _open(self, position: Position, totals: LaneTotals | None) -> Lane:
        self._states.join(position.shard, position.durable_mark_ns)
        lane = self.lanes.open(position, self.moves.table.version, totals)
        lane.conflate(on=self.overload.conflating)
        return lane

    def _take(self, frame: Frame) -> None:
        self.gaps.close()  # before the ticks: those that came after the gap are the market's state
        if frame.lag_ns is not None:
            self._feed_lag_ns = frame.lag_ns - self.config.watch.delay_ns
        self.notes.extend(self.watch.take(frame))
        if ticks := self._catch_up.take(frame):
            if self.feed.lossless:
                self._router.put_waiting(ticks)
            else:
                self._router.put_or_drop(ticks)
        self.session_ns = frame.session_ns
        self.gaps.open(frame.session_ns)

    def _put_in_all(self, item: Item) -> None:
        self.lanes.put(lambda: item)
        self.moves.hold(item)

    def _meet(self, symbol: str) -> None:
        self.watch.met(symbol)
        self._watching.meet(symbol, self.session_ns)

    def _rerouted(self) -> None:
        self._router.changed()

    def _mark(self, frame: Frame) -> None:
        """Complete a second: mark every lane, decide what was asked (lockstep), let scanners take effect."""
        self.marked = True
        now_ns = self._clock.wall_ns()
        lag_ns, degraded, notes = self.watch.mark(frame.session_ns, now_ns, self._ages(now_ns))
        self.notes.extend(notes)
        self.gaps.mark(frame.session_ns)
        self.lanes.mark(lambda: Second(frame.session_ns, now_ns, lag_ns, 0, degraded))
        self.moves.mark(Second(frame.session_ns, now_ns, lag_ns, 0, degraded))
        if self.config.lockstep:
            self._exchange()
        else:
            self._deliveries.give_decided(self.session_ns)
            self._pump()
        if self.feed.lossless:
            self._move_between_marks(self.session_ns)
        if self._states.due(now_ns):
            self._states.add(self._state(), now_ns)
        self._watching.at_mark(frame.session_ns)

    def _ages(self, now_ns: int) -> Ages:
        """How old the data are in feed and lanes, and whether an overload holds entries back."""
        lane_ns = 0 if self.feed.lossless else max((lane.age_ns(now_ns) for lane in self.lanes), default=0)
        return Ages(self._feed_lag_ns, lane_ns, self.overload.hold)

    def _state(self) -> ProducerState:
        return ProducerState(
            self.config.epoch,
            self.feed.position(),
            self._watching.asked_ns,
            self.subscriptions.state(),
            _encode(self.moves.table),
            self.moves.number,
            self.gaps.records,
            self._feed_lag_ns,
            self.watch.state(),
        )

    def _move_between_marks(self, mark_ns: int) -> None:
        """A feed that waits stands still while slots move: moves are made there and then, and outlive any death."""
        moves, lanes = self.moves, self.lanes.by_shard
        if self._enlisting.ready:
            self._unasked = True
            self._enlisting.rest()
        self._change_shards()
        while self._enlisting.joining:
            self._hear(self._links.news(wait=True))
        while (moves.wished and moves.begin(lanes, mark_ns, self._clock.wall_ns())) or moves.under_way:
            self._unasked = True
            self.lanes.flush()
            self.lanes.poke(lanes[shard] for shard in moves.unsaved)
            self._hear(self._links.drain())

    def _exchange(self) -> None:
        """Carry out one lockstep round: what all shards ask at this mark is decided in one call."""
        self.lanes.flush(want_reply=True)
        self._unasked = False
        request, self._asked = self._asked, Request()
        self._deliveries.give_decided(self.session_ns)
        if request or (self._closing and request.prices):
            request.mark_ns = self.session_ns
            self._deliveries.give(self._broker.decide(request))

    def _pump(self) -> None:
        """Send what is worth sending: full batches of a lossless feed, everything else as the lanes will have it."""
        self._deliveries.empty_inbox()
        now_ns = self._clock.wall_ns()
        if not self.feed.lossless:
            self._pump_live(now_ns)
            return
        full_only = now_ns - self._flushed_ns < FLUSH_NS
        if not full_only:
            self._flushed_ns = now_ns
        if self.lanes.send(full_only=full_only):
            self._hear(self._links.news(wait=False))

    def _pump_live(self, now_ns: int) -> None:
        """Asking for acks costs as much as sending: only when windows fill up, or now and then."""
        self.overload.control(now_ns, self._router.put)
        self._change_shards()
        if self.moves.wished:
            self.moves.begin(self.lanes.by_shard, self.session_ns, now_ns)
        before = self.lanes.sent
        self.lanes.send()
        self.overload.batches += self.lanes.sent - before
        crowded = any(2 * len(lane.in_flight) >= lane.config.window_batches for lane in self.lanes)
        if crowded or now_ns - self._acked_ns >= ACKS_NS:
            self._acked_ns = now_ns
            self._hear(self._links.news(wait=False))
        if self.live is not None:
            waiting = any(lane.depth for lane in self.lanes)
            self.live.patience_s = PATIENCE_BUSY_S if waiting else PATIENCE_IDLE_S

    def _hear(self, news: Iterable[News]) -> None:
        for told in news:
            match told:
                case Ack():
                    self._on_ack(told)
                case ShardLost():
                    self.lanes[told.shard].lost()
                    self._note(f"shard {told.shard} is gone ({told.why}); its successor is waited for")
                case ShardBack():
                    self._on_back(told.position)

    def _on_ack(self, ack: Ack) -> None:
        if ack.refused:
            raise RunFailed(
                f"shard {ack.shard}",
                f"it refused batch {ack.seq}: it has heard of a newer producer than this one",
                "one producer at a time",
                "End the other desk on this run folder, and run again.",
            )
        fresh = self.lanes[ack.shard].on_ack(ack)
        self._states.durable(ack.shard, ack.durable_mark_ns)
        self.moves.on_ack(ack, self.lanes.by_shard, self._clock.wall_ns())
        if fresh and ack.request is not None:
            self._asked.intents += ack.request.intents
            self._asked.reports += ack.request.reports
            self._asked.prices |= ack.request.prices

    def _on_back(self, position: Position) -> None:
        if self._enlisting.joined(position.shard):
            self._welcome(position)
            return
        lane = self.lanes[position.shard]
        lane.back(position, self._clock.wall_ns())
        self.moves.on_back(position, self.lanes.by_shard)
        self._note(f"shard {position.shard} is back, restored up to batch {position.seq} (epoch {position.epoch})")
        for item, _ in lane.quarantined:
            self.problems.append(f"shard {position.shard} died on {item!r} twice: it was left out")
        lane.quarantined.clear()

    def _change_shards(self) -> None:
        """Let shards join and leave, as it was wished."""
        for shard in self._enlisting.change():
            self._states.leave(shard)
            self._note(f"shard {shard} owns nothing any more: its lane is closed")

    def _wake(self, shard: int) -> None:
        """Bring a shard to the mark that the others had last."""
        if self.moves.reached_ns:
            now_ns, degraded = self._clock.wall_ns(), self.overload.hold or self.watch.is_degraded
            self.lanes[shard].put(Second(self.moves.reached_ns, now_ns, self.watch.lag_ns, 0, degraded))

    def _welcome(self, position: Position) -> None:
        """A shard joins: its lane begins at the mark that the others had last."""
        totals = self.lanes.closed.get(position.shard)
        if totals is None and not self.feed.lossless:
            totals = position.lane
        self._open(position, totals)
        self._wake(position.shard)
        self._note(f"shard {position.shard} joins (epoch {position.epoch})")

    def _finish(self) -> None:
        """Drain the lanes, close the session, and go on until nobody asks for anything more and all is kept."""
        self.moves.give_up_wishes()
        if self.feed.lossless:
            self._move_between_marks(NEVER_NS)
        while self.moves.under_way:
            self.lanes.flush()
        self._begin_close()
        if self._unasked:
            # What the last order events made of the shards' strategies was not asked for: the same mark asks again.
            for lane in self.lanes:
                lane.put(Second(lane.mark_ns, self._clock.wall_ns()))
        self._settle()
        self._closing = True
        self.lanes.put(lambda: Close(self.session_ns))
        self._settle()
        self._deliveries.give(self._broker.close(self.session_ns))
        self._settle()
        self.lanes.poke_until(lambda lane: lane.durable)

    def _begin_close(self) -> None:
        """Let shards and ledger remember where they stand: a resume goes on from here until the results are written.

        In lockstep the close asks for more at the last mark, where a run that goes on asks at the next: before that.
        """
        if not self.config.lockstep:
            self._settle()
        self.lanes.poke_until(lambda lane: lane.durable)
        self._broker.begin_close(self.session_ns)

    def _settle(self) -> None:
        """Come to rest: everything sent, acknowledged, decided and given back."""
        while True:
            if self.config.lockstep:
                self._exchange()
            else:
                self.lanes.flush()
                self._links.settle()
                self._hear(self._links.news(wait=False))
            if not self._deliveries.empty_inbox() and self.lanes.idle:
                return
