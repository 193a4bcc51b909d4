"""OTLP traces: the spans of all actors, sent in batches by a thread of its own.

Tests: tests/desk/inprocess/test_otlp_run.py
"""

from collections import deque
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Final

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags

from desk.exporters.export_failures import ExportFailures
from desk.exporters.otlp_sender import OtlpSender
from desk.model.spans import SpanRecord

EVERY_S: Final = 1.0
MOST_WAITING: Final = 20_000
MOST_PER_EXPORT: Final = 500
KINDS: Final = {
    "feed": SpanKind.CONSUMER,
    "lane": SpanKind.PRODUCER,
    "link": SpanKind.CONSUMER,
    "ledger.commit": SpanKind.CLIENT,
    "venue": SpanKind.CLIENT,
}
_SCOPE: Final = InstrumentationScope("raydesk")


class OtlpSpans(OtlpSender):
    """Sends spans to a receiver. Where it refuses, does not answer or is too slow, spans are dropped and counted."""

    def __init__(self, exporter: SpanExporter, outcome: ExportFailures, every_s: float = EVERY_S) -> None:
        super().__init__("otlp-spans", exporter, outcome, every_s)
        self.dropped = 0
        self._exporter = exporter
        self._waiting: deque[tuple[Resource, SpanRecord]] = deque()
        self._start()

    def publish(self, resource: Mapping[str, str], spans: Sequence[SpanRecord]) -> None:
        """Enqueue an actor's spans, with the attributes of its resource; never waits."""
        room = max(MOST_WAITING - len(self._waiting), 0)
        self.dropped += max(len(spans) - room, 0)
        made = Resource(dict(resource))
        self._waiting.extend((made, span) for span in spans[:room])

    def _send(self) -> None:
        while self._waiting:
            batch = [self._waiting.popleft() for _ in range(min(len(self._waiting), MOST_PER_EXPORT))]
            readable = [_readable(resource, span) for resource, span in batch]
            if self._attempt(partial(self._export, readable)):
                self.dropped += len(batch)

    def _export(self, spans: Sequence[ReadableSpan]) -> bool:
        return self._exporter.export(spans) is SpanExportResult.SUCCESS


def _readable(resource: Resource, span: SpanRecord) -> ReadableSpan:
    return ReadableSpan(
        span.name,
        context=_context(span.trace_id, span.span_id),
        parent=_context(span.trace_id, span.parent_id) if span.parent_id else None,
        resource=resource,
        attributes=span.attributes,
        kind=KINDS.get(span.name, SpanKind.INTERNAL),
        status=Status(StatusCode.ERROR, span.error) if span.error else Status(StatusCode.UNSET),
        start_time=span.started_ns,
        end_time=span.ended_ns,
        instrumentation_scope=_SCOPE,
    )


def _context(trace_id: str, span_id: str) -> SpanContext:
    return SpanContext(int(trace_id, 16), int(span_id, 16), is_remote=False, trace_flags=TraceFlags(TraceFlags.SAMPLED))
