"""Which batches of a lane are traced."""

import msgspec
import pytest

from desk.flow import Lane, LaneConfig
from desk.flow.batch_trace import batch_span
from desk.model.batch import decode_batch
from desk.model.items import Mark
from desk.model.spans import SpanContext
from desk.model.ticks import Trade
from desk.model.units import MS_NS

CONFIG = LaneConfig(
    source="producer",
    epoch=1,
    capacity=1_000,
    window_batches=1_000,
    linger_ns=0,
    write_timeout_ns=MS_NS,
    lag_threshold=1_000,
    max_data_latency_ns=MS_NS,
    lossless=True,
    trace_salt="run",
)


@pytest.mark.parametrize(("share", "traced"), [(0.0, 0), (0.01, 10), (0.25, 250), (1.0, 1_000)])
def test_the_wanted_share_of_the_batches_is_traced_under_ids_of_their_own(share: float, traced: int) -> None:
    config = msgspec.structs.replace(CONFIG, trace_sample=share)

    spans = [batch_span(config, shard, seq) for shard in (0, 1) for seq in range(1, 1_001)]

    found = [span for span in spans if span is not None]
    assert len(found) == 2 * traced
    assert len({span.trace_id for span in found}) == len({span.span_id for span in found}) == len(found)
    assert spans == [batch_span(config, shard, seq) for shard in (0, 1) for seq in range(1, 1_001)]


def test_the_header_carries_the_lanes_span_and_the_lane_has_the_oldest_ticks_times() -> None:
    lane = Lane(0, msgspec.structs.replace(CONFIG, trace_sample=1.0))
    lane.offer(Trade(1, "A", 30, 40, 10.0, 100.0), 50)
    lane.offer(Trade(2, "A", 20, 35, 10.0, 100.0), 50)
    lane.put(Mark(0, 0))

    payload = lane.cut(60)

    assert payload is not None
    assert lane.traced is not None
    assert SpanContext.of(decode_batch(payload).traceparent) == lane.traced.lane_span
    assert (lane.traced.venue_ns, lane.traced.received_ns, lane.traced.items) == (20, 35, 3)


def test_without_a_share_nothing_is_traced() -> None:
    lane = Lane(0, CONFIG)
    lane.put(Mark(0, 0))

    payload = lane.cut(60)

    assert payload is not None
    assert decode_batch(payload).traceparent is None
    assert lane.traced is None
