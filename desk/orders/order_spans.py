"""The broker's part of a trace: decide, and within it the ledger's commit and the venue.

Tests: tests/desk/inprocess/test_traced_run.py
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from desk.model.orders import OrderEvent, OrderKind, Request
from desk.model.records import Decision
from desk.model.spans import SpanContext
from desk.orders.order_ledger import OrderLedger
from desk.orders.order_venue import OrderVenue
from desk.ports import Clock
from desk.telemetry.span_recorder import SpanRecorder, new_span_id
from desk.trading.risk_gate import Approved


class OrderSpans:
    """Records the spans of one request at a time, if it is traced."""

    def __init__(self, spans: SpanRecorder, clock: Clock) -> None:
        self._spans = spans
        self._clock = clock
        self._deciding: SpanContext | None = None

    @contextmanager
    def deciding(self, request: Request) -> Iterator[None]:
        """Record the decision of a request as a child of the strategy's call."""
        parent = SpanContext.of(request.traceparent) if self._spans.on else None
        if parent is None:
            yield
            return
        self._deciding = SpanContext(parent.trace_id, new_span_id())
        began_ns, intents = self._clock.wall_ns(), len(request.intents)
        try:
            yield
        finally:
            span, self._deciding = self._deciding, None
            self._spans.add("decide", began_ns, self._clock.wall_ns(), parent, context=span, intents=intents)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Record a step of the decision under way, if there is one."""
        parent = self._deciding
        if parent is None:
            yield
            return
        began_ns = self._clock.wall_ns()
        try:
            yield
        finally:
            self._spans.add(name, began_ns, self._clock.wall_ns(), parent)


class TracedLedger:
    """A ledger whose commits are spans."""

    def __init__(self, ledger: OrderLedger, spans: OrderSpans) -> None:
        self._ledger = ledger
        self._spans = spans
        self.decisions = ledger.decisions
        self.history = ledger.history
        self.earlier_loss = ledger.earlier_loss
        self.notes = ledger.notes

    def record(
        self, decisions: Sequence[Decision], events: Sequence[OrderEvent], notes: Mapping[str, str] | None = None
    ) -> None:
        """Write everything in one commit."""
        with self._spans.step("ledger.commit"):
            self._ledger.record(decisions, events, notes)


class TracedVenue:
    """A venue whose submits and cancels are spans."""

    def __init__(self, venue: OrderVenue, spans: OrderSpans) -> None:
        self.simulated: bool = venue.simulated
        self.kinds: frozenset[OrderKind] = venue.kinds
        self._venue = venue
        self._spans = spans

    def submit(self, approved: Approved) -> None:
        """Send an order."""
        with self._spans.step("venue"):
            self._venue.submit(approved)

    def cancel(self, client_order_id: str) -> None:
        """Request the cancel of an order's open quantity."""
        with self._spans.step("venue"):
            self._venue.cancel(client_order_id)
