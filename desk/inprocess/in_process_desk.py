"""The whole desk in one process: started by `desk run --in-process`."""

from collections.abc import Callable
from contextlib import closing
from logging import Logger
from typing import Final

import msgspec

from desk.checkpoint import KeeperStore
from desk.config import Plan, initial_consumers
from desk.consumer.shard import Shard
from desk.inprocess.desk_readings import desk_readings
from desk.inprocess.direct_calls import LocalBroker, LocalKeeper, LocalLinks, LocalTickWriter, local_scanners
from desk.inprocess.hang_watch import HangWatch
from desk.inprocess.history_thread import HistoryThread
from desk.model.errors import DeskError
from desk.model.log_line import fields
from desk.model.units import MS_NS
from desk.orders.order_spans import OrderSpans
from desk.orders.timed_ledger import TimedLedger
from desk.process.children import end_processes, running_descendants
from desk.process.clock import SystemClock
from desk.process.mailbox import ProcessMailbox
from desk.process.signals import stop_signals
from desk.process.time_limit import TimeLimit, TimeUp, not_closed
from desk.process.usage import process_usage
from desk.producer.loop import ProducerLoop
from desk.report.desk_view import DeskState, DeskView
from desk.report.metric_readings import add_spans
from desk.report.run_record import RunRecord, feed_record, problems, strategy_problems, warnings
from desk.report.summary import Summary
from desk.report.viewer import DeskViewer, NewNotes
from desk.runs import RunFolder
from desk.runs.resume_file import ResumeState
from desk.telemetry.hop_meter import HopMeter
from desk.telemetry.readings import Readings
from desk.wiring import broker_factory, history_factory, markets, producer_factory, shard_factory
from desk.wiring.live_status import LiveStatus
from desk.wiring.run_end import RunTimes, flush_log, open_log, run_record, write_results
from desk.wiring.run_start import start_run
from desk.wiring.telemetry import Telemetry, open_telemetry
from desk.wiring.user_spans import span_recorder

SHOW_EVERY_NS = 250 * MS_NS
IN_PROCESS: Final = "desk"
"""The process's name in traces: it is all actors at once."""

Show = Callable[[DeskView], None]


class InProcessDesk:
    """All parts of the desk, built from a plan, connected by plain calls.

    `telemetry` gets its metrics once a second. With `owns_process`, child processes that the run started are killed at
    its end.
    """

    def __init__(
        self,
        plan: Plan,
        folder: RunFolder,
        resume: ResumeState | None = None,
        telemetry: Telemetry | None = None,
        *,
        owns_process: bool = False,
    ) -> None:
        self._owns_process = owns_process
        self._telemetry = telemetry
        self.plan = plan
        self.folder = folder
        self.clock = SystemClock()
        self._live = LiveStatus(folder, plan.session.name, "desk")
        if telemetry is not None:
            telemetry.meters = self._live.meters
        self._hops = HopMeter(self._live.meters.waits.timeline, self._live.meters.waits.work_points())
        source = markets.market_source(plan)
        begun = start_run(plan, source, folder, resume, self.clock, in_process=True)
        self.log = open_log(folder)
        for note in markets.source_notes(source):
            self.log.info("%s", note)
        self.started_ns, self.session, epoch = begun.started_ns, begun.session, begun.epoch
        self.store = KeeperStore(folder.keeper, begun.seal)
        self.book = broker_factory.open_ledger(plan, self.session, folder.dir, self.started_ns)
        self.spans = span_recorder(traced=plan.telemetry.traced)
        order_spans = OrderSpans(self.spans, self.clock)
        self._ledger = TimedLedger(self.book, self.clock.wall_ns)
        self.manager = broker_factory.build_order_manager(plan, self.session, self._ledger, order_spans)
        if source is not None:
            source = markets.session_source(source, self.session)
        self._hangs = HangWatch(plan.guards.hang_s, self.log)
        self.scanning = shard_factory.build_scanner_runner(plan, self.session, source, self._hangs)
        mailbox = ProcessMailbox()
        broker = LocalBroker(self.manager, mailbox, order_spans)
        numbers = range(initial_consumers(plan))
        keepers = [LocalKeeper(self.store) for _ in numbers]
        self.shards: dict[int, Shard] = {
            number: shard_factory.build_shard(
                *(plan, self.session, number, epoch, self.clock, keepers[number], broker),
                crumbs=self._hangs,
                spans=self.spans,
                hops=self._hops,
            )
            for number in numbers
        }
        server = history_factory.history_server(plan, self.session, folder.history)
        self._history = None if server is None else HistoryThread(server)
        self.loop: ProducerLoop = producer_factory.build_producer_loop(
            plan,
            self.session,
            source,
            LocalLinks(self.shards, self.clock),
            broker,
            local_scanners(self.scanning),
            LocalKeeper(self.store),
            self.clock,
            mailbox,
            epoch=epoch,
            first=numbers,
            joined=numbers,
            spans=self.spans,
            hops=self._hops,
            recorder=LocalTickWriter(folder.tape) if plan.tape.record else None,
            history=self._history,
        )
        self._children = running_descendants()
        self._left: list[str] = []
        self._viewer = DeskViewer(self.session.start_ns, self.session.waits)
        self._new_notes = NewNotes(self.log)
        self._ledger_notes = NewNotes(self.log)
        self._shown_ns = 0
        self._last: tuple[Show, DeskView] | None = None
        self.book.outages.changed = self._show_outage
        self._began_ns = self._ended_ns = self.started_ns

    def run(self, show: Show) -> Summary:
        """Run to the end, write the results, and return the summary. Raises the error that ends the run, after closing.

        Raises StoppedEarly, with the results written, where a signal came before the first second was complete.
        """
        log, limit = self.log, TimeLimit()

        def stop(_number: int) -> None:
            limit.start()
            self.loop.stop()

        found = fields(session=self.session.id, shards=len(self.shards))
        log.info("session %s, %d shards in one process", self.session.id, len(self.shards), extra=found)
        try:
            with stop_signals() as signals, self._hangs, self._live:
                signals.orderly(stop)
                try:
                    self._play(show)
                    limit.end()
                except TimeUp as up:
                    raise not_closed(str(up)) from up
                finally:
                    limit.end()
                signals.orderly()
                summary = self._write(log)
        except DeskError as fault:
            self._new_notes.write(self.loop.stats())
            log.error("run failed: %s", fault)  # noqa: TRY400 - the error needs no traceback
            self._write_failed(fault)
            raise
        finally:
            if self._history is not None:
                self._history.close()
            self.store.close()
            self.book.close()
            flush_log()
        signals.require_begun(marked=self.loop.marked)
        return summary

    def _play(self, show: Show) -> None:
        self._began_ns = self.clock.wall_ns()
        with closing(self.loop.play()) as frames:
            for _ in frames:
                self._show(show, "running")
        self._ended_ns = self.clock.wall_ns()
        self._show(show, "closed", at_once=True)
        self._end_children()
        self.book.close_session(self._ended_ns)

    def _write(self, log: Logger) -> Summary:
        record = self._record(self._ended_ns)
        for warning in warnings(record):
            log.warning("%s", warning)
        for problem in problems(record):
            log.error("%s", problem)
        summary = write_results(self.folder, record, self.store.bars, self.book.decisions())
        self.folder.resume.done()
        end = fields(ok=summary.ok, balanced=summary.balanced)
        log.info("ended: ok=%s balanced=%s", summary.ok, summary.balanced, extra=end)
        return summary

    def _end_children(self) -> None:
        """Kill and report child processes of strategies or scanners; their owners are unknown in one process."""
        left = running_descendants(self._children) if self._owns_process else []
        end_processes(left)
        self._left += [f"a strategy or scanner left {child} running: it was killed" for child in left]

    def _write_failed(self, fault: DeskError) -> None:
        """Write a summary of the failure. The session stays open in the ledger."""
        self._end_children()
        record = self._record(self.clock.wall_ns())
        record.problems.insert(0, str(fault))
        record.failed = True
        try:
            write_results(self.folder, record, self.store.bars, self.book.decisions())
        except DeskError as second:
            self.log.error("the results could not be written: %s", second)  # noqa: TRY400 - as above

    def _show(self, show: Show, state: DeskState, *, at_once: bool = False) -> None:
        now_ns = self.clock.wall_ns()
        if not at_once and now_ns - self._shown_ns < SHOW_EVERY_NS:
            return
        self._shown_ns = now_ns
        pid = process_usage().pid
        shards = [shard.stats() for shard in self.shards.values()]
        orders = self.manager.summary()
        loop = self.loop.stats()
        self._new_notes.write(loop)
        self.book.ping()
        view = self._viewer.view(now_ns, state, loop, shards, dict.fromkeys(self.shards, pid), orders)
        self._last = show, view
        view = self._with_alerts(view)
        show(view)
        if at_once or self._live.is_due:
            times, commits = self.manager.times.snapshots(), self.book.commit_time.snapshot()
            readings = desk_readings(loop, shards, orders, times, commits, self.started_ns)
            own, warnings = self._own_readings(), self.book.outages.warnings
            self._live.show(view, readings, [], warnings, own=own)
            if self._telemetry is not None:
                self._telemetry.publish(readings, view, warnings, own)
                self._telemetry.publish_spans(IN_PROCESS, Readings(IN_PROCESS, pid), self.spans.take())

    def _own_readings(self) -> Readings:
        """The metrics of this process as a whole."""
        own = Readings()
        self._hops.measure(own)
        self._ledger.measure(own)
        own.record("loop.lag", self.loop.lateness.snapshot())
        add_spans(own, self.spans)
        return own

    def _show_outage(self) -> None:
        """Show the last view again when the ledger's server fails or answers again."""
        self._ledger_notes.write(self.book.outages.report())
        if self._last is not None:
            show, view = self._last
            show(self._with_alerts(view))

    def _with_alerts(self, view: DeskView) -> DeskView:
        found = [alert for alert in (self.book.outages.alert, self.scanning.fault) if alert]
        return msgspec.structs.replace(view, alerts=[*view.alerts, *found]) if found else view

    def _record(self, ended_ns: int) -> RunRecord:
        exports: list[str] = []
        if self._telemetry is not None:
            self._telemetry.close()
            exports = self._telemetry.warnings()
        shards = [shard.stats() for shard in self.shards.values()]
        usage, feed = process_usage(), feed_record(self.loop)
        return run_record(
            self.plan,
            self.session,
            self.folder,
            RunTimes(self.started_ns, self._began_ns, ended_ns),
            feed,
            shards,
            [usage] * len(shards),
            usage,
            self.manager.summary(),
            [
                *self.manager.problems,
                *strategy_problems(shards),
                *self.scanning.problems,
                *([self.scanning.fault] if self.scanning.fault else []),
                *self._left,
                *feed.problems,
            ],
            [
                *self.book.outages.warnings,
                *self.scanning.warnings,
                *exports,
                *([self._live.fault] if self._live.fault else []),
            ],
            in_process=True,
        )


def run_in_process(
    plan: Plan, folder: RunFolder, *, show: Show, resume: ResumeState | None = None, owns_process: bool = False
) -> Summary:
    """Run or resume the plan in this process, and return its summary; see InProcessDesk. Raises DeskError."""
    with open_telemetry(plan, folder) as telemetry:
        return InProcessDesk(plan, folder, resume, telemetry, owns_process=owns_process).run(show)
