"""Which batches are traced, and under which ids: the same for the same batch of a run.

Tests: tests/desk/flow/test_batch_trace.py
"""

from hashlib import blake2b
from typing import NamedTuple

from desk.flow.lane_config import LaneConfig
from desk.model.spans import SpanContext


class BatchTrace(NamedTuple):
    """A traced batch: the span of its time in the lane, and its oldest tick's times; 0 if it has no tick."""

    lane_span: SpanContext
    seq: int
    items: int
    venue_ns: int = 0
    received_ns: int = 0


def batch_span(config: LaneConfig, shard: int, seq: int) -> SpanContext | None:
    """The span of the batch's time in the lane; None if it is not one of the fraction that is traced."""
    share = config.trace_sample
    if int(seq * share) == int((seq - 1) * share):
        return None
    ids = blake2b(f"{config.trace_salt}/{config.epoch}/{shard}/{seq}".encode(), digest_size=24).hexdigest()
    return SpanContext(ids[:32], ids[32:])
