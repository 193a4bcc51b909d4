"""A ledger whose commits are timed.

Tests: tests/desk/orders/test_timed_ledger.py
"""

from collections.abc import Callable, Mapping, Sequence

from desk.model.orders import OrderEvent
from desk.model.records import Decision
from desk.model.units import SECOND_NS
from desk.orders.order_ledger import OrderLedger
from desk.telemetry.readings import Readings
from desk.telemetry.timed_wait import TimedWait


class TimedLedger:
    """The same ledger; `commits` are the waits for its commits. `stopwatch` returns ns of a running timer."""

    def __init__(self, ledger: OrderLedger, stopwatch: Callable[[], int]) -> None:
        self._ledger = ledger
        self.commits = TimedWait(stopwatch)
        self.decisions = ledger.decisions
        self.history = ledger.history
        self.earlier_loss = ledger.earlier_loss
        self.notes = ledger.notes

    def record(
        self, decisions: Sequence[Decision], events: Sequence[OrderEvent], notes: Mapping[str, str] | None = None
    ) -> None:
        """Write in one commit, and time it."""
        with self.commits:
            self._ledger.record(decisions, events, notes)

    def measure(self, readings: Readings) -> None:
        """Add the time spent on commits."""
        readings.count("wait.time", self.commits.total_ns / SECOND_NS, kind="commit", taken="exact")
