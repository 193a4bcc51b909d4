"""The history actor: asks the vendor for the market's past, so that neither ticks nor scans wait for it.

Tests: tests/actors/test_history_on_ray.py
"""

from pathlib import Path
from typing import Final

import msgspec

from actors.metrics.actor_meters import ActorMeters, ActorReport, ExportFactory, no_export
from desk.config import Plan
from desk.model.history import decode_question, encode_answer
from desk.model.session import Session
from desk.report.run_record import ProcessUsage
from desk.telemetry.readings import Readings
from desk.wiring import history_factory


class HistoryStats(msgspec.Struct, array_like=True):
    """The number of questions answered by this process."""

    answered: int


class HistoryReader:
    """Answer questions about the past of the plan's market, one at a time; the other calls do not wait for them.

    `kept` is the folder of the history that the run has used.
    """

    DASHBOARD_NAME: Final = "History"

    def __init__(self, plan: Plan, session: Session, kept: Path, export: ExportFactory = no_export) -> None:
        server = history_factory.history_server(plan, session, kept)
        assert server is not None, "this actor is created only for a feed with a history"
        self._server = server
        self._meters = ActorMeters("history", export)
        self._title = f"history of {plan.session.name}: {plan.feed.kind} feed"

    def __repr__(self) -> str:
        return self._title

    def serve(self, question: bytes) -> bytes:
        """Answer an encoded question; this waits for the vendor."""
        self._meters.follow()
        return encode_answer(self._server.serve(decode_question(question)))

    def usage(self) -> ProcessUsage:
        """CPU time and memory that this process has used."""
        return self._meters.usage()

    def stats(self) -> HistoryStats:
        """The counts so far."""
        return HistoryStats(self._server.answered)

    def report(self) -> ActorReport:
        """The stats and the metrics of this process."""
        return self._meters.report(self.stats(), self._measure)

    def _measure(self, readings: Readings) -> None:
        readings.count("history.questions", self._server.answered)
