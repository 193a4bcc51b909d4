"""A desk on simulated time whose parts can die at any call. A restarted part has only the state that was stored."""

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import msgspec
from pipeline_parts import START_NS, Row, Rows, StepClock

from desk.consumer.engine import Engine, EngineConfig, StrategyEntry
from desk.consumer.shard import Shard, ShardConfig, checkpoint_symbols
from desk.feeds.replay import BlockFeed
from desk.flow import LaneConfig
from desk.flow.routing_table import RoutingTable, slot_of
from desk.model.bars import Bar
from desk.model.batch import Ack, News, ShardBack, ShardLost
from desk.model.block_rows import BlockFeedCounts
from desk.model.checkpoint import (
    NO_TRADES,
    Checkpoint,
    LoggedTrades,
    ProducerState,
    decode_checkpoint,
    decode_producer,
    pack_logged_trades,
    unpack_bars,
    unpack_logged_trades,
)
from desk.model.commands import Deliver, MoveSlots
from desk.model.feed_position import FeedPosition
from desk.model.hours import ALWAYS_OPEN, TradingDay
from desk.model.orders import OrderEvent, Request
from desk.model.records import Decision, ScanAnswer
from desk.model.ticks import Event, Frame, class_of
from desk.model.units import SECOND_NS
from desk.orders import OrderManager, restore_manager
from desk.orders.broker_notes import CLOSING, read_closing
from desk.ports import AckWait, Feed, Wait
from desk.process.mailbox import ProcessMailbox
from desk.producer.loop import ProducerLoop
from desk.producer.parts import Beginning, ProducerConfig, ProducerPorts
from desk.producer.subscriptions import Subscriptions
from desk.scanning.market_view import MarketView
from desk.scanning.runner import ScannerRunner
from desk.scanning.scanner_calls import ScannerEntry
from desk.trading.risk_gate import RiskGate
from desk.trading.risk_limits import RiskLimits
from desk.venues.simulated import SimulatedVenue

NOTHING = Rows([Row(0)])
MAX_STEPS = 20_000
PRODUCER, BROKER, SCANNER, EVERYTHING, SHARD = range(5)
"""The part that dies; SHARD + n is shard n."""


class ProducerDead(Exception):
    """Raised in a call in which the producer dies."""


class EverythingDead(Exception):
    """Raised in a call in which every part dies; then the run is resumed."""


class BrokerDead(Exception):
    """Raised in a call in which the broker dies."""


class Death(NamedTuple):
    """A part dies `after` calls after the previous death; `how` selects which of its unfinished work is still done."""

    after: int
    part: int
    how: int = 0


class Move(NamedTuple):
    """At this second of the session a move of the symbol's slot to the shard is requested."""

    second: int
    symbol: str
    to: int


class CheckpointRecord(NamedTuple):
    """The bars of a checkpoint, and its order among all: by mark, then by move, epoch and number."""

    mark_ns: int
    last_move: int
    epoch: int
    number: int
    bars: list[Bar]
    final: bool


class KeeperFiles:
    """The keeper's files in memory: the newest checkpoint of each shard by (epoch, number), and all bars."""

    def __init__(self) -> None:
        self.last: dict[int, Checkpoint] = {}
        self.before_close: dict[int, Checkpoint | None] = {}
        self.records: list[CheckpointRecord] = []
        self.state: ProducerState | None = None

    def save(self, checkpoint: Checkpoint) -> None:
        last = self.last.get(checkpoint.shard)
        if last is not None and (checkpoint.epoch, checkpoint.number) <= (last.epoch, last.number):
            raise AssertionError(f"{checkpoint.epoch, checkpoint.number} after {last.epoch, last.number}")
        trades = {} if last is None else unpack_logged_trades(last.trades)
        for symbol, more in unpack_logged_trades(checkpoint.trades).items():
            before = trades.get(symbol, NO_TRADES)
            trades[symbol] = LoggedTrades(before.count + more.count, before.entries + more.entries)
        if checkpoint.final and (last is None or not last.final):
            self.before_close[checkpoint.shard] = last
        self.last[checkpoint.shard] = msgspec.structs.replace(checkpoint, trades=pack_logged_trades(trades))
        self.records.append(
            CheckpointRecord(
                checkpoint.session_ns,
                checkpoint.last_move,
                checkpoint.epoch,
                checkpoint.number,
                unpack_bars(checkpoint.bars),
                checkpoint.final,
            )
        )

    def undo_close(self) -> None:
        for shard, checkpoint in self.before_close.items():
            del self.last[shard]
            if checkpoint is not None:
                self.last[shard] = checkpoint
        self.before_close.clear()
        self.records = [record for record in self.records if not record.final]

    def save_producer(self, state: ProducerState) -> None:
        assert self.state is None or (self.state.epoch, self.state.mark_ns) <= (state.epoch, state.mark_ns)
        self.state = state

    def bars(self) -> dict[tuple[str, int], Bar]:
        ordered = sorted(self.records, key=lambda record: record[:4])
        return {(bar.symbol, bar.minute_ns): bar for record in ordered for bar in record.bars}


class DelayedMessage(NamedTuple):
    """A message that arrives at step `due`."""

    due: int
    number: int
    payload: bytes


class ShardKeeper:
    """A shard's keeper port: it stores a checkpoint after one delay, and confirms it after another."""

    def __init__(self, simulation: "CrashSimulation") -> None:
        self._simulation = simulation
        self._messages: deque[DelayedMessage] = deque()
        self._receipts: deque[DelayedMessage] = deque()
        self._confirmed = 0

    def save(self, number: int, checkpoint: bytes) -> None:
        self._messages.append(DelayedMessage(self._simulation.steps + self._simulation.save_delay, number, checkpoint))

    def confirmed(self) -> int:
        return self._confirmed

    def step(self, *, most: int | None = None) -> None:
        """Deliver the messages that are due, or with `most` that many messages at once."""
        steps = self._simulation.steps
        while self._messages and (self._messages[0].due <= steps if most is None else most > 0):
            message = self._messages.popleft()
            self._simulation.keep.save(decode_checkpoint(message.payload))
            self._receipts.append(DelayedMessage(steps + self._simulation.confirm_delay, message.number, b""))
            most = None if most is None else most - 1
        while self._receipts and self._receipts[0].due <= steps:
            self._confirmed = self._receipts.popleft().number

    def die(self, how: int) -> None:
        self.step(most=how % (len(self._messages) + 1))
        self._messages.clear()

    def latest(self, shard: int) -> Checkpoint | None:
        return self._simulation.keep.last.get(shard)

    def bars(self, symbols: Iterable[str]) -> list[Bar]:
        wanted = frozenset(symbols)
        return [bar for bar in self._simulation.keep.bars().values() if bar.symbol in wanted]


class ProducerKeeper(ShardKeeper):
    """The producer's keeper port: a newer state replaces states that were not delivered."""

    def save_producer(self, state: bytes) -> None:
        self._simulation.step()
        self._messages.clear()
        self._messages.append(DelayedMessage(self._simulation.steps + self._simulation.save_delay, 0, state))
        self._simulation.step()

    def step(self, *, most: int | None = None) -> None:
        if self._messages and (self._messages[0].due <= self._simulation.steps if most is None else most > 0):
            self._simulation.keep.save_producer(decode_producer(self._messages.popleft().payload))


class Ledger:
    """The ledger in memory, in the order of writing. `dies`: the broker dies before (1) or after (2) the next write."""

    def __init__(self) -> None:
        self.verdicts: dict[str, Decision] = {}
        self.events: dict[tuple[str, int], OrderEvent] = {}
        self.texts: dict[str, str] = {}
        self.dies = 0

    def record(
        self, decisions: Sequence[Decision], events: Sequence[OrderEvent], notes: Mapping[str, str] | None = None
    ) -> None:
        dies, self.dies = self.dies, 0
        if dies == 1:
            raise BrokerDead
        for decision in decisions:
            assert self.verdicts.setdefault(decision.intent.client_order_id, decision) == decision
        for event in events:
            assert self.events.setdefault((event.symbol, event.number), event) == event
        self.texts |= notes or {}
        if dies == 2:
            raise BrokerDead

    def undo_close(self) -> None:
        if CLOSING not in self.texts:
            return
        closing = read_closing(self.texts[CLOSING])
        self.events = {key: event for key, event in self.events.items() if key[1] <= closing.events.get(key[0], 0)}
        known = {event.client_order_id for event in self.events.values()}
        self.verdicts = {key: decision for key, decision in self.verdicts.items() if key in known}
        self.texts = closing.notes

    def decisions(self) -> list[Decision]:
        return list(self.verdicts.values())

    def history(self) -> tuple[list[Decision], list[OrderEvent]]:
        return self.decisions(), list(self.events.values())

    def notes(self) -> dict[str, str]:
        return dict(self.texts)


class ShardBroker:
    """A shard's broker port: the broker decides a request after a delay, unless the shard has died by then."""

    def __init__(self, simulation: "CrashSimulation") -> None:
        self._simulation = simulation
        self.requests: deque[tuple[int, Request]] = deque()

    def submit(self, request: Request) -> None:
        self.requests.append((self._simulation.steps + self._simulation.save_delay, request))

    def step(self, *, most: int | None = None) -> None:
        while self.requests and (self.requests[0][0] <= self._simulation.steps if most is None else most > 0):
            self._simulation.deliver(self._simulation.ask_broker(lambda manager: manager.decide(self.requests[0][1])))
            self.requests.popleft()
            most = None if most is None else most - 1

    def unanswered(self) -> list[Request]:
        return [request for _, request in self.requests]


class ProducerBroker:
    """The producer's broker port: it repeats a request after a restart of the broker."""

    def __init__(self, simulation: "CrashSimulation") -> None:
        self._simulation = simulation

    def _ask(self, question: Callable[[OrderManager], list[OrderEvent]]) -> list[OrderEvent]:
        self._simulation.step()
        answer = self._simulation.ask_broker(question)
        self._simulation.step()
        return answer

    def decide(self, request: Request) -> list[OrderEvent]:
        return self._ask(lambda manager: manager.decide(request))

    def events_after(self, numbers: Mapping[str, int]) -> list[OrderEvent]:
        return self._ask(lambda manager: manager.events_after(numbers))

    def begin_close(self, session_ns: int) -> None:
        def begin(manager: OrderManager) -> list[OrderEvent]:
            manager.begin_close(session_ns)
            return []

        self._ask(begin)

    def close(self, session_ns: int) -> list[OrderEvent]:
        return self._ask(lambda manager: manager.close(session_ns))


class ProducerScanners:
    """The scanner port: a question stays open until the scanners, or restarted scanners, answer it."""

    def __init__(self, simulation: "CrashSimulation") -> None:
        self._simulation = simulation
        self._question: tuple[int, list[str]] | None = None

    def ask(self, mark_ns: int, subscribed: Sequence[str]) -> bool:
        self._simulation.step()
        if not self._simulation.scanning.due(mark_ns):
            return False
        self._question = (mark_ns, list(subscribed))
        if self._simulation.save_delay % 2:
            self._simulation.scanning.scan(*self._question)
        return True

    def answers(self) -> list[ScanAnswer]:
        self._simulation.step()
        question, self._question = self._question, None
        return [] if question is None else self._simulation.scanning.scan(*question)

    def history(self, symbols: Sequence[str], until_ns: int) -> dict[str, list[Bar]]:
        return self._simulation.scanning.history(symbols, until_ns)

    def remembered(self, symbols: Sequence[str], until_ns: int) -> dict[str, bytes]:
        return self._simulation.scanning.remembered(symbols, until_ns)


class Consumer:
    """One incarnation of a shard, with the messages in transit to and from it."""

    def __init__(self, simulation: "CrashSimulation", number: int) -> None:
        self.number = number
        self.alive = True
        self.keeper = ShardKeeper(simulation)
        self.broker = ShardBroker(simulation)
        self.inbox: deque[tuple[int, CrashingLinks, bytes]] = deque()
        self._simulation = simulation
        desk = simulation.desk
        entries = desk.strategies
        engine = Engine(
            EngineConfig(
                "day",
                desk.start_ns,
                SECOND_NS,
                desk.revise_s * SECOND_NS,
                10**12,
                1.0,
                0.01,
                desk.hours,
                live=desk.source is None,
            ),
            entries,
            lambda: 0,
        )
        config = ShardConfig(number, simulation.next_epoch(), round(desk.checkpoint_s * SECOND_NS), desk.lockstep)
        self.shard = Shard(config, engine, simulation.clock, self.keeper, self.broker)
        checkpoint = self.keeper.latest(number)
        if checkpoint is not None:
            self.shard.restore(checkpoint, self.keeper.bars(checkpoint_symbols(checkpoint)))

    def step(self, *, most: int | None = None) -> None:
        while self.inbox and (self.inbox[0][0] <= self._simulation.steps if most is None else most > 0):
            _, links, batch = self.inbox.popleft()
            links.on_ack(self, self.shard.receive(batch))
            most = None if most is None else most - 1
        self.keeper.step()
        self.broker.step()

    def die(self, how: int) -> None:
        self.step(most=how % (len(self.inbox) + 1))
        self.inbox.clear()
        self.keeper.die(how // 2)
        self.broker.step(most=how // 3 % (len(self.broker.requests) + 1))
        self.alive = False


@dataclass
class Link:
    """The link to one shard: whether it is down, whether its position was requested, and the acks in transit."""

    peer: Consumer
    is_down: bool = False
    awaits_position: bool = False
    under_way: int = 0
    acks: deque[tuple[int, Ack]] = field(default_factory=deque)


class CrashingLinks:
    """Links that detect a death by an unanswered call. Acks in transit are lost with the shard."""

    def __init__(self, simulation: "CrashSimulation") -> None:
        self._simulation = simulation
        self._links: dict[int, Link] = {}

    def send(self, shard: int, batch: bytes) -> None:
        self._simulation.step()
        link = self._links[shard]
        assert not link.is_down, "a batch was sent to a shard that is down"
        link.under_way += 1
        link.peer.inbox.append((self._simulation.steps + self._simulation.apply_delay, self, batch))
        self._simulation.step()

    def on_ack(self, consumer: Consumer, ack: Ack) -> None:
        link = self._links[consumer.number]
        if link.peer is consumer:
            link.acks.append((self._simulation.steps + self._simulation.ack_delay, ack))

    def wait(self, wait: Wait, descriptors: Sequence[int] = ()) -> list[News]:
        if wait.until_ns:
            self._simulation.step()
            self._simulation.clock.wait(wait.until_ns, descriptors)
        match wait.acks:
            case AckWait.SKIP:
                return []
            case AckWait.LOOK:
                return self._look()
            case AckWait.ONE:
                return self._news()
            case AckWait.ALL:
                return self._drain()
            case AckWait.SETTLED:
                while any(link.peer.alive and link.peer.broker.requests for link in self._links.values()):
                    self._simulation.step()
                return self._look()

    def _news(self) -> list[News]:
        news = self._look()
        while not news and any(link.is_down or link.awaits_position or link.under_way for link in self._links.values()):
            news = self._look()
        return news

    def _drain(self) -> list[News]:
        news = self._look()
        while any(link.under_way for link in self._links.values()) and not any(
            link.is_down for link in self._links.values()
        ):
            news += self._look()
        return news or self._news()

    def locate(self, shard: int) -> None:
        link = self._links.setdefault(shard, Link(self._simulation.consumers[shard], is_down=True))
        link.awaits_position = not link.is_down

    def forget(self, shard: int) -> None:
        link = self._links.pop(shard)
        assert not link.under_way, "a link was removed with unacknowledged batches"

    def _look(self) -> list[News]:
        self._simulation.step()
        news: list[News] = []
        for number, link in self._links.items():
            while link.acks and link.acks[0][0] <= self._simulation.steps:
                news.append(link.acks.popleft()[1])
                link.under_way -= 1
            if (link.under_way or link.awaits_position) and not link.peer.alive:
                link.acks.clear()
                link.under_way = 0
                link.is_down, link.awaits_position = True, False
                news.append(ShardLost(number, "killed"))
            if link.is_down and number in self._simulation.consumers and self._simulation.consumers[number].alive:
                link.is_down, link.awaits_position = False, True
                link.peer = self._simulation.consumers[number]
            if link.awaits_position and link.peer.alive and not link.under_way:
                # Calls are answered in their order of arrival: the batches of a dead producer come first.
                link.peer.step(most=len(link.peer.inbox))
                link.awaits_position = False
                news.append(ShardBack(link.peer.shard.position()))
        return news


class CrashingClock(StepClock):
    """The producer's clock: each reading is a call in which the producer can die."""

    def __init__(self, simulation: "CrashSimulation") -> None:
        self._simulation = simulation

    def wall_ns(self) -> int:
        self._simulation.step()
        return self._simulation.clock.wall_ns()

    def wait(self, until_ns: int, descriptors: Sequence[int] = ()) -> None:
        self._simulation.clock.wait(until_ns, descriptors)


class LiveFrames:
    """A live feed: frames are lost while no producer runs. Ordinals rise with the frames."""

    lossless = False
    repeatable = False
    start_ns: int | None = None
    end_ns: int | None = None
    descriptor = None
    due_ns = 0

    def __init__(self, frames: deque[Frame], clock: StepClock, resume: FeedPosition | None) -> None:
        self.counts = BlockFeedCounts()
        if resume is not None:
            self.counts.restore(resume)
        self._mark_ns = 0 if resume is None else resume.mark_ns
        self._frames = frames
        self._clock = clock

    def subscribe(self, symbols: Iterable[str]) -> None:
        pass

    def unsubscribe(self, symbols: Iterable[str]) -> None:
        pass

    def hurry(self) -> None:
        pass

    def take_gaps(self) -> list[Any]:
        return []

    def position(self) -> FeedPosition:
        return self.counts.position(self._mark_ns)

    @property
    def ended(self) -> bool:
        return not self._frames

    def open(self) -> None:
        pass

    def read(self) -> Frame | None:
        frame = self._frames.popleft()
        ticks: list[Event] = []
        for tick in frame.ticks:
            self.counts.received[class_of(tick)] += 1
            ticks.append(msgspec.structs.replace(tick, received_ns=self._clock.now_ns))
        if frame.mark:
            self._mark_ns = frame.session_ns
        return msgspec.structs.replace(frame, ticks=ticks)

    def close(self) -> None:
        pass


@dataclass
class DeskSetup:
    """The configuration of a simulated desk: a tape in `source`, played at `speed`, or a live feed of `frames`."""

    always: Sequence[str]
    source: Rows | None = None
    speed: float | None = None
    frames: Sequence[Frame] = ()
    strategies: Sequence[StrategyEntry] = ()
    scanners: Callable[[], Sequence[ScannerEntry]] = tuple
    shards: int = 2
    capacity: int = 1_000
    window: int = 4
    max_batch_bytes: int = 90 * 1024
    retain_bytes: int = 1 << 20
    lockstep: bool = True
    start_ns: int = START_NS
    checkpoint_s: float = 0.0
    revise_s: int = 3_600
    limits: RiskLimits = field(default_factory=RiskLimits)
    hours: TradingDay = ALWAYS_OPEN


@dataclass
class Delays:
    """Delays in calls: of a batch, an ack, a message to keeper or broker, its confirmation, and a restart."""

    apply: int = 0
    ack: int = 0
    save: int = 0
    confirm: int = 0
    restart: int = 0


class CrashSimulation:
    """Plays a desk. Time is the number of calls; at each call a part can die, and messages arrive."""

    def __init__(
        self,
        desk: DeskSetup,
        deaths: Iterable[Death] = (),
        moves: Iterable[Move] = (),
        delays: Delays | None = None,
        stop_at: int = 0,
    ) -> None:
        delays = delays or Delays()
        self.stop_at = stop_at
        self.cut_at = 0
        self.desk = desk
        self.apply_delay, self.ack_delay = delays.apply, delays.ack
        self.save_delay, self.confirm_delay, self.restart_delay = delays.save, delays.confirm, delays.restart
        self.clock = StepClock()
        self.keep = KeeperFiles()
        self.ledger = Ledger()
        self.steps = 0
        self.died: list[Death] = []
        self._epoch = 0
        self._deaths = deque(deaths)
        self._countdown = self._deaths[0].after if self._deaths else -1
        self._moves = deque(sorted(moves))
        self._restart_at: dict[int, int] = {}
        self._frames = deque(desk.frames)
        self.producers = 0
        self.asleep: dict[int, Shard] = {}
        self.consumers: dict[int, Consumer] = {}
        self.consumers |= {number: Consumer(self, number) for number in range(desk.shards)}
        self.manager = self._manager()
        self.scanning = self._scanning()
        self.keeper = ProducerKeeper(self)
        self.loop: ProducerLoop = self._loop()

    def next_epoch(self) -> int:
        self._epoch += 1
        return self._epoch

    def play(self) -> "CrashSimulation":
        while True:
            try:
                self._play()
            except EverythingDead:
                self._resume()
                continue
            if not self.cut_at:
                return self
            self._resume()

    def _resume(self) -> None:
        """Resume after the death of all parts, like `desk run --resume`."""
        self.cut_at = self.stop_at = 0
        for consumer in self.consumers.values():
            if consumer.alive:
                consumer.die(0)
        self._restart_at.clear()
        self.keep.undo_close()
        self.ledger.undo_close()
        self.consumers = {number: Consumer(self, number) for number in self.consumers}
        self.manager, self.scanning = self._manager(), self._scanning()
        self.loop = self._successor()

    def _play(self) -> None:
        while True:
            try:
                for _ in self.loop.play():
                    self._move()
            except ProducerDead:
                self.loop = self._successor()
                if 0 < self.stop_at <= self.steps:
                    self.loop.stop()
                continue
            return

    def step(self) -> None:
        """Advance time: kill the parts and deliver the messages that are due. Raises ProducerDead."""
        self.steps += 1
        assert self.steps < MAX_STEPS, "the desk hangs"
        if self.steps == self.stop_at:
            self.loop.stop()
        if self.steps == self.cut_at:
            raise EverythingDead
        self._countdown -= 1
        if self._countdown == 0:
            death = self._deaths.popleft()
            self._countdown = self._deaths[0].after if self._deaths else -1
            self.died.append(death)
            self._kill(death)
        for number, at in list(self._restart_at.items()):
            if at <= self.steps:
                del self._restart_at[number]
                self.consumers[number] = Consumer(self, number)
        for consumer in self.consumers.values():
            if consumer.alive:
                consumer.step()
        self.keeper.step()

    def ask_broker(self, question: Callable[[OrderManager], list[OrderEvent]]) -> list[OrderEvent]:
        while True:
            try:
                return question(self.manager)
            except BrokerDead:
                self.manager = self._manager()

    def deliver(self, events: Iterable[OrderEvent]) -> None:
        self.mailbox.post(Deliver(list(events)))

    def _kill(self, death: Death) -> None:
        match death.part:
            case 0:
                self.keeper.step(most=death.how % 2)
                self._lose_sent(death.how // 2)
                raise ProducerDead
            case 1:
                if death.how % 3 == 0:
                    self.manager = self._manager()
                self.ledger.dies = death.how % 3
            case 2:
                self.scanning = self._scanning()
            case 3:
                for number in self.consumers:
                    self._kill_shard(number, death.how)
                self.manager = self._manager()
                self.scanning = self._scanning()
                raise ProducerDead
            case shard:
                self._kill_shard((shard - SHARD) % self.desk.shards, death.how)

    def _kill_shard(self, number: int, how: int) -> None:
        consumer = self.consumers.get(number)
        if consumer is not None and consumer.alive:
            consumer.die(how)
            self._restart_at[number] = self.steps + 1 + self.restart_delay

    def _lose_sent(self, how: int) -> None:
        """Lose some of the batches that a dead producer had sent."""
        for consumer in self.consumers.values():
            for _ in range(how % (len(consumer.inbox) + 1)):
                consumer.inbox.pop()

    def _successor(self) -> ProducerLoop:
        while True:
            try:
                return self._loop()
            except ProducerDead:
                continue

    def _loop(self) -> ProducerLoop:
        self.producers += 1
        self.mailbox = ProcessMailbox()
        desk = self.desk
        self.keeper = ProducerKeeper(self)
        clock = CrashingClock(self)
        epoch = self.next_epoch()
        state = self.keep.state
        feed: Feed
        if desk.source is None:
            feed = LiveFrames(self._frames, self.clock, None if state is None else state.feed)
        else:
            feed = BlockFeed(
                desk.source,
                self.clock,
                start_ns=desk.start_ns,
                speed=desk.speed,
                resume=None if state is None else state.feed,
            )
        self.feed = feed
        lane = LaneConfig(
            "producer",
            epoch,
            desk.capacity,
            desk.window,
            0,
            10**9,
            desk.capacity // 2,
            10 * SECOND_NS,
            feed.lossless,
            desk.max_batch_bytes,
            desk.retain_bytes,
        )
        history = desk.source is not None and desk.start_ns > desk.source.start_ns
        checkpoint_ns = round(desk.checkpoint_s * SECOND_NS)
        asleep = {number: shard.stats().lane for number, shard in self.asleep.items()}
        return ProducerLoop(
            ProducerConfig(epoch, desk.lockstep, desk.start_ns, 10 * SECOND_NS, checkpoint_ns, history),
            ProducerPorts(
                feed,
                CrashingLinks(self),
                ProducerBroker(self),
                ProducerScanners(self),
                self.keeper,
                clock,
                self.mailbox,
            ),
            Beginning(
                RoutingTable.even(range(desk.shards)),
                lane,
                Subscriptions(desk.always),
                list(self.consumers),
                state,
                asleep,
            ),
        )

    def _manager(self) -> OrderManager:
        return restore_manager(
            OrderManager("day", RiskGate(self.desk.limits), self.ledger, SimulatedVenue()), self.ledger
        )

    def _scanning(self) -> ScannerRunner:
        source, start_ns = self.desk.source, self.desk.start_ns
        assert source is not None or not self.desk.scanners()
        view = MarketView(source or NOTHING, start_ns)
        return ScannerRunner(view, self.desk.scanners(), start_ns, lambda: MarketView(source or NOTHING, start_ns))

    def _move(self) -> None:
        second = (self.loop.session_ns - START_NS) // SECOND_NS
        while self._moves and self._moves[0].second <= second:
            move = self._moves.popleft()
            self.mailbox.post(MoveSlots([slot_of(move.symbol)], move.to % self.desk.shards))

    # Results that must not depend on deaths

    def shards(self) -> list[Shard]:
        return [*self.asleep.values(), *(consumer.shard for consumer in self.consumers.values())]

    def bars(self) -> list[Bar]:
        return [bar for _, bar in sorted(self.keep.bars().items())]

    def strategies(self) -> dict[tuple[str, str], Any]:
        found = {}
        for shard in self.shards():
            for state in shard.engine.symbols.values():
                for instance in state.instances:
                    rng = instance.random_source
                    key = (state.symbol, instance.entry.name)
                    assert key not in found, f"{key} is on two shards"
                    found[key] = (
                        vars(instance.strategy),
                        instance.position,
                        instance.number,
                        instance.orders,
                        instance.stopped,
                        None if rng is None else rng.getstate(),
                    )
        return found

    def applied(self) -> dict[str, int]:
        audits = [shard.engine.audit for shard in self.shards()]
        return {
            "trades": sum(audit.trades for audit in audits),
            "quotes": sum(audit.quotes for audit in audits),
            "notices": sum(audit.notices for audit in audits),
            "rejected_notices": sum(sum(audit.rejected_notices.values()) for audit in audits),
            "bars_compared": sum(audit.bars_compared for audit in audits),
            "bars_equal": sum(audit.bars_equal for audit in audits),
            "rejected_trades": sum(sum(audit.rejected_trades.values()) for audit in audits),
            "rejected_quotes": sum(sum(audit.rejected_quotes.values()) for audit in audits),
            "intents": sum(audit.intents for audit in audits),
            "stopped": sum(len(audit.stopped) for audit in audits),
        }

    def events(self) -> list[OrderEvent]:
        """By mark, symbol and number. The events of the close come in rounds within one mark, in any order."""
        events = list(self.ledger.events.values())
        end_ns = max((event.given_ns for event in events), default=0)
        last = [event for event in events if event.given_ns == end_ns]
        before = [event for event in events if event.given_ns < end_ns]
        return sorted(before, key=lambda one: (one.given_ns, one.symbol, one.number)) + sorted(
            (msgspec.structs.replace(event, number=0) for event in last),
            key=lambda one: (one.symbol, one.client_order_id, one.filled, one.status),
        )

    def results(self) -> dict[str, Any]:
        counts = self.feed.counts
        return {
            "bars": self.bars(),
            "decisions": list(self.ledger.verdicts.values()),
            "events": self.events(),
            "notes": dict(sorted(self.ledger.texts.items())),
            "problems": self.manager.problems,
            "feed": self.loop.watch.report(),
            "positions": self.manager.positions(),
            "summary": self.manager.summary(),
            "strategies": self.strategies(),
            "applied": self.applied(),
            "received": counts.received,
            "rejected": counts.rejected,
            "skipped": counts.skipped,
            "mark": {consumer.shard.engine.mark_ns for consumer in self.consumers.values()},
        }

    def balance(self) -> dict[str, int]:
        """By class: ticks received less ticks accounted for."""
        left = dict(self.feed.counts.received)
        for kind, causes in self.feed.counts.rejected.items():
            left[kind] -= sum(causes.values())
        for shard in self.shards():
            stats, audit = shard.stats(), shard.engine.audit
            left["trades"] -= stats.lane.trades_aged + stats.lane.trades_full + audit.lost_trades + audit.trades
            left["quotes"] -= stats.lane.quotes_conflated + stats.lane.quotes_full + audit.lost_quotes + audit.quotes
            left["trades"] -= sum(audit.rejected_trades.values())
            left["quotes"] -= sum(audit.rejected_quotes.values())
            left["notices"] -= audit.notices + sum(audit.rejected_notices.values())
        return left


def differences(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Any]:
    """The results that differ. A bar without a price has NaN, which equals nothing: so texts are compared, too."""
    return {
        key: (value, second[key])
        for key, value in first.items()
        if value != second[key] and repr(value) != repr(second[key])
    }
