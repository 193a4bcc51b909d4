"""The consumer actor: one shard in a process of its own.

Tests: tests/actors/test_plain_actors.py
"""

from collections.abc import Sequence
from typing import Final

from actors.calls.settling import SettlingBroker, SettlingKeeper
from actors.metrics.actor_meters import ActorMeters, ActorReport, ExportFactory, no_export
from desk.config import Plan
from desk.consumer.shard_stats import ShardStats
from desk.model.batch import encode
from desk.model.items import Stop
from desk.model.session import Session
from desk.process.breadcrumbs import BreadcrumbTrail
from desk.process.clock import SystemClock
from desk.process.exit_watch import ProcessWatch
from desk.process.garbage_collector import GarbageCollector
from desk.process.memory_limit import MemoryLimit
from desk.report import metric_readings
from desk.report.run_record import ProcessUsage
from desk.telemetry import formatting
from desk.wiring import shard_factory

MIB: Final = 1024 * 1024


class Consumer:
    """Apply batches one at a time, in the order in which they were sent, from the shard's last checkpoint on.

    `stops` are the strategies that the supervisor has stopped. `desk` is the desk's name on its machines. Without it
    the process belongs to other code, too: then no breadcrumbs are written, and memory and child processes are not
    watched.
    """

    def __init__(
        self,
        plan: Plan,
        session: Session,
        number: int,
        epoch: int,
        keeper: SettlingKeeper,
        broker: SettlingBroker,
        desk: str = "",
        stops: Sequence[Stop] = (),
        export: ExportFactory = no_export,
    ) -> None:
        self._name = f"consumer-{number:02}"
        strategies = formatting.names([one.name for one in plan.strategies], 4) or "no strategy"
        self._title = f"{self._name} of {plan.session.name}: {strategies}"
        self._keeper = keeper
        self._broker = broker
        self._trail = BreadcrumbTrail.create(desk, self._name, epoch) if desk else None
        self._watch = ProcessWatch(self._trail, desk) if self._trail is not None else None
        self._meters = ActorMeters(self._name, export, traced=plan.telemetry.traced)
        self._shard = shard_factory.build_shard(
            *(plan, session, number, epoch, SystemClock(), keeper, broker, stops, self._trail),
            spans=self._meters.spans,
            hops=self._meters.hops,
        )
        self._collector = GarbageCollector()
        if self._trail is not None:
            self._trail.when_exhausted(MemoryLimit(round(plan.guards.memory_mb * MIB)).renew)

    def __repr__(self) -> str:
        return self._title  # Ray reads it once, when the actor is made

    def usage(self) -> ProcessUsage:
        """CPU time and memory that this process has used; answered after all earlier calls."""
        return self._meters.usage()

    def apply(self, batch: bytes) -> bytes:
        """Apply one encoded batch; return the encoded ack."""
        self._meters.follow()
        if self._trail is not None:
            self._trail.batch()
        ack = self._shard.receive(batch)
        if self._watch is not None:
            self._watch.note_started()
        self._collector.on_mark(ack.mark_ns)
        return encode(ack)

    def position(self) -> bytes:
        """The shard's position, encoded."""
        return encode(self._shard.position())

    def stats(self) -> ShardStats:
        """The shard's counts so far."""
        self._end_children()
        return self._shard.stats()

    def report(self) -> ActorReport:
        """The stats and the metrics of this process."""
        stats = self.stats()
        return self._meters.report(stats, lambda readings: metric_readings.add_shard(readings, stats))

    def settle(self) -> None:
        """Wait until the broker has decided and the keeper has saved everything that this shard sent."""
        self._end_children()
        self._broker.settle()
        self._keeper.settle()

    def _end_children(self) -> None:
        """Kill the processes that a strategy's call left running, and stop the strategy."""
        if self._watch is None or self._trail is None:
            return
        for child in self._watch.end_left():
            strategy, symbol = self._trail.suspect or ("", "")
            self._shard.stop([Stop(strategy, symbol, f"it left {child} running")])
