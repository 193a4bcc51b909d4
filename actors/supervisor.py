"""The supervisor: the driver that creates every actor, watches them all, and closes the books.

It owns every actor and none is detached: its death ends the desk, and another `desk run` is the recovery.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final

import ray

from actors.broker import Broker
from actors.cluster import Cluster
from actors.consumer import Consumer
from actors.crew import Crew, Recipe
from actors.doors import RayBroker, RayKeeper, RayLedger, RayProducer, RayScanners
from actors.draining import Draining
from actors.keeper import Keeper
from actors.ledger import Ledger
from actors.links import RayShardLinks
from actors.peers import consumer_name, told
from actors.producer import Producer, ProducerStats
from actors.rebalancer import Rebalancer
from actors.scanner import Scanner
from actors.watchdog import Watchdog, elsewhere
from desk.checkpoint import KeeperStore
from desk.clock import SystemClock
from desk.closing import open_log, write_results
from desk.config import Plan
from desk.model.errors import ActorDied, DeskError
from desk.model.records import Decision
from desk.orders import OrderSummary
from desk.pipeline.record import FeedRecord, RunRecord, strategy_problems, summarize, warnings
from desk.pipeline.shard import ShardStats
from desk.pipeline.viewing import NewNotes, Viewer
from desk.report.live import DeskState, DeskView
from desk.report.summary import Summary
from desk.runs import RunFolder
from desk.runs.resume import Resume
from desk.signals import StopSignals
from desk.wiring import markets
from desk.wiring.beginning import begin

WATCH_EVERY_S: Final = 0.5
LOOK_EVERY_S: Final = 0.1
PRODUCER: Final = "producer"
SELDOM: Final = frozenset({"keeper", "ledger", "broker", "scanner"})
PRODUCER_THREADS: Final = 4

Show = Callable[[DeskView], None]


class Supervisor:
    """One desk on a Ray cluster."""

    def __init__(self, plan: Plan, folder: RunFolder, address: str | None, resume: Resume | None = None) -> None:
        self.plan = plan
        self.folder = folder
        begun = begin(plan, markets.market_source(plan), folder, resume, SystemClock(), in_process=False)
        self.started_ns, self.session = begun.started_ns, begun.session
        self._shards = range(plan.consumers.count)
        self._numbers = {consumer_name(number): number for number in self._shards}
        self._viewer = Viewer(self.session.start_ns)
        self._rebalancer = Rebalancer(plan, self._shards, self.move)
        self._new_notes = NewNotes()
        self._state: DeskState = "starting"
        self._stats: dict[str, Any] = {}
        self._asked: dict[Any, tuple[str, str]] = {}
        self._playing: Any = None
        self._rounds = 0
        desk = f"raydesk-{folder.dir.name}-{self.started_ns:x}"
        self.cluster = Cluster(address, plan.consumers.count * plan.consumers.cpus, desk)
        self.log = open_log(folder.log)
        self.crew = Crew(self.cluster, self._recipes(desk), begun.epoch, self.log)
        self._draining = Draining()
        self._watchdog = Watchdog(desk, plan.guards.hang_s, self.log, elsewhere)

    def run(self, show: Show) -> Summary:
        """Run to the end, close the books, give the summary. Raises DeskError; the books are closed then, too."""
        try:
            self.crew.hire()
            return self._play(show)
        except DeskError as fault:
            self.log.error("run failed: %s", fault)  # noqa: TRY400 - the fault tells what there is to tell
            raise
        finally:
            self._watchdog.close()
            self.cluster.close()

    def _recipes(self, desk: str) -> dict[str, Recipe]:
        """How each actor is made, in the order in which they need one another."""
        plan, session, make = self.plan, self.session, self.cluster.create
        periods_s = [scanner.every_s for scanner in plan.scanners]

        def consumer(number: int, epoch: int) -> Any:
            name, stops = consumer_name(number), self._watchdog.begins(number, epoch)
            doors = (RayKeeper(), RayBroker())
            return make(Consumer, name, plan, session, number, epoch, *doors, desk, stops, cpus=plan.consumers.cpus)

        def producer(epoch: int) -> Any:
            links, scanners = RayShardLinks(self._shards), RayScanners(periods_s, session.start_ns)
            parts = (links, RayBroker(), scanners, RayKeeper())
            return make(Producer, PRODUCER, plan, session, epoch, *parts, threads=PRODUCER_THREADS)

        return {
            "keeper": lambda _: make(Keeper, "keeper", self.folder.keeper),
            "ledger": lambda _: make(Ledger, "ledger", plan, session, self.folder.dir),
            "broker": lambda _: make(Broker, "broker", plan, session, RayLedger(), RayProducer()),
            "scanner": lambda _: make(Scanner, "scanner", plan, session),
            **{consumer_name(number): partial(consumer, number) for number in self._shards},
            PRODUCER: producer,
        }

    def _play(self, show: Show) -> Summary:
        began_ns = time.time_ns()
        self._state = "running"
        self._playing = self.crew.handles[PRODUCER].play.remote()
        try:
            with StopSignals(self.stop):
                feed = self._watch(show)
            ended_ns = time.time_ns()
            return self._close(feed, began_ns, ended_ns, show)
        except DeskError as fault:
            self._write_what_is_left(fault, began_ns)
            raise

    @property
    def stats(self) -> Mapping[str, Any]:
        """What each actor told last, by its name: ProducerStats, ShardStats, OrderSummary, …; for who is shown."""
        return self._stats

    @property
    def pids(self) -> dict[str, int]:
        """The actors' processes by name."""
        return {name: usage.pid for name, usage in self.crew.usage.items()}

    def move(self, slots: Sequence[int], to: int) -> None:
        """Ask the producer to let these slots belong to another shard, without waiting."""
        self.crew.handles[PRODUCER].move.remote(list(slots), to)

    def stop(self) -> None:
        """Ask for an orderly end: the lanes are drained, the books are closed."""
        self._state = "draining"
        self.crew.handles[PRODUCER].stop.remote()

    def _watch(self, show: Show) -> FeedRecord:
        """Wait for the feed's end; meanwhile ask everybody for figures, and replace whoever is gone."""
        due_s = 0.0
        while True:
            if time.monotonic() >= due_s:
                due_s = time.monotonic() + WATCH_EVERY_S
                if self._asked:  # whoever is slow to answer keeps nobody else from being shown
                    self._show(show)
                self._end_hanging()
                self._leave_draining()
                self._ask_all()
            for name, fault in self.crew.gone():
                self._revive(name, fault)
            refs = [self._playing, *self._asked]
            wait_s = min(max(due_s - time.monotonic(), 0.01), LOOK_EVERY_S)
            done, _ = ray.wait(refs, num_returns=1, timeout=wait_s)
            for ref in done:
                if ref in self._asked:
                    self._take_answer(ref)
                    if not self._asked:
                        self._show(show)
                elif ref is self._playing and (record := self._played()) is not None:
                    return record

    def _ask_all(self) -> None:
        """Ask everybody who has answered the last time; those that do little, every second time."""
        self._rounds += 1
        silent = {name for name, _ in self._asked.values()}
        for name, handle in self.crew.handles.items():
            if name not in silent and (name not in SELDOM or self._rounds % 2):
                self._asked[handle.stats.remote()] = (name, "stats")

    def _end_hanging(self) -> None:
        """Make successors of the consumers that do not answer because they hang."""
        silent = {name for name, _ in self._asked.values()}
        owing = [number for number in self._shards if consumer_name(number) in silent]
        for number, fault in self._watchdog.hanging(owing, time.monotonic()):
            self._revive(consumer_name(number), fault)

    def _leave_draining(self) -> None:
        """Make consumers anew elsewhere whose node is about to go."""
        usage = self.crew.usage
        for name, why in self._draining.leaving({name: usage[name].node for name in self._numbers if name in usage}):
            self._revive(name, ActorDied(name, why, "a node that stays", "Nothing: it goes on elsewhere."))

    def _take_answer(self, ref: Any) -> None:
        name, method = self._asked.pop(ref)
        try:
            with told(name):
                answer = ray.get(ref)
        except ActorDied as fault:
            self._revive(name, fault)
            return
        if method == "usage":
            self.crew.note_usage(name, answer)
            return
        before = self._stats.get(name)
        if isinstance(answer, ShardStats) and isinstance(before, ShardStats) and answer.mark_ns > before.mark_ns:
            self.crew.pardon(name)
        self._stats[name] = answer

    def _played(self) -> FeedRecord | None:
        """What the producer says at its end; None when it died instead, and another plays on."""
        try:
            with told(PRODUCER):
                record: FeedRecord = ray.get(self._playing)
        except ActorDied as fault:
            self._revive(PRODUCER, fault)
            return None
        return record

    def _revive(self, name: str, fault: ActorDied) -> None:
        """Make a successor; what was asked of the dead one is not waited for. Raises ActorDied when it is given up."""
        self._asked = {ref: asked for ref, asked in self._asked.items() if asked[0] != name}
        handle = self._replace(name, fault)
        self._asked[handle.usage.remote()] = (name, "usage")
        if name == PRODUCER:
            self._playing = handle.play.remote()
            if self._state == "draining":
                handle.stop.remote()

    def _ask(self, name: str, method: str) -> Any:
        """Ask one actor and wait; its successor, where it dies."""
        while True:
            try:
                with told(name):
                    return ray.get(getattr(self.crew.handles[name], method).remote())
            except ActorDied as fault:
                self._replace(name, fault)

    def _replace(self, name: str, fault: ActorDied) -> Any:
        """End what is left of an actor and make its successor, without the strategy that it died of, if any."""
        number = self._numbers.get(name)
        if number is not None and self._watchdog.died(number):
            self.crew.pardon(name)
        return self.crew.revive(name, fault)

    def _show(self, show: Show) -> None:
        producer: ProducerStats | None = self._stats.get("producer")
        orders: OrderSummary | None = self._stats.get("broker")
        if producer is None or orders is None:
            return
        for note in self._new_notes.of(producer.intake):
            self.log.warning("%s", note)
        pids = {number: self.pids[consumer_name(number)] for number in self._shards}
        if self._state == "running":
            self._rebalancer.look(time.time_ns(), producer.intake, self._shard_stats())
        show(self._viewer.view(time.time_ns(), self._state, producer.intake, self._shard_stats(), pids, orders))

    def _shard_stats(self) -> list[ShardStats]:
        return [self._stats[consumer_name(number)] for number in self._shards if consumer_name(number) in self._stats]

    def _close(self, feed: FeedRecord, began_ns: int, ended_ns: int, show: Show) -> Summary:
        """Collect the last figures of everybody, let ledger and keeper close, and write the results."""
        self._state = "closed"
        for number in self._shards:
            self._ask(consumer_name(number), "settle")
        for name in self.crew.handles:
            if name != PRODUCER:  # it has said all that it had to say
                self._stats[name] = self._ask(name, "stats")
                self.crew.note_usage(name, self._ask(name, "usage"))
        self._show(show)
        problems = [*self._ask("broker", "problems"), *self._ask("scanner", "problems"), *feed.problems]
        record = self._record(feed, began_ns, ended_ns, problems)
        decisions = self._ask("ledger", "decisions")
        self._ask("ledger", "close")
        self._ask("keeper", "close")
        summary = self._write(record, decisions)
        self.folder.resume.done()
        self.log.info("ended: ok=%s balanced=%s", summary.ok, summary.balanced)
        return summary

    def _write(self, record: RunRecord, decisions: list[Decision]) -> Summary:
        for problem in record.problems:
            self.log.error("%s", problem)
        for warning in warnings(record):
            self.log.warning("%s", warning)
        return write_results(self.folder, record, KeeperStore(self.folder.keeper).bars, decisions)

    def _write_what_is_left(self, fault: DeskError, began_ns: int) -> None:
        """After a failure: a summary that says so, with what was last known of everybody.

        The session stays open in the ledger: another desk can go on with it.
        """
        producer: ProducerStats | None = self._stats.get("producer")
        received = producer.intake.received if producer else {}
        record = self._record(FeedRecord(received, {}, {}, []), began_ns, time.time_ns(), [str(fault)], failed=True)
        try:
            self._write(record, self._ask("ledger", "decisions"))
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
            consumers=[self.crew.usage[consumer_name(stats.shard)] for stats in shards],
            producer=self.crew.usage[PRODUCER],
            orders=self._stats.get("broker") or OrderSummary(),
            bars=0,
            decisions=0,
            problems=[*problems, *strategy_problems(shards)],
            failed=failed,
            restarts={number: self.crew.restarts[consumer_name(number)] for number in self._shards},
        )


def run_desk(
    plan: Plan, folder: RunFolder, *, address: str | None, show: Show, resume: Resume | None = None
) -> Summary:
    """Run the plan on a Ray cluster, or go on with it, and give its summary. Raises DeskError."""
    return Supervisor(plan, folder, address, resume).run(show)
