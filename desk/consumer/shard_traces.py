"""The shard's part of a batch's trace: link and apply; and all of it for a batch that is too old.

Tests: tests/desk/consumer/test_shard_traces.py
"""

from desk.model.batch import Batch
from desk.model.spans import SpanContext
from desk.model.ticks import Quote, Trade
from desk.telemetry.span_recorder import SpanRecorder, new_span_id, new_trace_id


class ShardTraces:
    """Decides which batches of a shard are traced, and records their spans.

    A batch whose header has a traceparent is. So is one without, if its oldest tick is older than `older_ns`, less the
    feed's `delay_ns`; None: never.
    """

    def __init__(self, shard: int, spans: SpanRecorder, delay_ns: int, older_ns: int | None) -> None:
        self.spans = spans
        self._shard = shard
        self._delay_ns = delay_ns
        self._older_ns = older_ns

    def begin(self, batch: Batch, now_ns: int) -> SpanContext | None:
        """The link's span of a batch that is taken up now; None if it is not traced."""
        if not self.spans.on:
            return None
        lane = SpanContext.of(batch.traceparent) if batch.traceparent else self._slow(batch, now_ns)
        if lane is None:
            return None
        return self.spans.add("link", batch.sent_ns, now_ns, lane, shard=self._shard, seq=batch.seq)

    def new_span(self, parent: SpanContext) -> SpanContext:
        """The context of a span that is not finished yet."""
        return SpanContext(parent.trace_id, new_span_id())

    def applied(self, batch: Batch, parent: SpanContext, span: SpanContext, began_ns: int, ended_ns: int) -> None:
        """Record the span of a batch's application."""
        self.spans.add("apply", began_ns, ended_ns, parent, context=span, shard=self._shard, items=len(batch.items))

    def _slow(self, batch: Batch, now_ns: int) -> SpanContext | None:
        """The lane's span of a batch that is too old, made afterwards; None if it is not, or too many are."""
        limit_ns = self._older_ns
        if limit_ns is None:
            return None
        ticks = [item for item in batch.items if type(item) is Trade or type(item) is Quote]
        if not ticks:
            return None
        oldest = min(ticks, key=lambda tick: tick.ts_ns)
        if now_ns - oldest.ts_ns - self._delay_ns <= limit_ns or not self.spans.may_trace_slow(now_ns):
            return None
        root = self.spans.add(
            "feed", oldest.ts_ns, oldest.received_ns, context=SpanContext(new_trace_id(), new_span_id()), slow=True
        )
        return self.spans.add("lane", oldest.received_ns, batch.sent_ns, root, shard=self._shard, seq=batch.seq)
