"""The producer's work: frames in, ticks routed into lanes, marks set, batches out, acks and order events in."""

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing

import msgspec

from desk.flow import Lane, LaneConfig
from desk.flow.ladder import Ladder, LadderConfig
from desk.model.batch import Ack, LaneTotals, News, Position, ShardBack, ShardLost
from desk.model.checkpoint import ProducerState
from desk.model.errors import RunFailed
from desk.model.items import Close, Gap, Item, Second, Unwatch, Watch
from desk.model.orders import OrderEvent, Request
from desk.model.records import GapRecord
from desk.model.ticks import Frame, Quote, Tick
from desk.model.units import MS_NS
from desk.pipeline.holding import Holding
from desk.pipeline.intake_stats import IntakeStats, lane_rows, progress_of
from desk.pipeline.moves import Moves
from desk.pipeline.overload import Overload
from desk.pipeline.states import ProducerStates
from desk.pipeline.subscriptions import ALL, Subscriptions
from desk.ports import BrokerDoor, Clock, Feed, KeeperDoor, LiveFeed, ScannerDoor, ShardLinks
from desk.routing import RoutingTable

FLUSH_NS = 50 * MS_NS
ACKS_NS = 20 * MS_NS
PATIENCE_BUSY_S = 0.001
PATIENCE_IDLE_S = 0.05
MAX_NOTES = 50
NEVER_NS = 1 << 62

_encode = msgspec.msgpack.Encoder().encode


class IntakeConfig(msgspec.Struct, frozen=True):
    """How the producer works; see `[session]`, `[flow]` and `[guards]` in the tradeplan.

    `epoch` is this incarnation's. `lockstep`: every mark waits until its intents are decided and given back.
    `history_from_start`: the market has rows before the session's start, which warm up the symbols of the plan.
    """

    epoch: int
    lockstep: bool
    session_start_ns: int
    max_data_latency_ns: int
    checkpoint_ns: int
    history_from_start: bool = False


class Intake:
    """Runs a feed to its end, or until `stop`, and drains everything behind it.

    Everything that changes a shard goes through its lane, in the order set here. A shard that dies is waited for,
    and given again what its successor has not; `state` is what a dead producer left, from which this one goes on.
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
    ) -> None:
        self.config = config
        self.feed = feed
        self.live = live
        self.subscriptions = subscriptions
        self.session_ns = config.session_start_ns if state is None else state.mark_ns
        self.notes: deque[str] = deque(maxlen=MAX_NOTES)
        self.problems: list[str] = []
        self.gaps: list[GapRecord] = [] if state is None else list(state.gaps)
        self._noted = 0
        self._lane_config = lane_config
        self._links = links
        self._broker = broker
        self._scanner = scanner
        self._clock = clock
        self._from = state
        self._inbox: deque[OrderEvent] = deque()
        self._decided: deque[OrderEvent] = deque()
        self._asked: Request = Request()
        self._unasked = False
        self._asked_ns: int | None = None if state is None else state.asked_ns
        self._stopping = False
        self._closing = False
        self._feed_lag_ns = 0 if state is None else state.feed_lag_ns
        self._flushed_ns = 0
        self._acked_ns = 0
        self._lanes: dict[int, Lane] = {}
        self._lane_by_symbol: dict[str, Lane | Holding] = {}
        self._put = _Puts(self._meet)
        shards = sorted(set(table.shards))
        moves = 0 if state is None else state.moves
        self.moves = Moves(table, moves, self._rerouted, waits=feed.lossless, tell=self._note)
        self._states = ProducerStates(config.checkpoint_ns, keeper, shards)
        if state is not None:
            subscriptions.restore(state.subscriptions)
        ladder = Ladder(LadderConfig.of(lane_config.write_timeout_ns, config.max_data_latency_ns))
        self.overload = Overload(ladder, self._lanes, live, lane_config.write_timeout_ns, self._note)

    def play(self, show: Callable[[], None]) -> None:
        """Run to the end. `show` is called after every frame. Raises what links, broker and scanners raise."""
        self._begin()
        with closing(self.feed.frames()) as frames:
            for frame in frames:
                self._take(frame)
                if frame.mark:
                    self._mark(frame)
                else:
                    self._pump()
                show()
                if self._stopping:
                    break
        self._take_gaps()
        self._finish()

    def stop(self) -> None:
        """End after the current frame: what was taken in is drained, the books are closed."""
        self._stopping = True

    def deliver(self, events: Iterable[OrderEvent]) -> None:
        """Take committed order events in. May be called from another thread."""
        self._inbox.extend(events)

    def move(self, slots: Iterable[int], to: int) -> None:
        """Let these slots belong to another shard soon. May be called from another thread."""
        self.moves.wish(slots, to)

    def lane_of(self, symbol: str) -> Lane | Holding:
        """The lane of the shard that owns the symbol, or what stands for it while the symbol is on its way."""
        return self.moves.holding(symbol) or self._lanes[self.moves.table.shard_of(symbol)]

    def stats(self) -> IntakeStats:
        """What there is to see at this moment."""
        counts = self.feed.counts
        return IntakeStats(
            self.session_ns,
            progress_of(self.feed, self.session_ns),
            dict(counts.received),
            len(self.subscriptions.symbols),
            self.subscriptions.wanted_by_scanners,
            self.subscriptions.open_positions,
            lane_rows(self._lanes.values()),
            list(self.notes),
            self._noted,
            [lane.shard for lane in self._lanes.values() if lane.down],
            list(self.gaps),
            {kind: dict(causes) for kind, causes in counts.rejected.items()},
            dict(counts.skipped),
            self.moves.table.version,
            self.moves.done,
            self.moves.wished or self.moves.under_way,
            self.moves.table.shards,
            self.moves.pauses.snapshot(),
        )

    def _note(self, text: str) -> None:
        self.notes.append(text)
        self._noted += 1

    def _begin(self) -> None:
        """Begin the session, or take it up where another producer left it."""
        positions = self._links.positions()
        for position in sorted(positions, key=lambda position: position.shard):
            totals = self._totals_of(position)
            lane = Lane(position.shard, self._lane_config, self.moves.table.version, totals=totals)
            lane.mark_ns = 0 if self._from is None else self._from.mark_ns
            self._lanes[position.shard] = lane
            self._states.durable(position.shard, position.durable_mark_ns)
        if any(position.adopted or position.released for position in positions):
            positions = self._firm(positions)
            self.moves.take_up(positions, self._lanes, self._clock.wall_ns())
        if not self.feed.repeatable:
            self._count_again(positions)
        if self._from is None:
            self._watch_first()
        self.feed.subscribe(self.subscriptions.symbols)
        self._give_again()
        if self._from is not None:
            self._note(f"the producer goes on from the mark at {self._from.mark_ns}")
            if self._asked_ns is not None and not self._scanner.ask(self._asked_ns, self.subscriptions.symbols):
                self._asked_ns = None
            self._scan(self._from.mark_ns)

    def _totals_of(self, position: Position) -> LaneTotals | None:
        """What a lane begins to count from: what its shard knows, or where ticks come again, what the state knew."""
        if not self.feed.repeatable:
            return position.lane
        return None if self._from is None or self.feed.lossless else self._from.lanes.get(position.shard)

    def _firm(self, positions: Iterable[Position]) -> list[Position]:
        """Where the shards stand, once none of them can fall back behind it: moves are judged by that."""
        lanes = [self._lanes[position.shard] for position in positions]
        while not all(lane.confirmed for lane in lanes):
            self._poke(lane for lane in lanes if not lane.confirmed)
            self._send(hurry=True)
            self._hear(self._links.drain())
        return self._links.positions()

    def _count_again(self, positions: Iterable[Position]) -> None:
        """What a dead producer of a live feed had received: what it cut or dropped, and what its feed rejected."""
        counts = self.feed.counts
        lanes = [position.lane for position in positions]
        for kind in counts.received:
            lost_in_lanes = sum(getattr(lane, kind) for lane in lanes)
            counts.received[kind] = lost_in_lanes + sum(counts.rejected.get(kind, {}).values())

    def _give_again(self) -> None:
        """Find the order events that shards or subscriptions may lack, and let each have its place in a lane again.

        A shard that is lost later may come back at any mark from this producer's first one on: so each event goes
        behind the mark at which it was given, as it did the first time; of earlier marks, none is missed in lockstep.
        Shards ignore those that they have. Live, that time does not come again.
        """
        from_ns = self.session_ns if self.config.lockstep else 0
        events = [event for event in self._broker.events_after({}) if event.given_ns >= from_ns]
        self._decided.extend(sorted(events, key=lambda event: event.given_ns))
        self._give_decided(everything=not self.feed.lossless)

    def _give_decided(self, *, everything: bool = False) -> None:
        """Give what was decided up to this mark before this producer's time."""
        decided = self._decided
        while decided and (everything or decided[0].given_ns <= self.session_ns):
            self._give([decided.popleft()])

    def _watch_first(self) -> None:
        symbols = self.subscriptions.symbols
        start_ns = self.config.session_start_ns
        warm = self.config.history_from_start
        bars = self._scanner.history(symbols, start_ns) if warm else {}
        for symbol in symbols:
            if symbol != ALL:
                scanners = self.subscriptions.scanners_of(symbol)
                self.lane_of(symbol).put(Watch(symbol, start_ns, scanners, warm, bars.get(symbol, [])))

    def _take(self, frame: Frame) -> None:
        if frame.lag_ns is not None:
            self._feed_lag_ns = frame.lag_ns
        if frame.ticks:
            if self.feed.lossless:
                self._put_waiting(frame.ticks)
            else:
                self._put_or_drop(frame.ticks)
        self.session_ns = frame.session_ns
        self._take_gaps()

    def _take_gaps(self) -> None:
        for gap in self.feed.take_gaps():
            self.gaps.append(GapRecord(gap.from_ns, gap.to_ns, len(self.subscriptions.symbols), gap.why))
            for lane in self._lanes.values():
                lane.put(Gap(gap.from_ns, gap.to_ns, gap.why))

    def _put_waiting(self, ticks: list[Tick]) -> None:
        put = self._put
        most = self._lane_config.capacity
        for first in range(0, len(ticks), most):
            part = ticks[first : first + most]
            self._make_room(len(part))
            for tick in part:
                put[tick.symbol](tick)

    def _put_or_drop(self, ticks: Sequence[Tick]) -> None:
        now_ns = self._clock.wall_ns()
        put = self._put
        ticks = self.overload.admit(ticks, now_ns, self._meet)
        quotes = Quote in map(type, ticks)
        if not self.moves.held and all(lane.takes(len(ticks), quotes=quotes) for lane in self._lanes.values()):
            for tick in ticks:
                put[tick.symbol](tick)
            return
        for tick in ticks:
            self._meet(tick.symbol).offer(tick, now_ns)
        for lane in self._lanes.values():
            if lane.crossed_threshold():
                self._note(
                    f"lane {lane.shard} holds {lane.depth:,} ticks, above lag_threshold {lane.config.lag_threshold:,}"
                )

    def _meet(self, symbol: str) -> Lane | Holding:
        """The symbol's lane; with all symbols subscribed, one never seen before is watched first."""
        lane = self._lane_by_symbol.get(symbol)
        if lane is None:
            lane = self._lane_by_symbol[symbol] = self.lane_of(symbol)
            if self.subscriptions.meet(symbol):
                lane.put(Watch(symbol, self.session_ns, self.subscriptions.scanners_of(symbol)))
        return lane

    def _rerouted(self) -> None:
        self._lane_by_symbol.clear()
        self._put.clear()

    def _make_room(self, ticks: int) -> None:
        """Wait until every lane can take so many ticks (lossless feeds)."""
        while any(lane.room < ticks for lane in self._lanes.values()):
            self._poke(lane for lane in self._lanes.values() if lane.needs_checkpoint)
            if not self._send(hurry=True):
                self._hear(self._links.news(wait=True))

    def _poke(self, lanes: Iterable[Lane]) -> None:
        """Ask for a checkpoint, and so for what is durable, where nothing else would be sent."""
        for lane in lanes:
            if not lane.in_flight and (batch := lane.poke(self._clock.wall_ns(), checkpoint=True)) is not None:
                self._links.send(lane.shard, batch)

    def _mark(self, frame: Frame) -> None:
        """Complete a second: mark every lane, decide what was asked (lockstep), let scanners take effect."""
        now_ns = self._clock.wall_ns()
        degraded = self.overload.hold or self._feed_lag_ns > self.config.max_data_latency_ns
        for lane in self._lanes.values():
            lane.put(Second(frame.session_ns, now_ns, self._feed_lag_ns, 0, degraded))
        self.moves.mark(Second(frame.session_ns, now_ns, self._feed_lag_ns, 0, degraded))
        if self.config.lockstep:
            self._exchange()
        else:
            self._give_decided()
            self._pump()
        if self.feed.lossless:
            self._move_between_marks(self.session_ns)
        if self._states.due(now_ns):
            self._states.add(self._state(frame.session_ns), now_ns)
        self._scan(frame.session_ns)

    def _state(self, mark_ns: int) -> ProducerState:
        counts = self.feed.counts
        return ProducerState(
            self.config.epoch,
            mark_ns,
            self._asked_ns,
            dict(counts.received),
            {kind: dict(causes) for kind, causes in counts.rejected.items()},
            dict(counts.skipped),
            list(counts.examples),
            self.subscriptions.state(),
            _encode(self.moves.table),
            self.moves.number,
            list(self.gaps),
            self._feed_lag_ns,
            {shard: lane.totals() for shard, lane in self._lanes.items()},
        )

    def _move_between_marks(self, mark_ns: int) -> None:
        """A feed that waits stands still while slots move: moves are made there and then, and outlive any death."""
        moves = self.moves
        while (moves.wished and moves.begin(self._lanes, mark_ns, self._clock.wall_ns())) or moves.under_way:
            self._unasked = True
            self._flush()
            self._poke(self._lanes[shard] for shard in moves.unsaved)
            self._hear(self._links.drain())

    def _exchange(self) -> None:
        """Carry out one lockstep round: what all shards ask at this mark is decided in one call."""
        self._flush(want_reply=True)
        self._unasked = False
        request, self._asked = self._asked, Request()
        self._give_decided()
        if request or (self._closing and request.prices):
            request.mark_ns = self.session_ns
            self._give(self._broker.decide(request))

    def _scan(self, mark_ns: int) -> None:
        """Let the answers asked for at the last mark take effect, then ask those that are due."""
        if self._asked_ns is not None:
            bars = {}
            for answer in self._scanner.answers(wait=True):
                self.subscriptions.want(answer.scanner, answer.symbols)
                bars.update(answer.bars)
                if answer.problem:
                    self._note(answer.problem)
            new, changed, gone = self.subscriptions.changes()
            for symbol in gone:
                self.lane_of(symbol).put(Unwatch(symbol, mark_ns))
            for symbol in (*changed, *new):
                warm = symbol in bars
                scanners = self.subscriptions.scanners_of(symbol)
                self.lane_of(symbol).put(Watch(symbol, mark_ns, scanners, warm, bars.get(symbol, [])))
            self.feed.unsubscribe(gone)
            self.feed.subscribe(new)
        self._asked_ns = mark_ns if self._scanner.ask(mark_ns, self.subscriptions.symbols) else None

    def _give(self, events: Iterable[OrderEvent]) -> None:
        for event in events:
            self.subscriptions.on_event(event)
            self.lane_of(event.symbol).put(event)

    def _empty_inbox(self) -> bool:
        events = []
        if self._inbox:
            self._give_decided(everything=True)
        while self._inbox:
            events.append(self._inbox.popleft())
        self._give(events)
        return bool(events)

    def _pump(self) -> None:
        """Send what is worth sending: full batches of a lossless feed, everything else as the lanes will have it."""
        self._empty_inbox()
        now_ns = self._clock.wall_ns()
        if not self.feed.lossless:
            self._pump_live(now_ns)
            return
        full_only = now_ns - self._flushed_ns < FLUSH_NS
        if not full_only:
            self._flushed_ns = now_ns
        if self._send(full_only=full_only):
            self._hear(self._links.news(wait=False))

    def _pump_live(self, now_ns: int) -> None:
        """Asking for acks costs as much as sending: only when windows fill up, or now and then."""
        self.overload.control(now_ns)
        if self.moves.wished:
            self.moves.begin(self._lanes, self.session_ns, now_ns)
        self._send()
        crowded = any(2 * len(lane.in_flight) >= lane.config.window_batches for lane in self._lanes.values())
        if crowded or now_ns - self._acked_ns >= ACKS_NS:
            self._acked_ns = now_ns
            self._hear(self._links.news(wait=False))
        if self.live is not None:
            waiting = any(lane.depth for lane in self._lanes.values())
            self.live.patience_s = PATIENCE_BUSY_S if waiting else PATIENCE_IDLE_S

    def _send(self, *, hurry: bool = False, full_only: bool = False, want_reply: bool = False) -> bool:
        """Cut and send while windows are open; whether anything went out."""
        sent = False
        for lane in self._lanes.values():
            while (
                batch := lane.cut(self._clock.wall_ns(), hurry=hurry, full_only=full_only, want_reply=want_reply)
            ) is not None:
                self._links.send(lane.shard, batch)
                self.overload.batches += 1
                sent = True
        return sent

    def _flush(self, *, want_reply: bool = False) -> None:
        """Send everything and wait until it is acknowledged."""
        while not all(lane.idle for lane in self._lanes.values()):
            self._send(hurry=True, want_reply=want_reply)
            self._hear(self._links.drain())

    def _hear(self, news: Iterable[News]) -> None:
        for told in news:
            match told:
                case Ack():
                    self._on_ack(told)
                case ShardLost():
                    self._lanes[told.shard].lost()
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
        fresh = self._lanes[ack.shard].on_ack(ack)
        self._states.durable(ack.shard, ack.durable_mark_ns)
        self.moves.on_ack(ack, self._lanes, self._clock.wall_ns())
        if fresh and ack.request is not None:
            self._asked.intents += ack.request.intents
            self._asked.reports += ack.request.reports
            self._asked.prices |= ack.request.prices

    def _on_back(self, position: Position) -> None:
        lane = self._lanes[position.shard]
        lane.back(position, self._clock.wall_ns())
        self._note(f"shard {position.shard} is back, restored up to batch {position.seq} (epoch {position.epoch})")
        for item, _ in lane.quarantined:
            self.problems.append(f"shard {position.shard} died on {item!r} twice: it was left out")
        lane.quarantined.clear()

    def _finish(self) -> None:
        """Drain the lanes, close the session, and go on until nobody asks for anything more and all is kept."""
        self.moves.give_up_wishes()
        if self.feed.lossless:
            self._move_between_marks(NEVER_NS)
        while self.moves.under_way:
            self._flush()
        if self._unasked:
            # What the last order events made of the shards' strategies was not asked for: the same mark asks again.
            for lane in self._lanes.values():
                lane.put(Second(lane.mark_ns, self._clock.wall_ns()))
        self._settle()
        self._closing = True
        for lane in self._lanes.values():
            lane.put(Close(self.session_ns))
        self._settle()
        self._give(self._broker.close(self.session_ns))
        self._settle()
        while not all(lane.durable for lane in self._lanes.values()):
            self._poke(lane for lane in self._lanes.values() if not lane.durable)
            self._send(hurry=True)
            self._hear(self._links.drain())

    def _settle(self) -> None:
        """Come to rest: everything sent, acknowledged, decided and given back."""
        while True:
            if self.config.lockstep:
                self._exchange()
            else:
                self._flush()
                self._links.settle()
                self._hear(self._links.news(wait=False))
            if not self._empty_inbox() and all(lane.idle for lane in self._lanes.values()):
                return


class _Puts(dict[str, Callable[[Item], None]]):
    """For each symbol the append of its lane: what the hot loop of a lossless feed calls, and nothing more."""

    def __init__(self, lane_of: Callable[[str], Lane | Holding]) -> None:
        super().__init__()
        self._lane_of = lane_of

    def __missing__(self, symbol: str) -> Callable[[Item], None]:
        lane = self._lane_of(symbol)
        assert isinstance(lane, Lane), "appended to a lane while its symbol is on its way"
        put = self[symbol] = lane.pending.items.append
        return put
