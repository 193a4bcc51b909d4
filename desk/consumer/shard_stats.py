"""A shard's figures, for the live view, scaling and metrics.

Tests: tests/desk/consumer/test_shard.py
"""

import msgspec

from desk.model.batch import LaneTotals
from desk.telemetry.audit import Audit
from desk.telemetry.histogram import HistogramSnapshot


class ShardStats(msgspec.Struct, array_like=True):
    """A shard's running totals at one moment; latencies in ns.

    `slot_ticks` (estimates) and `strategy_times` (by strategy and hook) are of this incarnation only. `told_ns` is the
    wall time of the reading.
    """

    shard: int
    mark_ns: int
    symbols: int
    batches: int
    busy_ns: int
    lane: LaneTotals
    audit: Audit
    time_in_queue: HistogramSnapshot
    in_lane: HistogramSnapshot
    on_link: HistogramSnapshot
    data_latency: HistogramSnapshot
    prices: dict[str, float]
    restored: int = 0
    slot_ticks: dict[int, int] = {}
    told_ns: int = 0
    strategy_times: dict[str, dict[str, HistogramSnapshot]] = {}
