"""The producer's part of a batch's trace: feed, route and lane.

Tests: tests/desk/inprocess/test_traced_run.py
"""

from bisect import bisect_left
from collections import deque
from typing import Final

from desk.flow.batch_trace import BatchTrace
from desk.model.spans import SpanContext
from desk.telemetry.span_recorder import NO_SPANS, SpanRecorder, new_span_id

MOST_FRAMES: Final = 1_024


class BatchTraces:
    """Records the spans of traced batches as they are sent.

    `feed` is from the venue's time of the batch's oldest tick to its receipt, `route` from there until the frame was
    in the lanes, `lane` until the batch was cut.
    """

    def __init__(self, spans: SpanRecorder = NO_SPANS) -> None:
        self.on = spans.on
        self._spans = spans
        self._frames: deque[tuple[int, int]] = deque(maxlen=MOST_FRAMES)

    def routed(self, received_ns: int, now_ns: int) -> None:
        """Note that the ticks received up to this time are in the lanes."""
        self._frames.append((received_ns, now_ns))

    def sent(self, shard: int, trace: BatchTrace, now_ns: int) -> None:
        """Record the spans of a batch that was cut just now."""
        received_ns = trace.received_ns or now_ns
        routed_ns = min(self._routed_ns(received_ns), now_ns)
        root = SpanContext(trace.lane_span.trace_id, new_span_id())
        self._spans.add("feed", min(trace.venue_ns or now_ns, received_ns), received_ns, context=root)
        parent = self._spans.add("route", received_ns, routed_ns, root)
        self._spans.add(
            "lane", routed_ns, now_ns, parent, context=trace.lane_span, shard=shard, seq=trace.seq, items=trace.items
        )

    def _routed_ns(self, received_ns: int) -> int:
        """When the frame of a tick was in the lanes; the receipt itself for a frame that is not remembered."""
        place = bisect_left(self._frames, (received_ns, 0))
        return self._frames[place][1] if place < len(self._frames) else received_ns
