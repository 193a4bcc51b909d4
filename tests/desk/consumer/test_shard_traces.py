"""Which batches a shard traces, and the spans of those that are too old."""

from desk.consumer.shard_traces import ShardTraces
from desk.model.batch import Batch, LaneTotals
from desk.model.items import Item, Mark
from desk.model.spans import SpanContext
from desk.model.ticks import Quote, Trade
from desk.model.units import MS_NS, SECOND_NS
from desk.telemetry.span_recorder import MOST_SLOW_PER_S, SpanRecorder

NOW_NS = 1_000 * SECOND_NS
PARENT = SpanContext("a" * 32, "b" * 16)


def a_batch(*items: Item, seq: int = 1, traceparent: str | None = None) -> Batch:
    return Batch("producer", 1, 3, seq, NOW_NS - 2 * MS_NS, LaneTotals(), list(items), traceparent=traceparent)


def a_trade(age_ms: int) -> Trade:
    return Trade(1, "A", NOW_NS - age_ms * MS_NS, NOW_NS - 5 * MS_NS, 10.0, 100.0)


def test_a_batch_with_a_traceparent_is_a_child_of_the_lanes_span() -> None:
    spans = SpanRecorder()
    traces = ShardTraces(3, spans, 0, None)

    link = traces.begin(a_batch(Mark(0, 0), traceparent=PARENT.traceparent), NOW_NS)

    assert link is not None
    span = traces.new_span(link)
    traces.applied(a_batch(), link, span, NOW_NS, NOW_NS + MS_NS)
    first, second = spans.take()
    assert (first.name, first.parent_id, first.context) == ("link", PARENT.span_id, link)
    assert (first.started_ns, first.ended_ns) == (NOW_NS - 2 * MS_NS, NOW_NS)
    assert (second.name, second.parent_id, second.context) == ("apply", link.span_id, span)


def test_a_batch_that_is_too_old_is_traced_from_its_oldest_tick() -> None:
    spans = SpanRecorder()
    traces = ShardTraces(3, spans, 0, 100 * MS_NS)
    quote = Quote(2, "A", NOW_NS - MS_NS, NOW_NS - MS_NS, 9.0, 1.0, 11.0, 1.0)

    assert traces.begin(a_batch(a_trade(101), quote), NOW_NS) is not None

    feed, lane, link = spans.take()
    assert [span.name for span in (feed, lane, link)] == ["feed", "lane", "link"]
    assert (feed.started_ns, feed.ended_ns, feed.parent_id) == (NOW_NS - 101 * MS_NS, NOW_NS - 5 * MS_NS, "")
    assert (lane.parent_id, link.parent_id) == (feed.span_id, lane.span_id)
    assert {feed.trace_id, lane.trace_id, link.trace_id} == {feed.trace_id}


def test_young_batches_and_batches_without_ticks_are_not_traced() -> None:
    spans = SpanRecorder()

    assert ShardTraces(3, spans, 0, 100 * MS_NS).begin(a_batch(a_trade(100)), NOW_NS) is None
    assert ShardTraces(3, spans, 0, 100 * MS_NS).begin(a_batch(Mark(0, 0)), NOW_NS) is None
    assert ShardTraces(3, spans, 50 * MS_NS, 100 * MS_NS).begin(a_batch(a_trade(149)), NOW_NS) is None, "by design"
    assert ShardTraces(3, spans, 0, None).begin(a_batch(a_trade(9_000)), NOW_NS) is None
    assert ShardTraces(3, SpanRecorder(on=False), 0, 0).begin(a_batch(a_trade(9)), NOW_NS) is None
    assert spans.take() == []


def test_old_batches_beyond_the_limit_are_counted() -> None:
    spans = SpanRecorder()
    traces = ShardTraces(3, spans, 0, 100 * MS_NS)

    begun = [traces.begin(a_batch(a_trade(200), seq=seq), NOW_NS) for seq in range(MOST_SLOW_PER_S + 4)]
    later = traces.begin(a_batch(a_trade(200)), NOW_NS + SECOND_NS)

    assert sum(span is not None for span in begun) == MOST_SLOW_PER_S
    assert later is not None
    assert spans.slow_untraced == 4
