"""The metrics of a desk in one process, under the names of the actors that it would have on Ray.

Tests: tests/desk/inprocess/test_otlp_run.py
"""

import os
import time
from collections.abc import Mapping, Sequence

from desk.consumer.shard_stats import ShardStats
from desk.orders import OrderSummary
from desk.producer.stats import LoopStats
from desk.report import metric_readings
from desk.telemetry.histogram import HistogramSnapshot
from desk.telemetry.readings import Readings


def desk_readings(
    loop: LoopStats,
    shards: Sequence[ShardStats],
    orders: OrderSummary,
    order_times: Mapping[str, HistogramSnapshot],
    commit_time: HistogramSnapshot,
    started_ns: int,
) -> dict[str, Readings]:
    """The readings by actor; those of the process itself are the driver's."""
    found: dict[str, Readings] = {}

    def of(actor: str) -> Readings:
        return found.setdefault(actor, Readings(actor, os.getpid(), "", started_ns, time.time_ns()))

    metric_readings.add_producer(of("producer"), loop)
    for stats in shards:
        metric_readings.add_shard(of(f"consumer-{stats.shard:02}"), stats)
    metric_readings.add_orders(of("broker"), orders, order_times)
    of("ledger").record("ledger.commit", commit_time)
    return found
