"""The supervisor: the driver that creates, watches and restarts all actors, and closes the session.

It owns every actor and none is detached: its death ends the desk, and `desk run --resume` recovers it.

Tests: tests/actors/test_on_ray.py
"""

import logging
import re
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stdout
from functools import partial
from typing import Any, Final

import msgspec

from actors.calls.handles import call
from actors.calls.peers import consumer_name
from actors.consumer import Consumer
from actors.driver.actor_registry import ActorRegistry
from actors.driver.actor_specs import ActorSpecs
from actors.driver.closing import SessionCloser
from actors.driver.monitor import LOOK_EVERY_S, PRODUCER, Monitor
from actors.driver.pending_actors import PendingActors
from actors.driver.poll_answers import PollAnswers
from actors.driver.rebalancer import Rebalancer
from actors.driver.report_writer import ReportWriter
from actors.driver.scaler import Scaler, scaling_policy
from actors.driver.startup import StartUp
from actors.driver.stdout_to_log import StdoutToLog
from actors.driver.watchdog import Watchdog, on_other_nodes
from actors.keeper import Keeper
from actors.producer import Producer, ProducerStats
from actors.ray_cluster.cluster import Cluster
from actors.ray_internals.starting import own_signals
from desk.config import Plan, choose_consumers, initial_consumers
from desk.model.batch import LaneTotals
from desk.model.errors import ClusterLost, DeskError, RunFailed, StoppedEarly
from desk.model.log_line import fields
from desk.orders import OrderSummary
from desk.process.clock import SystemClock
from desk.process.signals import StopSignals, stop_signals
from desk.report import metric_readings
from desk.report.desk_view import DeskState, DeskView
from desk.report.live_snapshot import ProcessRow
from desk.report.run_record import FeedRecord
from desk.report.summary import Summary
from desk.report.viewer import DeskViewer, NewNotes
from desk.runs import RunFolder
from desk.runs.resume_file import ResumeState
from desk.telemetry.readings import Readings
from desk.wiring import broker_factory, markets
from desk.wiring.live_status import LiveStatus
from desk.wiring.producer_factory import market_waits
from desk.wiring.run_end import LOG, RunTimes, flush_log, open_log
from desk.wiring.run_start import start_run
from desk.wiring.telemetry import Telemetry, open_telemetry

POLL_EVERY_S: Final = 0.5
SPARES: Final = 1

Show = Callable[[DeskView], None]


class Supervisor:
    """One desk on a Ray cluster."""

    def __init__(
        self,
        plan: Plan,
        folder: RunFolder,
        address: str | None,
        resume: ResumeState | None = None,
        telemetry: Telemetry | None = None,
    ) -> None:
        self.plan = plan
        self._telemetry = telemetry
        self.folder = folder
        self._resumed = resume is not None
        self._played = self._marked = False
        source = markets.market_source(plan)
        self._begun = start_run(plan, source, folder, resume, SystemClock(), in_process=False)
        self.session = self._begun.session
        self._viewer = DeskViewer(self.session.start_ns, self.session.waits)
        self._rebalancer = Rebalancer(plan, self.move)
        self._state: DeskState = "starting"
        self._began_ns = time.time_ns()
        # A folder's name may be longer than an actor's, and have other characters.
        desk = f"raydesk-{re.sub(r'[^A-Za-z0-9._-]+', '-', folder.dir.name)[:60]}-{self._begun.started_ns:x}"
        self.log = logging.getLogger(LOG)
        self._published = b""
        self._has_log = False
        self._answers = PollAnswers(self.log)
        self._report_writer = ReportWriter(plan, self.session, folder, self._answers.stats, self.log)
        first = initial_consumers(plan)
        with stop_signals() as signals, own_signals(signals):
            cpus, name = first * plan.consumers.cpus, plan.session.name
            self.cluster = Cluster(address, cpus, desk, folder.dir, self._say_ray_is_lost, first, name)
        open_log(folder)
        self._live = LiveStatus(folder, plan.session.name, node=self.cluster.node)
        if telemetry is not None:
            telemetry.meters = self._live.meters
        self._has_log = True
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
        self._watchdog = Watchdog(desk, plan.guards.hang_s, self.log, partial(on_other_nodes, self.cluster.other_nodes))
        specs = ActorSpecs(
            plan, self.session, folder, self.cluster, desk, self._begun.seal, self._watchdog, self._lanes
        )
        self.registry = ActorRegistry(self.cluster, specs.by_name(self._numbers), self._begun.epoch, self.log)
        self.scaler = Scaler(self.registry, numbers, policy, self.cluster.node, self.log)
        self._pending = PendingActors(plan.consumers.cpus, lambda: self.cluster.capacity, self.cluster.placed, self.log)
        self._spares = self.cluster.spares(self.log)
        self._monitor = Monitor(
            self.registry, self.cluster, self._watchdog, self._spares, self._numbers, plan.guards.hang_s, self._answers
        )
        self._start_up = StartUp(self.registry, self._monitor, self.scaler, self._pending, self._numbers)
        self._report_writer.registry = self.registry
        self._report_writer.notices = self._notices
        self._closing = SessionCloser(
            self.registry, self._monitor, self._watchdog, self.scaler, self._report_writer, self._numbers, self.log
        )

    def run(self, show: Show) -> Summary:
        """Run to the end, close the session, and return the summary. Raises DeskError, after closing.

        Raises StoppedEarly, with the results written, where a signal came before the first second was complete.
        """
        with stop_signals() as signals:
            try:
                summary = self._run(show, signals)
                signals.require_begun(marked=self._marked)
            except RunFailed as fault:
                if not self._played:
                    self._report_writer.write_summary(self._times(time.time_ns()), [str(fault)], {})
                raise
            except StoppedEarly as stopped:
                if not self._played and not self._resumed:
                    self._close_unplayed(stopped)
                raise
        return summary

    def _run(self, show: Show, signals: StopSignals) -> Summary:
        monitor = self._monitor
        try:
            with redirect_stdout(StdoutToLog(self.log)), self.cluster.loss.translate_failures(), self._live:
                monitor.stop_wanted = lambda: signals.received is not None
                monitor.on_stop = signals.require_none
                signals.require_none()
                self._begun = self._start_up.run(self._begun, self._first_count(), self.folder)
                self._start_up.make_producer()
                monitor.on_stop = self.stop
                return self._play(show)
        except ClusterLost as fault:
            self._say_ray_is_lost(fault)
            raise
        except DeskError as fault:
            self.log.error("run failed: %s", fault)  # noqa: TRY400 - the error needs no traceback
            raise
        finally:
            self.registry.kill()
            self._watchdog.close()
            if self._spares is not None:
                self._spares.close()
            self.cluster.close()
            flush_log()

    def _close_unplayed(self, stopped: StoppedEarly) -> None:
        """Close a new session before its first frame, and write a summary that says so."""
        now_ns = time.time_ns()
        try:
            book = broker_factory.open_ledger(self.plan, self.session, self.folder.dir, now_ns)
            book.close_session(now_ns)
            book.close()
        except DeskError as fault:
            self.log.error("the session stays open in the ledger: %s", fault)  # noqa: TRY400 - as above
        none = FeedRecord({}, {}, {}, [], marked=False)
        self._report_writer.write(none, self._times(now_ns), [str(stopped)], [])
        self.folder.resume.done()

    def _room(self) -> int | None:
        """The highest possible number of consumers; None if the cluster may grow."""
        return int(self.cluster.capacity.cpus // self.plan.consumers.cpus) if self.cluster.own else None

    def _first_count(self) -> int:
        """The number of consumers at the start: the plan's, else as many as the machine or the free CPUs allow.

        If the number follows the load and the cluster may grow, it is the plan's minimum.
        """
        consumers = self.plan.consumers
        if consumers.count or self.cluster.own:
            return initial_consumers(self.plan)
        if not market_waits(self.plan):
            return consumers.min
        free = int(self.cluster.capacity.free // consumers.cpus)
        return choose_consumers(free + 1, 0.0, consumers.min, consumers.max)

    def _lanes(self) -> tuple[list[int], list[int], dict[int, LaneTotals]]:
        """The shards as a producer's spec needs them; see ActorSpecs."""
        asleep = {number: self.stats[consumer_name(number)].lane for number in self.scaler.asleep}
        return self._begun.resume.first, sorted(self.scaler.joined), asleep

    def _play(self, show: Show) -> Summary:
        self._began_ns = time.time_ns()
        self._state, self._played = "running", True
        self._monitor.play()
        if self._spares is not None:
            self._spares.add(SPARES)
        try:
            with self.cluster.loss.translate_failures():
                return self._close(self._watch(show), time.time_ns(), show)
        except ClusterLost:
            raise
        except DeskError as fault:
            self._closing.write_what_is_left(self._times(time.time_ns()), fault)
            raise

    @property
    def stats(self) -> Mapping[str, Any]:
        """The last answer of each actor to a poll, by its name: ProducerStats, ShardStats, OrderSummary, …."""
        return self._answers.stats

    @property
    def pids(self) -> dict[str, int]:
        """The process ids of the running actors by name."""
        return {name: usage.pid for name, usage in self.registry.usage.items() if name in self.registry.handles}

    def move(self, slots: Sequence[int], to: int) -> None:
        """Request a move of these slots to another shard, without waiting."""
        call(self.registry.handles[PRODUCER], Producer.move, list(slots), to)

    def stop(self) -> None:
        """Request an orderly end: the lanes are drained, then the session is closed."""
        self._state = "draining"
        self.log.info("stopping: draining the lanes, then closing the session")
        self._monitor.stop()

    def _watch(self, show: Show) -> FeedRecord:
        """Poll the actors and show their figures until the feed ends."""
        monitor = self._monitor
        due_s = 0.0
        while True:
            if time.monotonic() >= due_s:
                due_s = time.monotonic() + POLL_EVERY_S
                if monitor.polling:  # one slow actor must not delay the display of the others
                    self._show(show)
                monitor.poll()
            polling = monitor.polling
            record = monitor.play_turn(min(max(due_s - time.monotonic(), 0.01), LOOK_EVERY_S))
            if polling and not monitor.polling:
                self._show(show)
            if record is not None:
                return record

    def _show(self, show: Show) -> None:
        now_ns = time.time_ns()
        self._pending.look(self.registry.awaited_since_s, time.monotonic())
        producer: ProducerStats | None = self.stats.get(PRODUCER)
        orders: OrderSummary | None = self.stats.get("broker")
        if producer is None or orders is None:
            return
        self._new_notes.write(producer.loop)
        here = {self._numbers[name]: self.pids[name] for name in self.registry.answered if name in self._numbers}
        shards = [stats for stats in self._report_writer.shard_stats() if stats.shard in here]
        if self._state == "running":
            self._rebalancer.look(producer.loop, shards, self.scaler.leaving)
            self.scaler.look(producer.loop, shards, self._note_last)
        view = self._viewer.view(now_ns, self._state, producer.loop, shards, here, orders)
        notes = [*view.notes, *self._pending.notes, *self._watchdog.notes[-1:], *self.cluster.warnings]
        alerts = [*view.alerts, *self._answers.ledger.alerts, *self._answers.scanner_problems.faults]
        view = msgspec.structs.replace(view, notes=notes, alerts=alerts)
        show(view)
        self._publish(view)
        if self._telemetry is not None and (self._telemetry.is_due or self._state == "closed"):
            own = Readings()
            own.count("trace.spans", self._answers.dropped_spans, outcome="dropped")
            self._telemetry.publish(dict(self._answers.readings), view, self._notices(), own)
            for name, spans in self._answers.take_spans().items():
                self._telemetry.publish_spans(name, self._answers.readings[name], spans)

    def _publish(self, view: DeskView) -> None:
        """Publish the desk for readers of the run folder and, by the keeper, of other nodes."""
        processes = [
            ProcessRow(name, usage.pid, usage.node)
            for name, usage in self.registry.usage.items()
            if name in self.registry.answered
        ]
        self._live.show(view, self._answers.readings, processes, self._notices(), self.cluster.ray_pids())
        latest = self._live.latest
        if latest is not self._published and "keeper" in self.registry.answered:
            self._published = latest
            call(self.registry.handles["keeper"], Keeper.publish, latest)

    def _note_last(self, number: int) -> None:
        """Store the last figures of a consumer before it stops."""
        name = consumer_name(number)
        self._answers.take(name, self._monitor.ask(name, Consumer.stats))
        self.registry.note_usage(name, self._monitor.ask(name, Consumer.usage))
        self._monitor.forget_poll(name)

    def _close(self, feed: FeedRecord, ended_ns: int, show: Show) -> Summary:
        self._state, self._marked = "closed", feed.marked
        if PRODUCER in self._answers.readings:
            metric_readings.replace_feed_counts(self._answers.readings[PRODUCER], feed)

        def show_last() -> None:
            self._show(show)
            self._new_notes.write(feed)
            if self._telemetry is not None:
                self._telemetry.close()

        summary = self._closing.close(feed, self._times(ended_ns), show_last)
        self.folder.resume.done()
        end = fields(ok=summary.ok, balanced=summary.balanced)
        self.log.info("ended: ok=%s balanced=%s", summary.ok, summary.balanced, extra=end)
        return summary

    def _say_ray_is_lost(self, fault: ClusterLost) -> None:
        """Log the loss of Ray and write a summary, without calls of Ray; the ledger's session stays open."""
        if not self._has_log:
            open_log(self.folder)
        self.log.error("run failed: %s", fault)
        producer: ProducerStats | None = self.stats.get(PRODUCER)
        received = producer.loop.received if producer else {}
        self._report_writer.write_summary(self._times(time.time_ns()), [str(fault)], received)
        flush_log()

    def _notices(self) -> list[str]:
        found = [*self.cluster.warnings, *self._pending.reported.values(), *self._answers.ledger.warnings]
        found += self._answers.scanner_problems.warnings
        found += [] if self._telemetry is None else self._telemetry.warnings()
        return [*found, self._live.fault] if self._live.fault else found

    def _times(self, ended_ns: int) -> RunTimes:
        return RunTimes(self._begun.started_ns, self._began_ns, ended_ns)


def run_desk(
    plan: Plan, folder: RunFolder, *, address: str | None, show: Show, resume: ResumeState | None = None
) -> Summary:
    """Run or resume the plan on a Ray cluster, and return its summary. Raises DeskError."""
    with stop_signals(), open_telemetry(plan, folder) as telemetry:
        return Supervisor(plan, folder, address, resume, telemetry).run(show)
