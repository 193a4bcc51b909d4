"""An excerpt of a market played through producer and one shard in this process, with a CPU meter at their ports.

Tests: tests/desk/tuning/test_study.py
"""

from collections.abc import Iterable, Sequence
from contextlib import closing
from typing import Final

import msgspec

from desk.config import Plan
from desk.consumer.shard import Shard
from desk.inprocess.direct_calls import LocalBroker, LocalLinks, LocalScanners
from desk.ledger import SqlLedger
from desk.model.bars import Bar
from desk.model.blocks import BlockSource
from desk.model.orders import Request
from desk.model.session import Session
from desk.model.units import SECOND_NS
from desk.orders import OrderManager
from desk.ports import Clock, Mailbox
from desk.process.clock import SystemClock
from desk.process.garbage_collector import GarbageCollector
from desk.process.mailbox import ProcessMailbox
from desk.scanning.market_view import MarketView
from desk.scanning.runner import ScannerRunner
from desk.tuning.advice import Costs
from desk.tuning.cpu_meter import CpuMeter
from desk.wiring import broker_factory, producer_factory, shard_factory

TRIAL_S: Final = 3
PASSES: Final = 2
MEMORY: Final = "sqlite://"


class TrialResult(msgspec.Struct):
    """One trial: CPU time of producer and shard, and the work done.

    `marks` are the session seconds that the shard completed, `stopped` the strategies that raised.
    """

    producer_ns: int
    shard_ns: int
    received: int
    applied: int
    sent_bytes: int
    marks: int
    symbols: int
    stopped: int


class MeasuredCosts(msgspec.Struct, frozen=True):
    """The result of the trials: the costs, and the amounts that they were measured on."""

    costs: Costs
    ticks: int
    seconds: int
    symbols: int
    stopped: int


def measure_costs(plan: Plan, session: Session, whole: BlockSource, excerpt: BlockSource) -> MeasuredCosts:
    """Play the excerpt without and with the plan's strategies, twice each; the lesser figures count.

    The cost of strategies is the difference in the shard's time. `session` is the excerpt's, `whole` the market that it
    was taken from, whose earlier minutes warm the symbols up.
    """
    bare = plan.model_copy(update={"strategies": ()})
    plain = [run_trial(bare, session, whole, excerpt) for _ in range(PASSES)]
    producer_us = min(_per(reading.producer_ns, reading.received) for reading in plain)
    shard_us = min(_per(reading.shard_ns, reading.applied) for reading in plain)
    least = plain[-1]
    strategy_us, stopped = 0.0, 0
    if plan.strategies:
        full = [run_trial(plan, session, whole, excerpt) for _ in range(PASSES)]
        strategy_us = min(
            _per(reading.shard_ns - 1000 * shard_us * reading.applied, reading.marks * reading.symbols)
            for reading in full
        )
        stopped = max(reading.stopped for reading in full)
    costs = Costs(producer_us, shard_us, max(strategy_us, 0.0), least.sent_bytes / max(least.applied, 1))
    return MeasuredCosts(costs, least.received, least.marks, least.symbols, stopped)


def run_trial(plan: Plan, session: Session, whole: BlockSource, excerpt: BlockSource) -> TrialResult:
    """Play the excerpt once, for TRIAL_S seconds at most: producer, one shard, broker and a ledger in memory."""
    collector = GarbageCollector()
    try:
        return _Bench(plan, session, whole, excerpt).play()
    finally:
        collector.release()


class _Bench:
    """The pipeline in one process, with metered ports. Checkpoints are made and not stored."""

    def __init__(self, plan: Plan, session: Session, whole: BlockSource, excerpt: BlockSource) -> None:
        clock = SystemClock()
        self._clock = clock
        self._meter = CpuMeter("producer")
        self._session = session
        self._book = SqlLedger(MEMORY, session.id)
        mailbox = ProcessMailbox()
        broker = MeteredBroker(broker_factory.build_order_manager(plan, session, self._book), mailbox, self._meter)
        self._shard = shard_factory.build_shard(plan, session, 0, 1, clock, NoKeeper(), broker)
        self._links = MeteredLinks(self._shard, clock, self._meter, len(session.always) if session.history else 0)
        revise_ns = round(max(plan.bars.revise_s, plan.bars.grace_s) * SECOND_NS)
        seen = MarketView(whole, session.start_ns, revise_ns, channels=frozenset(plan.feed.channels))
        view = ScannerRunner(seen, [], session.start_ns)
        doors = (self._links, broker, MeteredHistory(view, self._meter), NoKeeper())
        self._loop = producer_factory.build_producer_loop(
            plan, session, excerpt, *doors, clock, mailbox, epoch=1, first=[0], joined=[0]
        )
        self._ends_ns = clock.wall_ns() + TRIAL_S * SECOND_NS

    def play(self) -> TrialResult:
        """Play; returns the reading at the last batch before the session's close."""
        try:
            with closing(self._loop.play()) as frames:
                for _ in frames:
                    if self._clock.wall_ns() >= self._ends_ns:
                        self._loop.stop()
        finally:
            self._book.close()
        links, engine = self._links, self._shard.engine
        return TrialResult(
            producer_ns=links.spent_ns["producer"],
            shard_ns=links.spent_ns["shard"],
            received=sum(self._loop.feed.counts.received.values()),
            applied=links.applied,
            sent_bytes=links.sent_bytes,
            marks=max(engine.mark_ns - self._session.start_ns, 0) // SECOND_NS,
            symbols=len(self._session.always),
            stopped=len(engine.audit.stopped),
        )


class MeteredLinks(LocalLinks):
    """Links that count the time of a batch as the shard's; the figures are those of the last batch before the close.

    Until `warm_symbols` symbols are warm, batches carry the minutes before the excerpt and are not counted, unless no
    batch follows.
    """

    def __init__(self, shard: Shard, clock: Clock, meter: CpuMeter, warm_symbols: int) -> None:
        super().__init__({0: shard}, clock)
        self.sent_bytes = 0
        self.applied = 0
        self.spent_ns = {"producer": 0, "shard": 0}
        self._meter = meter
        self._engine = shard.engine
        self._warm_symbols = warm_symbols
        self._before = 0
        self._warm = warm_symbols == 0

    def send(self, shard: int, batch: bytes) -> None:
        """Apply the batch."""
        warming = len(self._engine.symbols) < self._warm_symbols
        with self._meter.of("warming" if warming else "shard"):
            super().send(shard, batch)
        if self._engine.closed:
            return
        spent_ns = self._meter.read()
        applied = self._engine.audit.trades + self._engine.audit.quotes
        if warming:
            self._before, self.applied, self.sent_bytes = applied, applied, len(batch)
            self.spent_ns = {"producer": spent_ns["producer"], "shard": spent_ns["warming"]}
            return
        if not self._warm:
            self._warm, self.sent_bytes = True, 0
        self.sent_bytes += len(batch)
        self.applied = applied - self._before
        self.spent_ns = {"producer": spent_ns["producer"], "shard": spent_ns["shard"]}


class MeteredBroker(LocalBroker):
    """A broker whose time is counted separately."""

    def __init__(self, manager: OrderManager, mailbox: Mailbox, meter: CpuMeter) -> None:
        super().__init__(manager, mailbox)
        self._meter = meter

    def submit(self, request: Request) -> None:
        """Decide immediately, and deliver."""
        with self._meter.of("broker"):
            super().submit(request)


class MeteredHistory(LocalScanners):
    """A history without scanners; the time to read the minutes before the excerpt is not counted."""

    def __init__(self, scanning: ScannerRunner, meter: CpuMeter) -> None:
        super().__init__(scanning)
        self._meter = meter

    def history(self, symbols: Sequence[str], until_ns: int) -> dict[str, list[Bar]]:
        """The session's minutes of these symbols."""
        with self._meter.of("history"):
            return super().history(symbols, until_ns)


class NoKeeper:
    """Discards checkpoints."""

    def __init__(self) -> None:
        self._given = 0

    def save(self, number: int, checkpoint: bytes) -> None:  # noqa: ARG002 - nothing is kept
        """Confirm the checkpoint without storing it."""
        self._given = number

    def confirmed(self) -> int:
        """The number of the last checkpoint."""
        return self._given

    def save_producer(self, state: bytes) -> None:
        """Do nothing."""

    def latest(self, shard: int) -> None:
        """Nothing is there."""

    def producer(self) -> None:
        """Nothing is there."""

    def bars(self, symbols: Iterable[str]) -> list[Bar]:  # noqa: ARG002 - nothing is kept
        """Nothing is there."""
        return []


def _per(spent_ns: float, count: int) -> float:
    return spent_ns / 1000 / max(count, 1)
