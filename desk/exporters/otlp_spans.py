"""OTLP traces: the spans of all actors, sent in batches by a thread of its own.

Tests: tests/desk/inprocess/test_otlp_run.py
"""

import threading
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Final

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags

from desk.exporters.export_failures import ExportFailures
from desk.exporters.otlp_metrics import ABORT_S, LAST_EXPORT_S
from desk.exporters.sdk_log import SdkLog
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


class OtlpSpans:
    """Sends spans to a receiver. Where it refuses, does not answer or is too slow, spans are dropped and counted."""

    def __init__(self, exporter: SpanExporter, outcome: ExportFailures, every_s: float = EVERY_S) -> None:
        self.dropped = 0
        self._exporter = exporter
        self._outcome = outcome
        self._every_s = every_s
        self._waiting: deque[tuple[Resource, SpanRecord]] = deque()
        self._closing = threading.Event()
        self._sdk_log = SdkLog()
        self._thread = threading.Thread(target=self._run, name="otlp-spans", daemon=True)
        self._thread.start()

    def publish(self, resource: Mapping[str, str], spans: Sequence[SpanRecord]) -> None:
        """Enqueue an actor's spans, with the attributes of its resource; never waits."""
        room = max(MOST_WAITING - len(self._waiting), 0)
        self.dropped += max(len(spans) - room, 0)
        made = Resource(dict(resource))
        self._waiting.extend((made, span) for span in spans[:room])

    def close(self) -> None:
        """Send the last spans; end after at most LAST_EXPORT_S + ABORT_S."""
        self._closing.set()
        self._thread.join(LAST_EXPORT_S)
        threading.Thread(target=self._exporter.shutdown, name="otlp-shutdown", daemon=True).start()
        self._thread.join(ABORT_S)
        if self._thread.is_alive():
            self._outcome.report("no answer at the end of the run")
        self._sdk_log.close()

    def _run(self) -> None:
        closing = False
        while not closing:
            closing = self._closing.wait(self._every_s)
            while self._waiting:
                batch = [self._waiting.popleft() for _ in range(min(len(self._waiting), MOST_PER_EXPORT))]
                why = self._export([_readable(resource, span) for resource, span in batch])
                self.dropped += len(batch) if why else 0
                self._outcome.report(why)

    def _export(self, spans: Sequence[ReadableSpan]) -> str:
        """Export; return why it failed, "" if it did not."""
        self._sdk_log.last = ""
        try:
            if self._exporter.export(spans) is SpanExportResult.SUCCESS:
                return ""
        except Exception as fault:  # noqa: BLE001 - an exporter must not end the thread
            return f"{type(fault).__name__}: {fault}"
        return self._sdk_log.last or "the receiver refused it"


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
