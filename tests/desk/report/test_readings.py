"""Readings of the scaling policy from the desk's figures."""

from typing import Any

import numpy as np
import pytest
from test_run_record import some_stats
from test_viewer import loop_stats

from desk.consumer.shard_stats import ShardStats
from desk.model.lane_row import LaneRow
from desk.model.units import MS_NS, SECOND_NS
from desk.producer.stats import LoopStats
from desk.scaling import ScalingReading
from desk.scaling.readings import ScalingReadings
from desk.telemetry.histogram import Histogram, HistogramSnapshot


def waits(*ms: int) -> HistogramSnapshot:
    histogram = Histogram()
    histogram.add(np.array(ms, np.int64) * MS_NS)
    return histogram.snapshot()


def shard(number: int, queue: HistogramSnapshot) -> ShardStats:
    return some_stats(number, time_in_queue=queue)


def at(second: float, *rows: tuple[int, float, int], age_s: float = 0.0, **more: Any) -> LoopStats:
    """Of each lane: its shard, the seconds worked, and the ticks dropped; in all of them ticks have waited `age_s`."""
    return loop_stats(
        0,
        wall_ns=round(second * SECOND_NS),
        lanes=[
            LaneRow(
                number, 0, 100, 0, 4, dropped, {"full": dropped}, round(worked_s * SECOND_NS), round(age_s * SECOND_NS)
            )
            for number, worked_s, dropped in rows
        ],
        **more,
    )


def test_a_reading_is_of_the_time_since_the_one_before() -> None:
    readings = ScalingReadings()
    first = [shard(0, waits(100)), shard(1, waits(1))]
    then = [shard(0, waits(100, 7, 7, 7)), shard(1, waits(1, 3, 90))]

    assert readings.take(at(10, (0, 5.0, 5), (1, 1.0, 0)), first, [0, 1], 0) is None
    assert readings.take(at(10.5, (0, 5.5, 5), (1, 1.2, 0)), then, [0, 1], 0) is None
    reading = readings.take(at(12, (0, 6.0, 6), (1, 1.5, 2)), then, [0, 1], 1)

    assert reading is not None
    assert reading.busy == {0: 0.5, 1: 0.25}
    assert abs((reading.time_in_queue_ns or 0) - 90 * MS_NS) < 2 * MS_NS
    assert (reading.now_ns, reading.dropped, reading.pending) == (12 * SECOND_NS, 6, 1)


def take_two(before: LoopStats, now: LoopStats, *then: ShardStats) -> ScalingReading:
    readings = ScalingReadings()
    working = [lane.shard for lane in now.lanes]
    readings.take(before, [shard(0, waits(1))], working, 0)
    reading = readings.take(now, then, working, 0)
    assert reading is not None
    return reading


def test_a_shard_that_joins_says_nothing_of_the_time_before() -> None:
    reading = take_two(at(0, (0, 1.0, 0)), at(1, (0, 1.2, 0), (1, 7.0, 9)), shard(0, waits(1, 1)))

    assert reading.busy == {0: pytest.approx(0.2), 1: 0.0}
    assert reading.dropped == 0


def test_without_ticks_there_is_no_time_in_queue() -> None:
    reading = take_two(at(0, (0, 1.0, 0)), at(1, (0, 1.0, 0)), shard(0, waits(1)))

    assert reading.time_in_queue_ns is None


def test_a_shard_too_busy_to_tell_anything_is_seen_by_its_lane() -> None:
    reading = take_two(at(0, (0, 1.0, 0)), at(1.5, (0, 1.0, 0), age_s=2.0))

    assert reading.busy == {0: 1.0}
    assert reading.time_in_queue_ns == 2 * SECOND_NS


def test_a_shard_far_above_the_mean_and_slots_under_way_call_for_moves_first() -> None:
    idle = at(0, (0, 0.0, 0), (1, 0.0, 0))
    even, uneven = ((0, 0.5, 0), (1, 0.5, 0)), ((0, 0.9, 0), (1, 0.1, 0))

    assert not take_two(idle, at(1, *even)).lopsided
    assert take_two(idle, at(1, *uneven)).lopsided
    assert take_two(idle, at(1, *even, moving=True)).lopsided
    assert take_two(idle, at(1, *even, waiting=[1])).lopsided
