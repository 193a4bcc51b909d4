"""The answers of a desk's actors to polls.

Tests: tests/actors/test_on_ray.py
"""

from collections import deque
from collections.abc import Sequence
from logging import Logger
from typing import Any

from actors.driver.ledger_reports import LedgerReports
from actors.driver.scanner_problems import ScannerProblems
from desk.model.spans import SpanRecord
from desk.telemetry.readings import Readings
from desk.telemetry.span_recorder import MOST_SPANS


class PollAnswers:
    """The last `stats` and `readings` of each actor by its name, and the reports of scanners and ledger so far."""

    def __init__(self, log: Logger) -> None:
        self.stats: dict[str, Any] = {}
        self.readings: dict[str, Readings] = {}
        self.dropped_spans = 0
        self._spans: dict[str, deque[SpanRecord]] = {}
        self.scanner_problems = ScannerProblems()
        self.ledger = LedgerReports(log)

    def take(self, name: str, stats: Any, readings: Readings | None = None, spans: Sequence[SpanRecord] = ()) -> None:
        """Store an actor's answer; without `readings` those of its last poll stay."""
        self.stats[name] = stats
        if readings is not None:
            self.readings[name] = readings
        if spans:
            kept = self._spans.setdefault(name, deque(maxlen=MOST_SPANS))
            self.dropped_spans += max(len(kept) + len(spans) - MOST_SPANS, 0)
            kept.extend(spans)
        self.scanner_problems.take(stats)
        self.ledger.take(stats)

    def take_spans(self) -> dict[str, Sequence[SpanRecord]]:
        """Take out the spans by actor: between two calls the last MOST_SPANS, `dropped_spans` counts the others."""
        taken, self._spans = self._spans, {}
        return {name: list(spans) for name, spans in taken.items()}
