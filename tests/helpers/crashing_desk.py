"""A desk whose parts may die at any call; a restarted part has only the state that its predecessor stored elsewhere."""

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import msgspec
from pipeline_parts import START_NS, Clock, Row, Rows

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
from desk.model.orders import OrderEvent, Request
from desk.model.records import Decision, ScanAnswer
from desk.model.ticks import Frame, Quote, Tick
from desk.model.units import SECOND_NS
from desk.orders import OrderManager, restore_manager
from desk.orders.broker_notes import CLOSING, read_closing
from desk.ports import AckWait, Feed, Wait
from desk.process.mailbox import ProcessMailbox
from desk.producer.loop import ProducerLoop
from desk.producer.parts import Beginning, ProducerConfig, ProducerPorts
from desk.producer.subscriptions import Subscriptions
from desk.scanning.market_view import MarketView
from desk.scanning.runner import ScannerEntry, ScannerRunner
from desk.trading.risk_gate import RiskGate
from desk.trading.risk_limits import RiskLimits
from desk.venues.simulated import SimulatedVenue

NOTHING = Rows([Row(0)])
MAX_STEPS = 20_000
PRODUCER, BROKER, SCANNER, EVERYTHING, SHARD = range(5)
"""Who dies; SHARD + n is shard n."""


class ProducerDead(Exception):
    """The producer dies here."""


class EverythingDead(Exception):
    """Everything dies here, and the run is resumed."""


class BrokerDead(Exception):
    """The broker dies here."""


class Death(NamedTuple):
    """This part dies after so many calls since the last death; `how` chooses which of its unfinished work is done."""

    after: int
    who: int
    how: int = 0


class Move(NamedTuple):
    """From this second of the session on, the symbol's slot is to belong to that shard."""

    second: int
    symbol: str
    to: int


class KeptRecord(NamedTuple):
    """A checkpoint's place among all: the later mark is final, then the higher move, epoch and number."""

    mark_ns: int
    last_move: int
    epoch: int
    number: int
    bars: list[Bar]
    final: bool


class KeeperFiles:
    """The keeper's files in memory: per shard what is above the last by (epoch, number), and all bars."""

    def __init__(self) -> None:
        self.last: dict[int, Checkpoint] = {}
        self.before_close: dict[int, Checkpoint | None] = {}
        self.records: list[KeptRecord] = []
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
            KeptRecord(
                checkpoint.session_ns,
                checkpoint.last_move,
                checkpoint.epoch,
                checkpoint.number,
                unpack_bars(checkpoint.bars),
                checkpoint.final,
            )
        )

    def take_back_close(self) -> None:
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


class Letter(NamedTuple):
    """A message in transit, which arrives at this step."""

    due: int
    number: int
    payload: bytes


class ShardKeeper:
    """A shard's keeper: checkpoints are stored after a delay, and confirmed after another."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self._letters: deque[Letter] = deque()
        self._receipts: deque[Letter] = deque()
        self._confirmed = 0

    def save(self, number: int, checkpoint: bytes) -> None:
        self._letters.append(Letter(self._world.steps + self._world.save_delay, number, checkpoint))

    def confirmed(self) -> int:
        return self._confirmed

    def step(self, *, most: int | None = None) -> None:
        """Deliver what is due, or so many letters whatever is due."""
        steps = self._world.steps
        while self._letters and (self._letters[0].due <= steps if most is None else most > 0):
            letter = self._letters.popleft()
            self._world.keep.save(decode_checkpoint(letter.payload))
            self._receipts.append(Letter(steps + self._world.confirm_delay, letter.number, b""))
            most = None if most is None else most - 1
        while self._receipts and self._receipts[0].due <= steps:
            self._confirmed = self._receipts.popleft().number

    def die(self, how: int) -> None:
        self.step(most=how % (len(self._letters) + 1))
        self._letters.clear()

    def latest(self, shard: int) -> Checkpoint | None:
        return self._world.keep.last.get(shard)

    def bars(self, symbols: Iterable[str]) -> list[Bar]:
        wanted = frozenset(symbols)
        return [bar for bar in self._world.keep.bars().values() if bar.symbol in wanted]


class ProducerKeeper(ShardKeeper):
    """The producer's keeper: a newer state replaces those not delivered yet."""

    def save_producer(self, state: bytes) -> None:
        self._world.step()
        self._letters.clear()
        self._letters.append(Letter(self._world.steps + self._world.save_delay, 0, state))
        self._world.step()

    def step(self, *, most: int | None = None) -> None:
        if self._letters and (self._letters[0].due <= self._world.steps if most is None else most > 0):
            self._world.keep.save_producer(decode_producer(self._letters.popleft().payload))


class Ledger:
    """The ledger in memory, in the order of writing. Its broker may die before or after it has written."""

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

    def take_back_close(self) -> None:
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
    """A shard's broker port: requests are decided after a delay, and lost if the shard dies before."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self.requests: deque[tuple[int, Request]] = deque()

    def submit(self, request: Request) -> None:
        self.requests.append((self._world.steps + self._world.save_delay, request))

    def step(self, *, most: int | None = None) -> None:
        while self.requests and (self.requests[0][0] <= self._world.steps if most is None else most > 0):
            self._world.deliver(self._world.asked(lambda manager: manager.decide(self.requests[0][1])))
            self.requests.popleft()
            most = None if most is None else most - 1

    def unanswered(self) -> list[Request]:
        return [request for _, request in self.requests]


class ProducerBroker:
    """The producer's broker port: a request is repeated after the broker's restart."""

    def __init__(self, world: "World") -> None:
        self._world = world

    def _ask(self, question: Callable[[OrderManager], list[OrderEvent]]) -> list[OrderEvent]:
        self._world.step()
        answer = self._world.asked(question)
        self._world.step()
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
    """The scanner port: a question stays open until the scanners, or restarted ones, answer it."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self._question: tuple[int, list[str]] | None = None

    def ask(self, mark_ns: int, subscribed: Sequence[str]) -> bool:
        self._world.step()
        if not self._world.scanning.due(mark_ns):
            return False
        self._question = (mark_ns, list(subscribed))
        if self._world.save_delay % 2:
            self._world.scanning.scan(*self._question)
        return True

    def answers(self) -> list[ScanAnswer]:
        self._world.step()
        question, self._question = self._question, None
        return [] if question is None else self._world.scanning.scan(*question)

    def history(self, symbols: Sequence[str], until_ns: int) -> dict[str, list[Bar]]:
        return self._world.scanning.history(symbols, until_ns)

    def remembered(self, symbols: Sequence[str], until_ns: int) -> dict[str, bytes]:
        return self._world.scanning.remembered(symbols, until_ns)


class Consumer:
    """One incarnation of a shard, with the messages in transit to and from it."""

    def __init__(self, world: "World", number: int) -> None:
        self.number = number
        self.alive = True
        self.keeper = ShardKeeper(world)
        self.broker = ShardBroker(world)
        self.inbox: deque[tuple[int, CrashingLinks, bytes]] = deque()
        self._world = world
        desk = world.desk
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
                live=desk.source is None,
            ),
            entries,
            lambda: 0,
        )
        config = ShardConfig(number, world.next_epoch(), round(desk.checkpoint_s * SECOND_NS), desk.lockstep)
        self.shard = Shard(config, engine, world.clock, self.keeper, self.broker)
        checkpoint = self.keeper.latest(number)
        if checkpoint is not None:
            self.shard.restore(checkpoint, self.keeper.bars(checkpoint_symbols(checkpoint)))

    def step(self, *, most: int | None = None) -> None:
        while self.inbox and (self.inbox[0][0] <= self._world.steps if most is None else most > 0):
            _, links, batch = self.inbox.popleft()
            links.answered(self, self.shard.receive(batch))
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
    """One shard as a producer's links see it."""

    peer: Consumer
    missed: bool = False
    asked: bool = False
    under_way: int = 0
    acks: deque[tuple[int, Ack]] = field(default_factory=deque)


class CrashingLinks:
    """Links that detect a death by an unanswered call: answers in transit are lost with the shard."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self._links: dict[int, Link] = {}

    def send(self, shard: int, batch: bytes) -> None:
        self._world.step()
        link = self._links[shard]
        assert not link.missed, "sent to a shard that is told as lost"
        link.under_way += 1
        link.peer.inbox.append((self._world.steps + self._world.apply_delay, self, batch))
        self._world.step()

    def answered(self, consumer: Consumer, ack: Ack) -> None:
        link = self._links[consumer.number]
        if link.peer is consumer:
            link.acks.append((self._world.steps + self._world.ack_delay, ack))

    def wait(self, wait: Wait, descriptors: Sequence[int] = ()) -> list[News]:
        if wait.until_ns:
            self._world.step()
            self._world.clock.wait(wait.until_ns, descriptors)
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
                    self._world.step()
                return self._look()

    def _news(self) -> list[News]:
        told = self._look()
        while not told and any(link.missed or link.asked or link.under_way for link in self._links.values()):
            told = self._look()
        return told

    def _drain(self) -> list[News]:
        told = self._look()
        while any(link.under_way for link in self._links.values()) and not any(
            link.missed for link in self._links.values()
        ):
            told += self._look()
        return told or self._news()

    def locate(self, shard: int) -> None:
        link = self._links.setdefault(shard, Link(self._world.consumers[shard], missed=True))
        link.asked = not link.missed

    def forget(self, shard: int) -> None:
        link = self._links.pop(shard)
        assert not link.under_way, "dismissed with something under way"

    def _look(self) -> list[News]:
        self._world.step()
        told: list[News] = []
        for number, link in self._links.items():
            while link.acks and link.acks[0][0] <= self._world.steps:
                told.append(link.acks.popleft()[1])
                link.under_way -= 1
            if (link.under_way or link.asked) and not link.peer.alive:
                link.acks.clear()
                link.under_way = 0
                link.missed, link.asked = True, False
                told.append(ShardLost(number, "killed"))
            if link.missed and number in self._world.consumers and self._world.consumers[number].alive:
                link.missed, link.asked = False, True
                link.peer = self._world.consumers[number]
            if link.asked and link.peer.alive and not link.under_way:
                # Calls are answered in the order in which they come in: what a dead producer sent was there before.
                link.peer.step(most=len(link.peer.inbox))
                link.asked = False
                told.append(ShardBack(link.peer.shard.position()))
        return told


class CrashingClock(Clock):
    """The producer's clock: reading it is a call at which the producer may die."""

    def __init__(self, world: "World") -> None:
        self._world = world

    def wall_ns(self) -> int:
        self._world.step()
        return self._world.clock.wall_ns()

    def wait(self, until_ns: int, descriptors: Sequence[int] = ()) -> None:
        self._world.clock.wait(until_ns, descriptors)


class Frames:
    """A feed that cannot wait: frames are lost while no producer runs. Ordinals rise with the frames."""

    lossless = False
    repeatable = False
    start_ns: int | None = None
    end_ns: int | None = None
    descriptor = None
    due_ns = 0

    def __init__(self, frames: deque[Frame], clock: Clock, resume: FeedPosition | None) -> None:
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
        ticks: list[Tick] = []
        for tick in frame.ticks:
            self.counts.received["quotes" if isinstance(tick, Quote) else "trades"] += 1
            ticks.append(msgspec.structs.replace(tick, received_ns=self._clock.now_ns))
        if frame.mark:
            self._mark_ns = frame.session_ns
        return msgspec.structs.replace(frame, ticks=ticks)

    def close(self) -> None:
        pass


@dataclass
class CrashingDesk:
    """What a desk is made of; `frames` instead of `source` is a feed that cannot wait, `speed` paces a source."""

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


@dataclass
class Delays:
    """In calls: how long a batch, an ack, a letter to the keeper or broker, its receipt, a successor take."""

    apply: int = 0
    ack: int = 0
    save: int = 0
    confirm: int = 0
    revive: int = 0


class World:
    """The parts of a desk, the time that passes with every call, and the deaths that are due."""

    def __init__(
        self,
        desk: CrashingDesk,
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
        self.save_delay, self.confirm_delay, self.revive_delay = delays.save, delays.confirm, delays.revive
        self.clock = Clock()
        self.keep = KeeperFiles()
        self.ledger = Ledger()
        self.steps = 0
        self.died: list[Death] = []
        self._epoch = 0
        self._deaths = deque(deaths)
        self._countdown = self._deaths[0].after if self._deaths else -1
        self._moves = deque(sorted(moves))
        self._revive_at: dict[int, int] = {}
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

    def play(self) -> "World":
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
        self._revive_at.clear()
        self.keep.take_back_close()
        self.ledger.take_back_close()
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
        """Advance time: kill the parts and deliver the messages that are due. Raises ProducerDead for the producer."""
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
        for number, at in list(self._revive_at.items()):
            if at <= self.steps:
                del self._revive_at[number]
                self.consumers[number] = Consumer(self, number)
        for consumer in self.consumers.values():
            if consumer.alive:
                consumer.step()
        self.keeper.step()

    def asked(self, question: Callable[[OrderManager], list[OrderEvent]]) -> list[OrderEvent]:
        while True:
            try:
                return question(self.manager)
            except BrokerDead:
                self.manager = self._manager()

    def deliver(self, events: Iterable[OrderEvent]) -> None:
        self.mailbox.post(Deliver(list(events)))

    def _kill(self, death: Death) -> None:
        match death.who:
            case 0:
                self.keeper.step(most=death.how % 2)
                self._stray(death.how // 2)
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
            self._revive_at[number] = self.steps + 1 + self.revive_delay

    def _stray(self, how: int) -> None:
        """Lose some of a dead producer's messages, and delay the others."""
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
            feed = Frames(self._frames, self.clock, None if state is None else state.feed)
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

    # What must not depend on who died

    def shards(self) -> list[Shard]:
        return [*self.asleep.values(), *(consumer.shard for consumer in self.consumers.values())]

    def bars(self) -> list[Bar]:
        return [bar for _, bar in sorted(self.keep.bars().items())]

    def strategies(self) -> dict[tuple[str, str], Any]:
        found = {}
        for shard in self.shards():
            for state in shard.engine.symbols.values():
                for seat in state.instances:
                    rng = seat.random_source
                    place = (state.symbol, seat.entry.name)
                    assert place not in found, f"{place} is on two shards"
                    found[place] = (
                        vars(seat.strategy),
                        seat.position,
                        seat.number,
                        seat.orders,
                        seat.stopped,
                        None if rng is None else rng.getstate(),
                    )
        return found

    def applied(self) -> dict[str, int]:
        audits = [shard.engine.audit for shard in self.shards()]
        return {
            "trades": sum(audit.trades for audit in audits),
            "quotes": sum(audit.quotes for audit in audits),
            "rejected_trades": sum(sum(audit.rejected_trades.values()) for audit in audits),
            "rejected_quotes": sum(sum(audit.rejected_quotes.values()) for audit in audits),
            "intents": sum(audit.intents for audit in audits),
            "stopped": sum(len(audit.stopped) for audit in audits),
        }

    def events(self) -> list[OrderEvent]:
        """By mark, symbol and number; those of the end come in rounds within one mark, in whatever order."""
        events = list(self.ledger.events.values())
        end_ns = max((event.given_ns for event in events), default=0)
        last = [event for event in events if event.given_ns == end_ns]
        before = [event for event in events if event.given_ns < end_ns]
        return sorted(before, key=lambda one: (one.given_ns, one.symbol, one.number)) + sorted(
            (msgspec.structs.replace(event, number=0) for event in last),
            key=lambda one: (one.symbol, one.client_order_id, one.filled, one.status),
        )

    def portrait(self) -> dict[str, Any]:
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
        """By class: what was received less what is accounted for."""
        left = dict(self.feed.counts.received)
        for kind, causes in self.feed.counts.rejected.items():
            left[kind] -= sum(causes.values())
        for shard in self.shards():
            stats, audit = shard.stats(), shard.engine.audit
            left["trades"] -= stats.lane.trades_aged + stats.lane.trades_full + audit.lost_trades + audit.trades
            left["quotes"] -= stats.lane.quotes_conflated + stats.lane.quotes_full + audit.lost_quotes + audit.quotes
            left["trades"] -= sum(audit.rejected_trades.values())
            left["quotes"] -= sum(audit.rejected_quotes.values())
        return left


def differences(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Any]:
    """Where two portraits differ, for the eye. A bar without a price has NaN, which equals nothing: texts do, too."""
    return {
        key: (value, second[key])
        for key, value in first.items()
        if value != second[key] and repr(value) != repr(second[key])
    }
