"""Spans of the calls of strategies while a traced batch is applied.

Tests: tests/desk/inprocess/test_traced_run.py
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Final, TypeVar

from desk import tracing
from desk.consumer.engine.instance import Instance
from desk.consumer.engine.outbox import EngineOutbox
from desk.consumer.engine.symbols import SecondHook
from desk.model.spans import SpanContext
from desk.telemetry.span_recorder import SpanRecorder, new_span_id

MOST_CALLS: Final = 100
C = TypeVar("C", bound=Instance | SecondHook)


class CallTracer:
    """Records each call as a child of the span `parent`: the first MOST_CALLS, and every one that makes an intent.

    `began_ns` is the wall time now, for the stopwatch's times. `first_intent` is the span of the first call that made
    an intent. Spans that the strategy makes itself are children of its call's.
    """

    def __init__(
        self,
        spans: SpanRecorder,
        parent: SpanContext,
        began_ns: int,
        stopwatch: Callable[[], int],
        outbox: EngineOutbox,
    ) -> None:
        self.first_intent: SpanContext | None = None
        self._spans = spans
        self._parent = parent
        self._stopwatch = stopwatch
        self._shift_ns = began_ns - stopwatch()
        self._outbox = outbox
        self._calls = 0

    def around(self, calls: Iterable[C], hook: str) -> Iterator[C]:
        """The same calls; what the caller does with each, until it takes the next one, is its span."""
        for call in calls:
            instance = call if isinstance(call, Instance) else call[0]
            if instance.stopped:
                yield call
                continue
            span = SpanContext(self._parent.trace_id, new_span_id())
            before, began_ns = len(self._outbox.intents), self._stopwatch()
            with tracing.continued({"traceparent": span.traceparent}):
                yield call
            ended_ns, intents = self._stopwatch(), len(self._outbox.intents) - before
            self._calls += 1
            if intents and self.first_intent is None:
                self.first_intent = span
            if intents or self._calls <= MOST_CALLS:
                self._spans.add(
                    "strategy",
                    began_ns + self._shift_ns,
                    ended_ns + self._shift_ns,
                    self._parent,
                    context=span,
                    strategy=instance.entry.name,
                    hook=hook,
                    symbol=instance.symbol,
                    intents=intents,
                )
