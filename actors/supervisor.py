"""The supervisor: the driver that creates every actor, watches them all, and closes the books.

It owns every actor and none is detached: its death ends the desk, and another `desk run` is the recovery.
"""

import logging
import re
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stdout
from functools import partial
from typing import Any, Final

import msgspec
import ray

from actors.awaited import Awaited
from actors.books import Books, Times
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
from actors.printed import Printed
from actors.producer import Producer, ProducerStats
from actors.rebalancer import Rebalancer
from actors.scaler import Scaler, scaling_policy
from actors.scanner import Scanner
from actors.watchdog import Watchdog, elsewhere
from desk.clock import SystemClock
from desk.closing import LOG, open_log
from desk.config import Plan, choose_consumers, first_consumers
from desk.model.errors import ActorDied, ClusterLost, DeskError, RunFailed
from desk.orders import OrderSummary
from desk.pipeline.record import FeedRecord
from desk.pipeline.shard import ShardStats
from desk.pipeline.viewing import NewNotes, Viewer
from desk.report.live import DeskState, DeskView
from desk.report.summary import Summary
from desk.runs import RunFolder
from desk.runs.resume import Resume
from desk.signals import StopSignals
from desk.wiring import markets
from desk.wiring.beginning import begin
from desk.wiring.flow import market_waits

WATCH_EVERY_S: Final = 0.5
LOOK_EVERY_S: Final = 0.1
LATE_S: Final = 20.0
"""So long the beginning waits for everybody; then for one consumer alone, as long as it takes a node to come."""
NOBODY_S: Final = 1200.0
PRODUCER: Final = "producer"
CONTROL: Final = ("keeper", "ledger", "broker", "scanner")
PRODUCER_THREADS: Final = 4
SPARES: Final = 1

Show = Callable[[DeskView], None]


class Supervisor:
    """One desk on a Ray cluster."""

    def __init__(self, plan: Plan, folder: RunFolder, address: str | None, resume: Resume | None = None) -> None:
        self.plan = plan
        self.folder = folder
        source = markets.market_source(plan)
        self._begun = begin(plan, source, folder, resume, SystemClock(), in_process=False)
        self.session = self._begun.session
        self._viewer = Viewer(self.session.start_ns, self.session.waits)
        self._rebalancer = Rebalancer(plan, self.move)
        self._state: DeskState = "starting"
        self._stats: dict[str, Any] = {}
        self._asked: dict[Any, str] = {}
        self._playing: Any = None
        self._rounds = 0
        self._began_ns = time.time_ns()
        # A folder's name may be long, and hold what no other name may.
        desk = f"raydesk-{re.sub(r'[^A-Za-z0-9._-]+', '-', folder.dir.name)[:60]}-{self._begun.started_ns:x}"
        self.log = logging.getLogger(LOG)
        self._books = Books(plan, self.session, folder, self._stats, self.log)
        first = first_consumers(plan)
        self.cluster = Cluster(address, first * plan.consumers.cpus, desk, folder.dir, self._say_ray_is_lost, first)
        open_log(folder)
        self._new_notes = NewNotes(self.log)
        for note in markets.source_notes(source):
            self.log.info("%s", note)
        for note in self.cluster.notes:
            self.log.info("%s", note)
        for warning in self.cluster.warnings:
            self.log.warning("%s", warning)
        elastic = plan.consumers.count == 0 and not market_waits(plan)
        policy = scaling_policy(plan, self._room()) if elastic else None
        most = policy.most if policy is not None else self._first_count()
        numbers = range(max([most, *(shard + 1 for shard in self._begun.shards)]))
        self._numbers = {consumer_name(number): number for number in numbers}
        self.crew = Crew(self.cluster, self._recipes(desk), self._begun.epoch, self.log)
        self.scaler = Scaler(self.crew, numbers, policy, self.cluster.node, self.log)
        self._awaited = Awaited(plan.consumers.cpus, lambda: self.cluster.room, self.cluster.placed, self.log)
        self._books.crew = self.crew
        self._spares = self.cluster.spares(self.log)
        self._draining = Draining(self.cluster.draining)
        self._marked = False
        self._watchdog = Watchdog(desk, plan.guards.hang_s, self.log, partial(elsewhere, self.cluster.other_nodes))

    def run(self, show: Show) -> Summary:
        """Run to the end, close the books, give the summary. Raises DeskError; the books are closed then, too.

        Raises StoppedEarly, with the results written, where a signal came before the first second was complete.
        """
        try:
            with StopSignals(self.stop) as signals, redirect_stdout(Printed(self.log)):
                with self.cluster.loss.explained():
                    self._hire()
                summary = self._play(show)
        except ClusterLost as fault:
            self._say_ray_is_lost(fault)
            raise
        except DeskError as fault:
            self.log.error("run failed: %s", fault)  # noqa: TRY400 - the fault tells what there is to tell
            raise
        finally:
            self._watchdog.close()
            if self._spares is not None:
                self._spares.close()
            self.cluster.close()
        signals.require_begun(marked=self._marked)
        return summary

    def _room(self) -> int | None:
        """How many consumers there can ever be; None where the cluster may grow."""
        return int(self.cluster.room.cpus // self.plan.consumers.cpus) if self.cluster.own else None

    def _first_count(self) -> int:
        """How many consumers to begin with: the plan's, else as many as this machine or what is free bears.

        Where they follow the load on a cluster that may grow, as few as may be.
        """
        consumers = self.plan.consumers
        if consumers.count or self.cluster.own:
            return first_consumers(self.plan)
        if not market_waits(self.plan):
            return consumers.min
        free = int(self.cluster.room.free // consumers.cpus)
        return choose_consumers(free + 1, 0.0, consumers.min, consumers.max)

    def _recipes(self, desk: str) -> dict[str, Recipe]:
        """How each actor is made, in the order in which they need one another."""
        plan, session, make = self.plan, self.session, self.cluster.create
        periods_s = [scanner.every_s for scanner in plan.scanners]

        def consumer(number: int, epoch: int) -> Any:
            name, stops = consumer_name(number), self._watchdog.begins(number, epoch)
            doors = (RayKeeper(), RayBroker())
            return make(Consumer, name, plan, session, number, epoch, *doors, desk, stops, cpus=plan.consumers.cpus)

        def producer(epoch: int) -> Any:
            links, scanners = RayShardLinks(sorted(self.scaler.joined)), RayScanners(periods_s, session.start_ns)
            parts = (links, RayBroker(), scanners, RayKeeper())
            asleep = {number: self._stats[consumer_name(number)].lane for number in self.scaler.asleep}
            shards = (self._begun.resume.first, asleep)
            return make(Producer, PRODUCER, plan, session, epoch, *parts, *shards, threads=PRODUCER_THREADS)

        return {
            "keeper": lambda _: make(Keeper, "keeper", self.folder.keeper),
            "ledger": lambda _: make(Ledger, "ledger", plan, session, self.folder.dir),
            "broker": lambda _: make(Broker, "broker", plan, session, RayLedger(), RayProducer()),
            "scanner": lambda _: make(Scanner, "scanner", plan, session),
            **{name: partial(consumer, number) for name, number in self._numbers.items()},
            PRODUCER: producer,
        }

    def _hire(self) -> None:
        """Make everybody, and begin with the consumers that are there when the others have kept one waiting.

        Who holds a part of a session that was broken off is waited for in any case.
        """
        left = self._begun.shards
        names = [name for name, number in self._numbers.items() if number in left or number < self._first_count()]
        needed = {consumer_name(number) for number in left}
        since_s = time.monotonic()

        def enough() -> bool:
            now_s = time.monotonic()
            self._awaited.look(self.crew.awaited_since_s, now_s)
            here = set(self.crew.here)
            missing = (set(self.crew.handles) - set(names) | needed) - here
            if not missing and not here.isdisjoint(names):
                return self._state == "draining" or now_s - since_s > LATE_S
            if self._state == "draining" or now_s - since_s > NOBODY_S:
                raise self._nobody(missing or set(names))
            return False

        self._make([*CONTROL, *names], enough)
        present = [self._numbers[name] for name in names if name in self.crew.here]
        if not self._begun.resume.first:
            resume = msgspec.structs.replace(self._begun.resume, first=present)
            self.folder.resume.write(resume)
            self._begun = msgspec.structs.replace(self._begun, resume=resume)
        self.scaler.begin(present)
        self._make([PRODUCER], lambda: PRODUCER in self.crew.here)

    def _make(self, names: Sequence[str], enough: Callable[[], bool]) -> None:
        """Make these, and wait until all of them answer, or it is `enough`. Raises what building one raised."""
        for name in names:
            self.crew.make(name)
        while self.crew.awaited_since_s and not enough():
            self.cluster.loss.require_alive()
            self._welcome(LOOK_EVERY_S)
            self._end_hanging()

    def _nobody(self, missing: set[str]) -> DeskError:
        waiting = "; ".join(self._awaited.notes) or ", ".join(sorted(missing)) + " did not answer"
        if self._state == "draining":
            return RunFailed("the desk", f"stopped before it began: {waiting}", "a session under way", "Run it again.")
        remedy = "Lower [consumers] count or cpus, or add nodes."
        return ActorDied(min(missing), waiting, "room for it on the cluster", remedy)

    def _play(self, show: Show) -> Summary:
        self._began_ns = time.time_ns()
        self._playing = self.crew.handles[PRODUCER].play.remote()
        if self._spares is not None:
            self._spares.add(SPARES)
        try:
            if self._state == "draining":
                self.stop()
            else:
                self._state = "running"
            with self.cluster.loss.explained():
                return self._close(self._watch(show), time.time_ns(), show)
        except ClusterLost:
            raise
        except DeskError as fault:
            self._write_what_is_left(fault)
            raise

    @property
    def stats(self) -> Mapping[str, Any]:
        """What each actor told last, by its name: ProducerStats, ShardStats, OrderSummary, …; for who is shown."""
        return self._stats

    @property
    def pids(self) -> dict[str, int]:
        """The processes by name of the actors that are there."""
        return {name: usage.pid for name, usage in self.crew.usage.items() if name in self.crew.handles}

    def move(self, slots: Sequence[int], to: int) -> None:
        """Ask the producer to let these slots belong to another shard, without waiting."""
        self.crew.handles[PRODUCER].move.remote(list(slots), to)

    def stop(self) -> None:
        """Ask for an orderly end: the lanes are drained, the books are closed."""
        self._state = "draining"
        if PRODUCER in self.crew.handles:
            self.crew.handles[PRODUCER].stop.remote()

    def _watch(self, show: Show) -> FeedRecord:
        """Wait for the feed's end; meanwhile ask everybody for figures, and replace whoever is gone."""
        due_s = 0.0
        while True:
            self.cluster.loss.require_alive()
            if time.monotonic() >= due_s:
                due_s = time.monotonic() + WATCH_EVERY_S
                if self._asked:  # whoever is slow to answer keeps nobody else from being shown
                    self._show(show)
                self._end_hanging()
                self._leave_draining()
                self._ask_all()
            for name, fault in self.crew.gone():
                self._revive(name, fault)
            self._welcome()
            refs = [self._playing, *self._asked, *self.crew.calls]
            wait_s = min(max(due_s - time.monotonic(), 0.01), LOOK_EVERY_S)
            done, _ = ray.wait(refs, num_returns=1, timeout=wait_s)
            for ref in done:
                if ref in self._asked:
                    self._take_answer(ref)
                    if not self._asked:
                        self._show(show)
                elif ref is self._playing and (record := self._played()) is not None:
                    return record

    def _welcome(self, timeout_s: float = 0.0) -> None:
        """Take in who is there, each in place of a spare; who dies before it has answered gets a successor, too."""
        try:
            arrived = self.crew.welcome(timeout_s)
        except ActorDied as fault:
            if fault.place not in self.crew.handles:
                raise
            self._revive(fault.place, fault)
            return
        if arrived and self._playing is not None and self._spares is not None:
            self._spares.add(arrived)

    def _ask_all(self) -> None:
        """Ask everybody who has answered the last time; those that do little, every second time."""
        self._rounds += 1
        silent = set(self._asked.values())
        for name in self.crew.here:
            if name not in silent and (name not in CONTROL or self._rounds % 2):
                self._asked[self.crew.handles[name].stats.remote()] = name

    def _end_hanging(self) -> None:
        """Make successors of the consumers that do not answer because they hang."""
        now_s = time.monotonic()
        silent = {*self._asked.values(), *self._starting(now_s)}
        owing = [number for name, number in self._numbers.items() if name in silent]
        for number, fault in self._watchdog.hanging(owing, now_s):
            self._revive(consumer_name(number), fault)

    def _starting(self, now_s: float) -> list[str]:
        """Who has got a process for long and has not answered: what it restores may hang."""
        since_s, hang_s = self.crew.awaited_since_s, self.plan.guards.hang_s
        return [name for name, since in since_s.items() if now_s - since > hang_s and self.cluster.placed(name)]

    def _leave_draining(self) -> None:
        """Make consumers anew elsewhere whose node is about to go."""
        nodes = {name: self.crew.usage[name].node for name in self.crew.here if name in self._numbers}
        for name, why in self._draining.leaving(nodes):
            self._revive(name, ActorDied(name, why, "a node that stays", "Nothing: it goes on elsewhere."))

    def _take_answer(self, ref: Any) -> None:
        name = self._asked.pop(ref)
        try:
            with told(name):
                answer = ray.get(ref)
        except ActorDied as fault:
            self._revive(name, fault)
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
        self._asked = {ref: other for ref, other in self._asked.items() if other != name}
        handle = self._replace(name, fault)
        if name == PRODUCER:
            self._playing = handle.play.remote()
            if self._state == "draining":
                handle.stop.remote()

    def _ask(self, name: str, method: str) -> Any:
        """Ask one actor and wait; its successor, where it dies."""
        while True:
            try:
                with told(name):
                    return self.cluster.get(getattr(self.crew.handles[name], method).remote())
            except ActorDied as fault:
                self._replace(name, fault)

    def _replace(self, name: str, fault: ActorDied) -> Any:
        """End what is left of an actor and make its successor, without the strategy that it died of, if any."""
        number = self._numbers.get(name)
        if number is not None and self._watchdog.died(number):
            self.crew.pardon(name)
        return self.crew.revive(name, fault)

    def _show(self, show: Show) -> None:
        now_ns = time.time_ns()
        self._awaited.look(self.crew.awaited_since_s, time.monotonic())
        producer: ProducerStats | None = self._stats.get(PRODUCER)
        orders: OrderSummary | None = self._stats.get("broker")
        if producer is None or orders is None:
            return
        self._new_notes.write(producer.intake)
        here = {self._numbers[name]: self.pids[name] for name in self.crew.here if name in self._numbers}
        shards = [stats for stats in self._books.shard_stats() if stats.shard in here]
        if self._state == "running":
            self._rebalancer.look(producer.intake, shards, self.scaler.leaving)
            self.scaler.look(producer.intake, shards, self._note_last)
        view = self._viewer.view(now_ns, self._state, producer.intake, shards, here, orders)
        show(msgspec.structs.replace(view, notes=[*view.notes, *self._awaited.notes, *self.cluster.warnings]))

    def _note_last(self, number: int) -> None:
        """Take the last figures of a consumer that is about to end."""
        name = consumer_name(number)
        self._stats[name] = self._ask(name, "stats")
        self.crew.note_usage(name, self._ask(name, "usage"))
        self._asked = {ref: other for ref, other in self._asked.items() if other != name}

    def _close(self, feed: FeedRecord, ended_ns: int, show: Show) -> Summary:
        """Collect the last figures of everybody, let ledger and keeper close, and write the results."""
        self._state, self._marked = "closed", feed.marked
        for name in [name for name in self.crew.handles if name in self._numbers]:
            if self._numbers[name] not in self.scaler.joined:
                self.crew.dismiss(name)  # it came too late, if it came at all
                continue
            self._ask(name, "settle")
        for name in self.crew.handles:
            if name != PRODUCER:  # it has said all that it had to say
                self._stats[name] = self._ask(name, "stats")
                self.crew.note_usage(name, self._ask(name, "usage"))
        self._show(show)
        self._new_notes.write(feed)
        problems = [*self._ask("broker", "problems"), *self._ask("scanner", "problems"), *feed.problems]
        decisions = self._ask("ledger", "decisions")
        self._ask("ledger", "close")
        self._ask("keeper", "close")
        self.cluster.loss.leave()
        notices = [*self._awaited.told.values(), *self.cluster.warnings]
        summary = self._books.write(feed, self._times(ended_ns), problems, notices, decisions)
        self.folder.resume.done()
        self.log.info("ended: ok=%s balanced=%s", summary.ok, summary.balanced)
        return summary

    def _write_what_is_left(self, fault: DeskError) -> None:
        """After a failure: a summary that says so, with what was last known of everybody.

        The session stays open in the ledger: another desk can go on with it.
        """
        producer: ProducerStats | None = self._stats.get(PRODUCER)
        received = producer.intake.received if producer else {}
        times = self._times(time.time_ns())
        try:
            self._books.write_failed(times, str(fault), received, self._ask("ledger", "decisions"))
        except DeskError as second:
            self.log.error("the results could not be written: %s", second)  # noqa: TRY400 - as above
            self._books.write_summary(times, str(fault), received)

    def _say_ray_is_lost(self, fault: ClusterLost) -> None:
        """Log it and write a summary that says so, without a call of Ray's; the ledger's session stays open."""
        if not self.log.handlers:  # Ray died while it started
            open_log(self.folder)
        self.log.error("run failed: %s", fault)
        producer: ProducerStats | None = self._stats.get(PRODUCER)
        self._books.write_summary(self._times(time.time_ns()), str(fault), producer.intake.received if producer else {})

    def _times(self, ended_ns: int) -> Times:
        return Times(self._begun.started_ns, self._began_ns, ended_ns)


def run_desk(
    plan: Plan, folder: RunFolder, *, address: str | None, show: Show, resume: Resume | None = None
) -> Summary:
    """Run the plan on a Ray cluster, or go on with it, and give its summary. Raises DeskError."""
    return Supervisor(plan, folder, address, resume).run(show)
