"""The span recorder of a process of the desk, and the way of its users' spans there.

Tests: tests/desk/test_tracing.py
"""

from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor, TracerProvider
from opentelemetry.trace import StatusCode

from desk import tracing
from desk.model.spans import SpanRecord
from desk.telemetry.span_recorder import SpanRecorder


def span_recorder(*, traced: bool) -> SpanRecorder:
    """The recorder of this process's spans; `traced`: of those, too, that strategies and scanners make."""
    recorder = SpanRecorder(on=traced)
    if traced:
        _record_user_spans(recorder)
    return recorder


def _record_user_spans(recorder: SpanRecorder) -> None:
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(_ToRecorder(recorder))
    tracing.use_provider(provider)


class _ToRecorder(SpanProcessor):
    """Converts finished spans; never waits."""

    def __init__(self, recorder: SpanRecorder) -> None:
        self._recorder = recorder

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Do nothing."""

    def on_end(self, span: ReadableSpan) -> None:
        """Record the span."""
        found = span.get_span_context()
        if found is None or span.start_time is None or span.end_time is None:
            return
        status = span.status
        self._recorder.record(
            SpanRecord(
                span.name,
                f"{found.trace_id:032x}",
                f"{found.span_id:016x}",
                f"{span.parent.span_id:016x}" if span.parent is not None else "",
                span.start_time,
                span.end_time,
                {key: _plain(value) for key, value in (span.attributes or {}).items()},
                (status.description or "error") if status.status_code is StatusCode.ERROR else "",
            )
        )

    def shutdown(self) -> None:
        """Do nothing: the recorder is the process's own."""

    def force_flush(self, timeout_millis: int = 30_000) -> bool:  # noqa: ARG002 - the interface's
        """Do nothing: spans are recorded as they end."""
        return True


def _plain(value: object) -> str | float | bool:
    return value if isinstance(value, (str, int, float)) else str(value)
