"""A whole desk in one process: real feed, lanes, shards, engines and risk gate; clock, keeper and ledger in memory."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
from memory_ledger import MemoryLedger

from desk import strategy
from desk.consumer.engine import Engine, EngineConfig, StrategyEntry
from desk.consumer.shard import Shard, ShardConfig
from desk.feeds.replay import BlockFeed
from desk.flow import LaneConfig
from desk.flow.routing_table import RoutingTable
from desk.inprocess.direct_calls import LocalBroker, LocalKeeper, LocalLinks, LocalScanners
from desk.model.bars import Bar
from desk.model.batch import Batch, News, decode_batch
from desk.model.blocks import (
    BAR,
    CANCEL,
    CORRECTION,
    LULD,
    QUOTE,
    STATUS,
    TRADE,
    UNKNOWN,
    Block,
    BlockSource,
    Originals,
)
from desk.model.checkpoint import Checkpoint, ProducerState, unpack_bars
from desk.model.items import Item, Mark
from desk.model.notices import Notice, PriceBands, TradingStatus, VenueBar
from desk.model.ticks import CLASSES, Event, Quote, Trade
from desk.model.units import MINUTE_NS, MS_NS, SECOND_NS, floor_to
from desk.orders import OrderManager
from desk.ports import AckWait, Wait
from desk.process.mailbox import ProcessMailbox
from desk.producer.loop import ProducerLoop
from desk.producer.parts import Beginning, ProducerConfig, ProducerPorts
from desk.producer.subscriptions import Subscriptions
from desk.scanner import MarketSnapshot, Scanner
from desk.scanning.market_view import MarketView
from desk.scanning.runner import ScannerRunner
from desk.scanning.scanner_calls import ScannerEntry
from desk.trading.risk_gate import RiskGate
from desk.trading.risk_limits import RiskLimits
from desk.venues.simulated import SimulatedVenue

START_NS = 1_600_000_020 * SECOND_NS
NO_PARAMS = strategy.Params()
KINDS = {"trade": TRADE, "quote": QUOTE, "other": UNKNOWN, "correction": CORRECTION, "cancel": CANCEL}
KINDS |= {"halt": STATUS, "resume": STATUS, "bands": LULD, "bar": BAR}
NOTICE_KINDS = ("halt", "resume", "bands", "bar")
TRADED = ("trade", "correction")


def at(seconds: float) -> int:
    return START_NS + round(seconds * SECOND_NS)


def a_notice(kind: str, symbol: str, ts_ns: int, price: float = 10.0, ordinal: int = 0) -> Notice:
    """A status, bands around the price, or the venue's bar of the minute of this time, at the price throughout."""
    if kind == "bands":
        return PriceBands(ordinal, symbol, ts_ns, 0, price - 0.25, price + 0.25)
    if kind == "bar":
        return VenueBar(ordinal, symbol, floor_to(ts_ns, MINUTE_NS), 0, price, price, price, price, 100.0)
    return TradingStatus(ordinal, symbol, ts_ns, 0, "H" if kind == "halt" else "T")


@dataclass(frozen=True)
class Row:
    """One row of a tape; times in seconds after START_NS. A price of 0 is malformed."""

    at_s: float
    symbol: str = "A"
    kind: str = "trade"
    price: float = 10.0
    size: float = 100.0
    late_s: float = 0.0
    trade_id: int = 0
    original_id: int = 0


class Rows:
    """A block source of these rows."""

    def __init__(self, rows: Iterable[Row], symbols: Iterable[str] = (), rows_per_block: int = 7) -> None:
        self.rows = sorted(rows, key=lambda row: row.at_s)
        self.place = "rows"
        self.symbols = tuple(sorted({row.symbol for row in self.rows}.union(symbols)))
        self.start_ns = at(self.rows[0].at_s)
        self.end_ns = at(self.rows[-1].at_s) + 1
        self._rows_per_block = rows_per_block

    def blocks(self) -> Iterator[Block]:
        for first in range(0, len(self.rows), self._rows_per_block):
            yield self._block(first, self.rows[first : first + self._rows_per_block])

    def _block(self, first: int, rows: Sequence[Row]) -> Block:
        def floats(kinds: Sequence[str], value: Callable[[Row], float]) -> np.ndarray[Any, np.dtype[np.float64]]:
            return np.array([value(row) if row.kind in kinds else np.nan for row in rows], np.float64)

        unknown = np.full(len(rows), np.nan)
        original_ids = np.array([row.original_id for row in rows], np.uint64)

        nothing = np.full(len(rows), -1, np.int32)
        notices = np.full(len(rows), None, object)
        times_ns = [at(row.at_s - row.late_s) for row in rows]
        for place, row in enumerate(rows):
            if row.kind in NOTICE_KINDS:
                notices[place] = made = a_notice(row.kind, row.symbol, times_ns[place], row.price)
                times_ns[place] = made.ts_ns
        return Block(
            first_ordinal=first,
            recv_ns=np.array([at(row.at_s) for row in rows], np.int64),
            ts_ns=np.array(times_ns, np.int64),
            kind=np.array([KINDS[row.kind] for row in rows], np.int8),
            symbol=np.array([self.symbols.index(row.symbol) for row in rows], np.int32),
            price=floats(TRADED, lambda row: row.price),
            size=floats(TRADED, lambda row: row.size),
            bid=floats(("quote",), lambda row: row.price - 0.01),
            bid_size=floats(("quote",), lambda row: row.size),
            ask=floats(("quote",), lambda row: row.price + 0.01),
            ask_size=floats(("quote",), lambda row: row.size),
            exchange=nothing,
            conditions=nothing,
            trade_id=np.array([row.trade_id for row in rows], np.uint64),
            symbols=self.symbols,
            exchanges=(),
            condition_codes=(),
            originals=Originals(original_ids, unknown, unknown, nothing),
            notices=notices,
        )


@dataclass
class StepClock:
    """Wall time that passes by 1 µs with every look at it, and in waits."""

    now_ns: int = 5_000 * SECOND_NS

    def wall_ns(self) -> int:
        self.now_ns += 1_000
        return self.now_ns

    def wait(self, until_ns: int, descriptors: Sequence[int] = ()) -> None:
        self.now_ns = max(self.now_ns, until_ns)


class RecordingLinks(LocalLinks):
    """Links by direct calls that record the batches sent."""

    def __init__(self, shards: Mapping[int, Shard], clock: StepClock) -> None:
        super().__init__(shards, clock)
        self.batches: dict[int, list[Batch]] = {number: [] for number in shards}

    def send(self, shard: int, batch: bytes) -> None:
        self.batches[shard].append(decode_batch(batch))
        super().send(shard, batch)

    def items(self, shard: int) -> list[Item]:
        return [item for batch in self.batches[shard] for item in batch.items]


class DelayedAckLinks(RecordingLinks):
    """Links that deliver each ack one poll late."""

    def __init__(self, shards: Mapping[int, Shard], clock: StepClock) -> None:
        super().__init__(shards, clock)
        self._ready: list[News] = []

    def wait(self, wait: Wait, descriptors: Sequence[int] = ()) -> list[News]:
        ready, self._ready = self._ready, super().wait(wait, descriptors)
        if wait.acks in (AckWait.ONE, AckWait.ALL):
            ready, self._ready = ready + self._ready, []
        return ready


class MemoryKeeper:
    """The keeper's checkpoints in memory, and the last version of each bar."""

    def __init__(self) -> None:
        self.checkpoints: list[Checkpoint] = []
        self.states: list[ProducerState] = []
        self.rows: dict[tuple[str, int], Bar] = {}

    def save(self, checkpoint: Checkpoint) -> bool:
        self.checkpoints.append(checkpoint)
        self.rows |= {(bar.symbol, bar.minute_ns): bar for bar in unpack_bars(checkpoint.bars)}
        return True

    def save_producer(self, state: ProducerState) -> bool:
        self.states.append(state)
        return True

    def latest(self, shard: int) -> Checkpoint | None:
        return next((one for one in reversed(self.checkpoints) if one.shard == shard), None)

    def producer(self) -> ProducerState | None:
        return self.states[-1] if self.states else None

    def bars(self, symbols: Iterable[str] | None = None) -> list[Bar]:
        wanted = None if symbols is None else frozenset(symbols)
        return [bar for bar in self.rows.values() if wanted is None or bar.symbol in wanted]


class ScriptedScanner(Scanner):
    """Picks the symbols that the plan has for the second of the session."""

    def __init__(self, plan: Mapping[int, Sequence[str]]) -> None:
        super().__init__(NO_PARAMS)
        self.plan = plan
        self.markets: list[MarketSnapshot] = []

    def scan(self, market: MarketSnapshot) -> list[str]:
        self.markets.append(market)
        second = (market.now_ns - START_NS) // SECOND_NS
        return list(self.plan[max(known for known in self.plan if known <= second)])


@dataclass
class MemoryDesk:
    """The settings of a desk, and the parts built from them."""

    source: BlockSource
    always: Sequence[str]
    strategies: Sequence[StrategyEntry] = ()
    scanners: Sequence[ScannerEntry] = ()
    shards: int = 2
    capacity: int = 1_000
    window: int = 4
    linger_ms: float = 0.0
    max_batch_bytes: int = 90 * 1024
    lockstep: bool = True
    speed: float | None = None
    start_ns: int = START_NS
    checkpoint_s: float = 1.0
    revise_s: int = 3_600
    limits: RiskLimits = field(default_factory=RiskLimits)
    links: type[RecordingLinks] = RecordingLinks
    clock: Any = field(default_factory=StepClock)

    def __post_init__(self) -> None:
        self.store, self.book = MemoryKeeper(), MemoryLedger()
        self.manager = OrderManager("day", RiskGate(self.limits), self.book, SimulatedVenue())
        self.mailbox = ProcessMailbox()
        broker = LocalBroker(self.manager, self.mailbox)
        numbers = range(self.shards)
        self.consumers = {number: self._shard(number, broker) for number in numbers}
        self.wire = self.links(self.consumers, self.clock)
        self.feed = BlockFeed(self.source, self.clock, start_ns=self.start_ns, speed=self.speed)
        lane = LaneConfig(
            "producer",
            1,
            self.capacity,
            self.window,
            round(self.linger_ms * MS_NS),
            1_000 * MS_NS,
            self.capacity // 2,
            10 * SECOND_NS,
            self.feed.lossless,
            self.max_batch_bytes,
        )
        self.scanning = ScannerRunner(MarketView(self.source, self.start_ns), self.scanners, self.start_ns)
        self.loop = ProducerLoop(
            ProducerConfig(
                1,
                self.lockstep,
                self.start_ns,
                10 * SECOND_NS,
                round(self.checkpoint_s * SECOND_NS),
                history_from_start=self.start_ns > self.source.start_ns,
            ),
            ProducerPorts(
                self.feed,
                self.wire,
                broker,
                LocalScanners(self.scanning),
                LocalKeeper(self.store),
                self.clock,
                self.mailbox,
            ),
            Beginning(RoutingTable.even(numbers), lane, Subscriptions(self.always), numbers),
        )

    def _shard(self, number: int, broker: LocalBroker) -> Shard:
        engine = Engine(
            EngineConfig("day", self.start_ns, SECOND_NS, self.revise_s * SECOND_NS, 10**12), self.strategies, lambda: 0
        )
        config = ShardConfig(number, 1, round(self.checkpoint_s * SECOND_NS), self.lockstep)
        return Shard(config, engine, self.clock, LocalKeeper(self.store), broker)

    def play(self, show: Callable[[], None] = lambda: None) -> "MemoryDesk":
        for _ in self.loop.play():
            show()
        return self

    @property
    def applied(self) -> dict[str, int]:
        audits = [shard.engine.audit for shard in self.consumers.values()]
        return {kind: sum(getattr(audit, kind) for audit in audits) for kind in CLASSES}

    def balance(self) -> dict[str, int]:
        """By class: ticks received less ticks accounted for. Also checks that lanes and shards agree."""
        left = dict(self.feed.counts.received)
        for kind, causes in self.feed.counts.rejected.items():
            left[kind] -= sum(causes.values())
        for kind, ticks in self.applied.items():
            left[kind] -= ticks
        for number, shard in self.consumers.items():
            stats, totals = shard.stats(), self.loop.lanes[number].totals()
            assert stats.lane == totals
            left["notices"] -= sum(stats.audit.rejected_notices.values())
            left["trades"] -= totals.trades_aged + totals.trades_full + sum(stats.audit.rejected_trades.values())
            left["quotes"] -= totals.quotes_conflated + totals.quotes_full + sum(stats.audit.rejected_quotes.values())
        return left

    def check_lanes(self, symbols: Iterable[str]) -> None:
        """Check that each symbol's ticks rise within one lane, and that all lanes have the same marks, each once."""
        marks = {number: marks_of(self.wire.items(number)) for number in self.consumers}
        for number, found in marks.items():
            assert found == marks[0]
            assert all(later - earlier == SECOND_NS for earlier, later in pairwise(found))
            ticks = [item for item in self.wire.items(number) if isinstance(item, Event)]
            for symbol in symbols:
                ordinals = [tick.ordinal for tick in ticks if tick.symbol == symbol]
                assert ordinals == sorted(set(ordinals))
                assert not ordinals or self.loop.lane_of(symbol).shard == number


def marks_of(items: Iterable[Item]) -> list[int]:
    return [item.session_ns for item in items if isinstance(item, Mark)]


def ticks_of(items: Iterable[Item]) -> list[Trade | Quote]:
    return [item for item in items if isinstance(item, Trade | Quote)]
