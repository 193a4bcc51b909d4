"""The spans of one process, until its next report takes them to the exporters.

Tests: tests/desk/test_tracing.py
"""

from collections import deque
from random import Random
from typing import Final

from desk.model.spans import SpanContext, SpanRecord
from desk.model.units import SECOND_NS

MOST_SPANS: Final = 2_000
MOST_SLOW_PER_S: Final = 10

_ids: Final = Random()  # noqa: S311 - ids, not secrets; the module's own generator, since strategies may seed random's


def new_trace_id() -> str:
    """A random trace id."""
    return f"{_ids.getrandbits(128) or 1:032x}"


def new_span_id() -> str:
    """A random span id."""
    return f"{_ids.getrandbits(64) or 1:016x}"


class SpanRecorder:
    """Keeps at most MOST_SPANS finished spans; further ones are dropped and counted. Any thread may add and take.

    A recorder that is `off` keeps nothing. Traces of batches that are too old are limited to MOST_SLOW_PER_S.
    """

    def __init__(self, *, on: bool = True) -> None:
        self.on = on
        self.recorded = 0
        self.dropped = 0
        self.slow_untraced = 0
        self._spans: deque[SpanRecord] = deque()
        self._slow_second = 0
        self._slow = 0

    def add(
        self,
        name: str,
        started_ns: int,
        ended_ns: int,
        parent: SpanContext | None = None,
        *,
        error: str = "",
        context: SpanContext | None = None,
        **attributes: str | float | bool,
    ) -> SpanContext:
        """Record a finished span; a root without `parent`. `context` is its own, if that is known already."""
        if context is None:
            context = SpanContext(new_trace_id() if parent is None else parent.trace_id, new_span_id())
        parent_id = "" if parent is None else parent.span_id
        self.record(SpanRecord(name, *context, parent_id, started_ns, max(ended_ns, started_ns), attributes, error))
        return context

    def record(self, span: SpanRecord) -> None:
        """Keep a finished span, if there is room."""
        if not self.on:
            return
        if len(self._spans) >= MOST_SPANS:
            self.dropped += 1
            return
        self.recorded += 1
        self._spans.append(span)

    def take(self) -> list[SpanRecord]:
        """Take out the spans recorded so far."""
        return [self._spans.popleft() for _ in range(len(self._spans))]

    def may_trace_slow(self, now_ns: int) -> bool:
        """Whether another slow batch may be traced in this second; counts those that may not."""
        if not self.on:
            return False
        if now_ns // SECOND_NS != self._slow_second:
            self._slow_second, self._slow = now_ns // SECOND_NS, 0
        self._slow += 1
        if self._slow <= MOST_SLOW_PER_S:
            return True
        self.slow_untraced += 1
        return False


NO_SPANS: Final = SpanRecorder(on=False)
"""Records nothing."""
