"""The end of a desk on Ray: collect the last figures, close the ledger, write the results.

Tests: tests/actors/test_stops.py
"""

from collections.abc import Callable, Mapping
from logging import Logger
from typing import Final

from actors.broker import Broker
from actors.calls.interfaces import SupervisedActor
from actors.consumer import Consumer
from actors.driver.actor_registry import ActorRegistry
from actors.driver.monitor import HISTORY, PRODUCER, Monitor
from actors.driver.report_writer import ReportWriter
from actors.driver.scaler import Scaler
from actors.driver.watchdog import SCANNER, Watchdog
from actors.keeper import Keeper
from actors.ledger import Ledger
from actors.producer import ProducerStats
from desk.model.errors import DeskError
from desk.process.time_limit import CLOSE_S
from desk.report.run_record import FeedRecord
from desk.report.summary import Summary
from desk.wiring.run_end import RunTimes

LAST_WORDS_S: Final = 10.0
"""The limit of the wait for the ledger's decisions after a failure."""


class SessionCloser:
    """Closes a finished session, or writes the partial results of a failed one."""

    def __init__(
        self,
        registry: ActorRegistry,
        monitor: Monitor,
        watchdog: Watchdog,
        scaler: Scaler,
        report_writer: ReportWriter,
        numbers: Mapping[str, int],
        log: Logger,
    ) -> None:
        self._registry = registry
        self._monitor = monitor
        self._watchdog = watchdog
        self._scaler = scaler
        self._report_writer = report_writer
        self._numbers = numbers
        self._log = log

    def close(self, feed: FeedRecord, times: RunTimes, show: Callable[[], None]) -> Summary:
        """Collect the last figures of all actors, close ledger and keeper, and write the results.

        Each actor is stopped as soon as it has no more work: a successor would reopen closed files. Raises DeskError.
        """
        registry, ask = self._registry, self._monitor.ask
        self._monitor.limit(CLOSE_S)
        if HISTORY in registry.handles:  # it may still wait for the vendor
            registry.dismiss(HISTORY)
        for name in [name for name in registry.handles if name in self._numbers]:
            if self._numbers[name] not in self._scaler.joined:
                registry.dismiss(name)  # it did not start in time
                continue
            ask(name, Consumer.settle)
        for name in list(registry.handles):
            if name != PRODUCER:  # the producer's record has its last figures
                report = ask(name, SupervisedActor.report)
                self._monitor.answers.take(name, report.stats, report.readings)
                registry.note_usage(name, ask(name, SupervisedActor.usage))
        show()
        problems = [*ask("broker", Broker.problems), *self._scanner_problems, *feed.problems]
        decisions = ask("ledger", Ledger.decisions)
        for name in [*self._numbers, SCANNER, PRODUCER, "broker"]:
            if name in registry.handles:
                registry.dismiss(name)
        ask("ledger", Ledger.close)
        registry.dismiss("ledger")
        ask("keeper", Keeper.close)
        registry.dismiss("keeper")
        self._monitor.leave_ray()
        return self._report_writer.write(feed, times, problems, decisions)

    @property
    def _scanner_problems(self) -> list[str]:
        return [*self._watchdog.problems, *self._monitor.answers.scanner_problems.all]

    def write_what_is_left(self, times: RunTimes, fault: DeskError) -> None:
        """Write a summary with the error and the last known figures.

        The session stays open in the ledger: it can be resumed.
        """
        producer: ProducerStats | None = self._monitor.answers.stats.get(PRODUCER)
        received = producer.loop.received if producer else {}
        found = [str(fault), *self._scanner_problems]
        ask = self._monitor.ask
        self._monitor.relimit(LAST_WORDS_S)
        try:
            self._monitor.answers.take("ledger", ask("ledger", SupervisedActor.stats))
            self._report_writer.write_failed(times, found, received, ask("ledger", Ledger.decisions))
        except (DeskError, KeyError) as second:
            self._log.error("the results could not be written: %s", second)
            self._report_writer.write_summary(times, found, received)
