"""The ledger actor: the single writer of decisions, orders and fills.

Tests: tests/actors/test_plain_actors.py
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from actors.metrics.actor_meters import ActorMeters, ActorReport, ExportFactory, no_export
from desk.config import Plan
from desk.ledger.server_outages import LedgerReport
from desk.model.orders import OrderEvent
from desk.model.records import Decision
from desk.model.session import Session
from desk.model.units import SECOND_NS
from desk.process.clock import SystemClock
from desk.report.run_record import ProcessUsage
from desk.telemetry.readings import Readings
from desk.telemetry.timed_wait import TimedWait
from desk.wiring import broker_factory


class Ledger:
    """Write decisions and order events. A call returns after its commit.

    Calls run one at a time, except `stats` and `report`.
    """

    def __init__(self, plan: Plan, session: Session, run_dir: Path, export: ExportFactory = no_export) -> None:
        self._clock = SystemClock()
        self._book = broker_factory.open_ledger(plan, session, run_dir, self._clock.wall_ns())
        self._meters = ActorMeters("ledger", export)
        self._title = f"ledger of {plan.session.name}"
        self._commits = TimedWait(self._clock.wall_ns)

    def __repr__(self) -> str:
        return self._title

    def usage(self) -> ProcessUsage:
        """CPU time and memory that this process has used."""
        return self._meters.usage()

    def record(
        self, decisions: Sequence[Decision], events: Sequence[OrderEvent], notes: Mapping[str, str] | None = None
    ) -> None:
        """Write decisions, order events and the order manager's notes in one commit."""
        self._meters.follow()
        with self._commits:
            self._book.record(decisions, events, notes)

    def decisions(self) -> list[Decision]:
        """Every decision with its outcome."""
        return self._book.decisions()

    def history(self) -> tuple[list[Decision], list[OrderEvent]]:
        """Decisions with their verdict, and order events in the order in which they were recorded."""
        return self._book.history()

    def earlier_loss(self) -> float:
        """The loss of earlier sessions of the same exchange day."""
        return self._book.earlier_loss()

    def notes(self) -> dict[str, str]:
        """The order manager's last note of each name."""
        return self._book.notes()

    def close(self) -> None:
        """Close the session and the database."""
        self._book.close_session(self._clock.wall_ns())
        self._book.close()

    def stats(self) -> LedgerReport:
        """The server's state and the number of commits. Answers also while a commit waits for the server."""
        self._book.ping()
        return msgspec.structs.replace(self._book.outages.report(), commits=self._book.commit_time.count)

    def report(self) -> ActorReport:
        """The stats and the metrics of this process; answers as `stats` does."""
        return self._meters.report(self.stats(), self._measure)

    def _measure(self, readings: Readings) -> None:
        readings.record("ledger.commit", self._book.commit_time.snapshot())
        readings.count("wait.time", self._commits.total_ns / SECOND_NS, kind="commit", taken="exact")
