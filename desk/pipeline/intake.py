"""The producer's work: frames in, ticks routed into lanes, marks set, batches out, acks and order events in."""

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec

from desk.flow import Lane
from desk.flow.ladder import Ladder, LadderConfig
from desk.model.batch import Ack
from desk.model.errors import RunFailed
from desk.model.items import Close, Item, Second, Unwatch, Watch
from desk.model.orders import OrderEvent, Request
from desk.model.ticks import Frame, Quote, Tick
from desk.model.units import MS_NS
from desk.pipeline.overload import Overload
from desk.pipeline.subscriptions import ALL, Subscriptions
from desk.ports import BrokerDoor, Clock, Feed, LiveFeed, ScannerDoor, ShardLinks
from desk.routing import RoutingTable

FLUSH_NS = 50 * MS_NS
ACKS_NS = 20 * MS_NS
PATIENCE_BUSY_S = 0.001
PATIENCE_IDLE_S = 0.05
MAX_NOTES = 50


class IntakeConfig(msgspec.Struct, frozen=True):
    """How the producer works; see `[session]` and `[guards]` in the tradeplan.

    `lockstep`: every mark waits until its intents are decided and given back. `history_from_start`: the market
    has rows before the session's start, which warm up the symbols of the plan.
    """

    lockstep: bool
    session_start_ns: int
    max_data_latency_ns: int
    history_from_start: bool = False


class IntakeStats(msgspec.Struct, array_like=True):
    """What the producer sees at one moment, for the live table.

    `notes` are the latest of `noted`, newest last.
    """

    session_ns: int
    progress: float | None
    received: dict[str, int]
    subscribed: int
    wanted_by_scanners: int
    open_positions: int
    lanes: list[tuple[int, int, int, int, int, int, int]]
    notes: list[str]
    noted: int = 0


class Intake:
    """Runs a feed to its end, or until `stop`, and drains everything behind it.

    Everything that changes a shard goes through its lane, in the order set here.
    """

    def __init__(
        self,
        config: IntakeConfig,
        feed: Feed,
        table: RoutingTable,
        lanes: Mapping[int, Lane],
        links: ShardLinks,
        broker: BrokerDoor,
        scanner: ScannerDoor,
        clock: Clock,
        subscriptions: Subscriptions,
        *,
        live: LiveFeed | None = None,
    ) -> None:
        self.config = config
        self.feed = feed
        self.live = live
        self.subscriptions = subscriptions
        self.session_ns = config.session_start_ns
        self.notes: deque[str] = deque(maxlen=MAX_NOTES)
        self._noted = 0
        self._table = table
        self._lanes = dict(lanes)
        self._links = links
        self._broker = broker
        self._scanner = scanner
        self._clock = clock
        self._inbox: deque[OrderEvent] = deque()
        self._asked: Request = Request()
        self._scanning = False
        self._stopping = False
        self._closing = False
        self._feed_lag_ns = 0
        self._flushed_ns = 0
        self._acked_ns = 0
        self._lane_by_symbol: dict[str, Lane] = {}
        self._put = _Puts(self._meet)
        write_timeout_ns = next(iter(self._lanes.values())).config.write_timeout_ns
        ladder = Ladder(LadderConfig.of(write_timeout_ns, config.max_data_latency_ns))
        self.overload = Overload(ladder, self._lanes, live, self._note)

    def play(self, show: Callable[[], None]) -> None:
        """Run to the end. `show` is called after every frame. Raises what links, broker and scanners raise."""
        self._subscribe_first()
        for frame in self.feed.frames():
            self._take(frame)
            if frame.mark:
                self._mark(frame)
            else:
                self._pump()
            show()
            if self._stopping:
                break
        self._finish()

    def stop(self) -> None:
        """End after the current frame: what was taken in is drained, the books are closed."""
        self._stopping = True

    def deliver(self, events: Iterable[OrderEvent]) -> None:
        """Take committed order events in. May be called from another thread."""
        self._inbox.extend(events)

    def lane_of(self, symbol: str) -> Lane:
        """The lane of the shard that owns the symbol."""
        return self._lanes[self._table.shard_of(symbol)]

    def stats(self) -> IntakeStats:
        """What there is to see at this moment."""
        feed = self.feed
        progress = None
        if feed.start_ns is not None and feed.end_ns is not None and feed.end_ns > feed.start_ns:
            done = (self.session_ns - feed.start_ns) / (feed.end_ns - feed.start_ns)
            progress = min(max(done, 0.0), 1.0)
        lanes = []
        for lane in self._lanes.values():
            totals = lane.totals()
            dropped = totals.trades_aged + totals.trades_full + totals.quotes_full
            config = lane.config
            lanes.append(
                (
                    lane.shard,
                    lane.depth,
                    config.capacity,
                    len(lane.in_flight),
                    config.window_batches,
                    totals.quotes_conflated,
                    dropped,
                )
            )
        return IntakeStats(
            self.session_ns,
            progress,
            dict(feed.counts.received),
            len(self.subscriptions.symbols),
            self.subscriptions.wanted_by_scanners,
            self.subscriptions.open_positions,
            lanes,
            list(self.notes),
            self._noted,
        )

    def _note(self, text: str) -> None:
        self.notes.append(text)
        self._noted += 1

    def _subscribe_first(self) -> None:
        symbols = self.subscriptions.symbols
        start_ns = self.config.session_start_ns
        warm = self.config.history_from_start
        bars = self._scanner.history(symbols, start_ns) if warm else {}
        for symbol in symbols:
            if symbol != ALL:
                scanners = self.subscriptions.scanners_of(symbol)
                self.lane_of(symbol).put(Watch(symbol, start_ns, scanners, warm, bars.get(symbol, [])))
        self.feed.subscribe(symbols)

    def _take(self, frame: Frame) -> None:
        if frame.lag_ns is not None:
            self._feed_lag_ns = frame.lag_ns
        if frame.ticks:
            if self.feed.lossless:
                self._put_waiting(frame.ticks)
            else:
                self._put_or_drop(frame.ticks)
        self.session_ns = frame.session_ns

    def _put_waiting(self, ticks: list[Tick]) -> None:
        put = self._put
        most = min(lane.config.capacity for lane in self._lanes.values())
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
        if all(lane.takes(len(ticks), quotes=quotes) for lane in self._lanes.values()):
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

    def _meet(self, symbol: str) -> Lane:
        """The symbol's lane; with all symbols subscribed, one never seen before is watched first."""
        lane = self._lane_by_symbol.get(symbol)
        if lane is None:
            lane = self._lane_by_symbol[symbol] = self.lane_of(symbol)
            if self.subscriptions.meet(symbol):
                lane.put(Watch(symbol, self.session_ns, self.subscriptions.scanners_of(symbol)))
        return lane

    def _make_room(self, ticks: int) -> None:
        """Wait until every lane can take so many ticks (lossless feeds)."""
        while any(lane.room < ticks for lane in self._lanes.values()):
            if not self._send(hurry=True):
                self._take_acks(self._links.acks(wait=True))

    def _mark(self, frame: Frame) -> None:
        """Complete a second: mark every lane, decide what was asked (lockstep), let scanners take effect."""
        now_ns = self._clock.wall_ns()
        degraded = self.overload.hold or self._feed_lag_ns > self.config.max_data_latency_ns
        for lane in self._lanes.values():
            lane.put(Second(frame.session_ns, now_ns, self._feed_lag_ns, 0, degraded))
        if self.config.lockstep:
            self._exchange()
        else:
            self._pump()
        self._scan(frame.session_ns)

    def _exchange(self) -> None:
        """Carry out one lockstep round: what all shards ask at this mark is decided in one call."""
        self._flush(want_reply=True)
        request, self._asked = self._asked, Request()
        if request or (self._closing and request.prices):
            self._give(self._broker.decide(request))

    def _scan(self, mark_ns: int) -> None:
        """Let the answers asked for at the last mark take effect, then ask those that are due."""
        if self._scanning:
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
        self._scanning = self._scanner.ask(mark_ns, self.subscriptions.symbols)

    def _give(self, events: Iterable[OrderEvent]) -> None:
        for event in events:
            self.subscriptions.on_event(event)
            self.lane_of(event.symbol).put(event)

    def _empty_inbox(self) -> bool:
        events = []
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
            self._take_acks(self._links.acks(wait=False))

    def _pump_live(self, now_ns: int) -> None:
        """Asking for acks costs as much as sending: only when windows fill up, or now and then."""
        self.overload.control(now_ns)
        self._send()
        crowded = any(2 * len(lane.in_flight) >= lane.config.window_batches for lane in self._lanes.values())
        if crowded or now_ns - self._acked_ns >= ACKS_NS:
            self._acked_ns = now_ns
            self._take_acks(self._links.acks(wait=False))
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
            self._take_acks(self._links.drain())

    def _take_acks(self, acks: list[Ack]) -> None:
        for ack in acks:
            if ack.refused:
                raise RunFailed(
                    f"shard {ack.shard}",
                    f"it refused batch {ack.seq}: it has heard of a newer producer than this one",
                    "one producer at a time",
                    "End the other desk on this run folder, and run again.",
                )
            self._lanes[ack.shard].on_ack(ack)
            if ack.request is not None:
                self._asked.intents += ack.request.intents
                self._asked.reports += ack.request.reports
                self._asked.prices |= ack.request.prices

    def _finish(self) -> None:
        """Drain the lanes, close the session, and go on until nobody asks for anything more."""
        self._settle()
        self._closing = True
        for lane in self._lanes.values():
            lane.put(Close(self.session_ns))
        self._settle()
        self._give(self._broker.close(self.session_ns))
        self._settle()

    def _settle(self) -> None:
        """Come to rest: everything sent, acknowledged, decided and given back."""
        while True:
            if self.config.lockstep:
                self._exchange()
            else:
                self._flush()
                self._links.settle()
            if not self._empty_inbox() and all(lane.idle for lane in self._lanes.values()):
                return


class _Puts(dict[str, Callable[[Item], None]]):
    """For each symbol the append of its lane: what the hot loop of a lossless feed calls, and nothing more."""

    def __init__(self, lane_of: Callable[[str], Lane]) -> None:
        super().__init__()
        self._lane_of = lane_of

    def __missing__(self, symbol: str) -> Callable[[Item], None]:
        put = self[symbol] = self._lane_of(symbol).pending.items.append
        return put
