"""The producer actor: runs the feed and the lanes in a process of its own.

Tests: tests/actors/test_plain_actors.py
"""

from collections.abc import Mapping, Sequence
from contextlib import closing

import msgspec

from actors.calls.order_encoding import decode_events
from actors.metrics.actor_meters import ActorMeters, ActorReport, ExportFactory, no_export
from desk.config import Plan
from desk.model.batch import LaneTotals
from desk.model.commands import AddShard, Deliver, MoveSlots, RemoveShard
from desk.model.session import Session
from desk.model.units import MS_NS
from desk.ports import DirectoryLinks, HistoryPort, ProducerBroker, ProducerKeeper, ScannerPort, TickWriter
from desk.process.clock import SystemClock
from desk.process.garbage_collector import GarbageCollector
from desk.process.mailbox import ProcessMailbox
from desk.producer.stats import LoopStats
from desk.report import metric_readings
from desk.report.run_record import FeedRecord, ProcessUsage, feed_record
from desk.telemetry.readings import Readings
from desk.wiring import markets, producer_factory

STATS_EVERY_NS = 200 * MS_NS


class ProducerStats(msgspec.Struct):
    """The producer's figures at one moment."""

    loop: LoopStats
    usage: ProcessUsage


class Producer:
    """Run the producer's loop from the last saved producer state on.

    `play` runs in one thread until the feed ends. The other calls run in another thread and use only the mailbox and
    the stats that `play` publishes. `first` are the shards with which the session began, `joined` the current ones,
    `asleep` the lane totals of shards that have been scaled down. `history` is None if the plan needs none.
    """

    def __init__(
        self,
        plan: Plan,
        session: Session,
        epoch: int,
        links: DirectoryLinks,
        broker: ProducerBroker,
        scanners: ScannerPort,
        keeper: ProducerKeeper,
        first: Sequence[int],
        joined: Sequence[int],
        asleep: Mapping[int, LaneTotals],
        history: HistoryPort | None = None,
        recorder: TickWriter | None = None,
        export: ExportFactory = no_export,
    ) -> None:
        self._clock = SystemClock()
        self._title = f"producer of {plan.session.name}: {plan.feed.kind} feed"
        self._mailbox = ProcessMailbox()
        self._meters = ActorMeters("producer", export, traced=plan.telemetry.traced)
        self._loop = producer_factory.build_producer_loop(
            plan,
            session,
            markets.market_source(plan, session),
            links,
            broker,
            scanners,
            keeper,
            self._clock,
            self._mailbox,
            epoch=epoch,
            first=first,
            joined=joined,
            asleep=asleep,
            spans=self._meters.spans,
            hops=self._meters.hops,
            history=history,
            recorder=recorder,
        )
        self._collector = GarbageCollector()
        self._published_ns = 0
        self._stats = ProducerStats(self._loop.stats(), self.usage())

    def __repr__(self) -> str:
        return self._title

    def usage(self) -> ProcessUsage:
        """CPU time and memory that this process has used."""
        return self._meters.usage()

    def play(self) -> FeedRecord:
        """Run the feed to its end, or until `stop`; return the record. Raises the error that ends the run."""
        self._meters.follow()
        try:
            with closing(self._loop.play()) as frames:
                for _ in frames:
                    self._publish()
        finally:
            self._publish(at_once=True)
        return feed_record(self._loop)

    def deliver(self, events: bytes) -> None:
        """Put committed order events into the mailbox."""
        self._mailbox.post(Deliver(decode_events(events)))

    def move(self, slots: Sequence[int], to: int) -> None:
        """Request a move of these slots to another shard."""
        self._mailbox.post(MoveSlots(slots, to))

    def enlist(self, shard: int) -> None:
        """Open a lane to a running consumer."""
        self._mailbox.post(AddShard(shard))

    def dismiss(self, shard: int) -> None:
        """Close a consumer's lane as soon as it owns no slots."""
        self._mailbox.post(RemoveShard(shard))

    def stop(self) -> None:
        """Drain the lanes and end after the current frame."""
        self._loop.stop()

    def stats(self) -> ProducerStats:
        """The figures as published at most `STATS_EVERY_NS` ago."""
        return self._stats

    def report(self) -> ActorReport:
        """The stats and the metrics of this process."""
        return self._meters.report(self._stats, self._measure)

    def _measure(self, readings: Readings) -> None:
        metric_readings.add_producer(readings, self._stats.loop)
        readings.record("loop.lag", self._loop.lateness.snapshot())

    def _publish(self, *, at_once: bool = False) -> None:
        now_ns = self._clock.wall_ns()
        if at_once or now_ns - self._published_ns >= STATS_EVERY_NS:
            self._published_ns = now_ns
            self._stats = ProducerStats(self._loop.stats(), self.usage())
            self._collector.on_mark(self._loop.session_ns)
