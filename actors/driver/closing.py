"""The end of a desk on Ray: last figures, closed books, written results.

Tests: tests/actors/test_stops.py
"""

from collections.abc import Callable, Mapping
from logging import Logger
from typing import Final

from actors.broker import Broker
from actors.calls.interfaces import SupervisedActor
from actors.consumer import Consumer
from actors.driver.crew import Crew
from actors.driver.monitor import PRODUCER, Monitor
from actors.driver.report_writer import Books
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
"""So long the ledger has to give its decisions after a failure."""


class Closing:
    """Closes a session that is over, or writes what is left of one that failed."""

    def __init__(
        self,
        crew: Crew,
        monitor: Monitor,
        watchdog: Watchdog,
        scaler: Scaler,
        books: Books,
        numbers: Mapping[str, int],
        log: Logger,
    ) -> None:
        self._crew = crew
        self._monitor = monitor
        self._watchdog = watchdog
        self._scaler = scaler
        self._books = books
        self._numbers = numbers
        self._log = log

    def close(self, feed: FeedRecord, times: RunTimes, show: Callable[[], None]) -> Summary:
        """Collect the last figures of all actors, let ledger and keeper close, and write the results.

        An actor is ended as soon as nothing more is needed of it: a successor made for it now would open what it had
        closed. Raises DeskError.
        """
        crew, ask = self._crew, self._monitor.ask
        self._monitor.limit(CLOSE_S)
        for name in [name for name in crew.handles if name in self._numbers]:
            if self._numbers[name] not in self._scaler.joined:
                crew.dismiss(name)  # it came too late, if it came at all
                continue
            ask(name, Consumer.settle)
        for name in list(crew.handles):
            if name != PRODUCER:  # its record tells all
                self._monitor.answers.take(name, ask(name, SupervisedActor.stats))
                crew.note_usage(name, ask(name, SupervisedActor.usage))
        show()
        problems = [*ask("broker", Broker.problems), *self._scanner_problems, *feed.problems]
        decisions = ask("ledger", Ledger.decisions)
        for name in [*self._numbers, SCANNER, PRODUCER, "broker"]:
            if name in crew.handles:
                crew.dismiss(name)
        ask("ledger", Ledger.close)
        crew.dismiss("ledger")
        ask("keeper", Keeper.close)
        crew.dismiss("keeper")
        self._monitor.leave_ray()
        return self._books.write(feed, times, problems, decisions)

    @property
    def _scanner_problems(self) -> list[str]:
        return [*self._watchdog.problems, *self._monitor.answers.scanner_problems.all]

    def write_what_is_left(self, times: RunTimes, fault: DeskError) -> None:
        """After a failure: a summary that says so, with the last known figures.

        The session stays open in the ledger: it can be resumed.
        """
        producer: ProducerStats | None = self._monitor.answers.stats.get(PRODUCER)
        received = producer.intake.received if producer else {}
        found = [str(fault), *self._scanner_problems]
        ask = self._monitor.ask
        self._monitor.relimit(LAST_WORDS_S)
        try:
            self._monitor.answers.take("ledger", ask("ledger", SupervisedActor.stats))
            self._books.write_failed(times, found, received, ask("ledger", Ledger.decisions))
        except (DeskError, KeyError) as second:
            self._log.error("the results could not be written: %s", second)
            self._books.write_summary(times, found, received)
