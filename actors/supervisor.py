"""The supervisor: the driver that creates every actor, watches them all, and closes the books.

It owns every actor and none is detached: its death ends the desk, and another `desk run` is the recovery.
"""

import time
from collections.abc import Callable, Mapping
from typing import Any, Final

import ray

from actors.broker import Broker
from actors.cluster import Cluster
from actors.consumer import Consumer
from actors.keeper import Keeper
from actors.ledger import Ledger
from actors.links import (
    RayBroker,
    RayKeeper,
    RayLedger,
    RayProducer,
    RayScanners,
    RayShardLinks,
    consumer_name,
    told,
)
from actors.producer import Producer, ProducerStats
from actors.scanner import Scanner
from desk.checkpoint import KeeperStore
from desk.clock import SystemClock
from desk.closing import open_log, write_results
from desk.config import Plan
from desk.model.errors import DeskError
from desk.orders import OrderSummary
from desk.pipeline.record import FeedRecord, ProcessUsage, RunRecord, strategy_problems, summarize, warnings
from desk.pipeline.session import Session
from desk.pipeline.shard import ShardStats
from desk.pipeline.viewing import NewNotes, Viewer
from desk.report.live import DeskState, DeskView
from desk.report.summary import Summary
from desk.runs import RunFolder
from desk.signals import StopSignals
from desk.wiring import markets, sessions

WATCH_EVERY_S: Final = 0.5
EPOCH: Final = 1
PRODUCER_THREADS: Final = 4

Show = Callable[[DeskView], None]


class Supervisor:
    """One desk on a Ray cluster."""

    def __init__(self, plan: Plan, folder: RunFolder, address: str | None) -> None:
        self.plan = plan
        self.folder = folder
        self.started_ns = time.time_ns()
        source = markets.market_source(plan)
        self.session: Session = sessions.open_session(plan, source, SystemClock())
        self._shards = range(plan.consumers.count)
        self._viewer = Viewer(self.session.start_ns)
        self._new_notes = NewNotes()
        self._state: DeskState = "starting"
        self._stats: dict[str, Any] = {}
        self._asked: dict[Any, str] = {}
        self._usage: dict[str, ProcessUsage] = {}
        self.cluster = Cluster(
            address, plan.consumers.count * plan.consumers.cpus, f"raydesk-{folder.dir.name}-{self.started_ns:x}"
        )
        self.log = open_log(folder.log)

    def run(self, show: Show) -> Summary:
        """Run to the end, close the books, give the summary. Raises DeskError; the books are closed then, too."""
        try:
            self._create()
            return self._play(show)
        except DeskError as fault:
            self.log.error("run failed: %s", fault)  # noqa: TRY400 - the fault tells what there is to tell
            raise
        finally:
            self.cluster.close()

    def _create(self) -> None:
        """Create all actors; consumers answer before anything is routed to them."""
        plan, session, cluster = self.plan, self.session, self.cluster
        self.keeper = cluster.create(Keeper, "keeper", self.folder.keeper)
        self.ledger = cluster.create(Ledger, "ledger", plan, session, self.folder.dir)
        self.broker = cluster.create(Broker, "broker", plan, session, RayLedger(self.ledger))
        self.scanner = cluster.create(Scanner, "scanner", plan, session)
        self.consumers = {
            number: cluster.create(
                Consumer,
                consumer_name(number),
                plan,
                session,
                number,
                EPOCH,
                RayKeeper(self.keeper),
                RayBroker(self.broker),
                cpus=plan.consumers.cpus,
            )
            for number in self._shards
        }
        periods_s = [scanner.every_s for scanner in plan.scanners]
        self.producer = cluster.create(
            Producer,
            "producer",
            plan,
            session,
            EPOCH,
            RayShardLinks(self.consumers),
            RayBroker(self.broker),
            RayScanners(self.scanner, periods_s, session.start_ns),
            threads=PRODUCER_THREADS,
        )
        with told("broker"):
            ray.get(self.broker.attach.remote(RayProducer(self.producer)))
        self._usage = cluster.ready(self._actors().items())
        for name, usage in self._usage.items():
            self.log.info("%s runs in process %d on %s", name, usage.pid, usage.node or "this machine")

    def _actors(self) -> dict[str, Any]:
        consumers = {consumer_name(number): handle for number, handle in self.consumers.items()}
        return {
            "producer": self.producer,
            **consumers,
            "scanner": self.scanner,
            "broker": self.broker,
            "ledger": self.ledger,
            "keeper": self.keeper,
        }

    def _play(self, show: Show) -> Summary:
        began_ns = time.time_ns()
        self._state = "running"
        playing = self.producer.play.remote()
        try:
            with StopSignals(self.stop):
                feed = self._watch(playing, show)
        except DeskError as fault:
            self._write_what_is_left(fault, began_ns)
            raise
        ended_ns = time.time_ns()
        return self._close(feed, began_ns, ended_ns, show)

    @property
    def stats(self) -> Mapping[str, Any]:
        """What each actor told last, by its name: ProducerStats, ShardStats, OrderSummary, …; for who is shown."""
        return self._stats

    @property
    def pids(self) -> dict[str, int]:
        """The actors' processes by name."""
        return {name: usage.pid for name, usage in self._usage.items()}

    def stop(self) -> None:
        """Ask for an orderly end: the lanes are drained, the books are closed."""
        self._state = "draining"
        self.producer.stop.remote()

    def _watch(self, playing: Any, show: Show) -> FeedRecord:
        """Wait for the feed's end; meanwhile ask everybody for figures. Raises ActorDied for whoever is gone."""
        due_s = 0.0
        while True:
            if time.monotonic() >= due_s and not self._asked:
                due_s = time.monotonic() + WATCH_EVERY_S
                self._asked = {handle.stats.remote(): name for name, handle in self._actors().items()}
            refs = [playing, *self._asked]
            wait_s = max(due_s - time.monotonic(), 0.01) if not self._asked else WATCH_EVERY_S
            done, _ = ray.wait(refs, num_returns=1, timeout=wait_s)
            for ref in done:
                if ref in self._asked:
                    name = self._asked.pop(ref)
                    with told(name):
                        self._stats[name] = ray.get(ref)
                    if not self._asked:
                        self._show(show)
            if playing in done:
                with told("producer"):
                    record: FeedRecord = ray.get(playing)
                return record

    def _show(self, show: Show) -> None:
        producer: ProducerStats | None = self._stats.get("producer")
        orders: OrderSummary | None = self._stats.get("broker")
        if producer is None or orders is None:
            return
        for note in self._new_notes.of(producer.intake):
            self.log.warning("%s", note)
        pids = {number: self._usage[consumer_name(number)].pid for number in self._shards}
        show(self._viewer.view(time.time_ns(), self._state, producer.intake, self._shard_stats(), pids, orders))

    def _shard_stats(self) -> list[ShardStats]:
        return [self._stats[consumer_name(number)] for number in self._shards if consumer_name(number) in self._stats]

    def _close(self, feed: FeedRecord, began_ns: int, ended_ns: int, show: Show) -> Summary:
        """Collect the last figures of everybody, let ledger and keeper close, and write the results."""
        self._state = "closed"
        for number, handle in self.consumers.items():
            with told(consumer_name(number)):
                ray.get(handle.settle.remote())
        for name, handle in self._actors().items():
            with told(name):
                self._stats[name], self._usage[name] = ray.get([handle.stats.remote(), handle.usage.remote()])
        self._show(show)
        with told("broker"):
            problems = ray.get(self.broker.problems.remote())
        with told("scanner"):
            problems += ray.get(self.scanner.problems.remote())
        record = self._record(feed, began_ns, ended_ns, problems)
        summary = self._write(record)
        self.log.info("ended: ok=%s balanced=%s", summary.ok, summary.balanced)
        return summary

    def _write(self, record: RunRecord) -> Summary:
        decisions = RayLedger(self.ledger).decisions()
        with told("ledger"):
            ray.get(self.ledger.close.remote())
        with told("keeper"):
            ray.get(self.keeper.close.remote())
        for problem in record.problems:
            self.log.error("%s", problem)
        for warning in warnings(record):
            self.log.warning("%s", warning)
        return write_results(self.folder, record, KeeperStore(self.folder.keeper).bars, decisions)

    def _write_what_is_left(self, fault: DeskError, began_ns: int) -> None:
        """After a failure: a summary that says so, with what was last known of everybody."""
        producer: ProducerStats | None = self._stats.get("producer")
        received = producer.intake.received if producer else {}
        record = self._record(FeedRecord(received, {}, {}, []), began_ns, time.time_ns(), [str(fault)], failed=True)
        try:
            self._write(record)
        except DeskError as second:
            self.log.error("the results could not be written: %s", second)  # noqa: TRY400 - as above
            self.folder.write_summary(summarize(record).builtins())

    def _record(
        self, feed: FeedRecord, began_ns: int, ended_ns: int, problems: list[str], *, failed: bool = False
    ) -> RunRecord:
        shards = self._shard_stats()
        return RunRecord(
            run_id=self.folder.dir.name,
            plan=self.plan.session.name,
            mode=self.plan.session.mode,
            in_process=False,
            session=self.session,
            started_ns=self.started_ns,
            ended_ns=ended_ns,
            play_ns=ended_ns - began_ns,
            feed=feed,
            shards=shards,
            consumers=[self._usage[consumer_name(stats.shard)] for stats in shards],
            producer=self._usage["producer"],
            orders=self._stats.get("broker") or OrderSummary(),
            bars=0,
            decisions=0,
            problems=[*problems, *strategy_problems(shards)],
            failed=failed,
        )


def run_desk(plan: Plan, folder: RunFolder, *, address: str | None, show: Show) -> Summary:
    """Run the plan on a Ray cluster and give its summary. Raises DeskError."""
    return Supervisor(plan, folder, address).run(show)
