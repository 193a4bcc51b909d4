"""From figures to readings."""

from typing import Any

import numpy as np
from test_record import some_stats
from test_viewing import intake

from desk.meters import Histogram, Snapshot
from desk.model.units import MS_NS, SECOND_NS
from desk.pipeline.intake_stats import IntakeStats
from desk.pipeline.readings import Readings
from desk.pipeline.shard import ShardStats
from desk.scaling import Reading


def waits(*ms: int) -> Snapshot:
    histogram = Histogram()
    histogram.add(np.array(ms, np.int64) * MS_NS)
    return histogram.snapshot()


def shard(number: int, busy_s: float, queue: Snapshot) -> ShardStats:
    return some_stats(number, busy_ns=round(busy_s * SECOND_NS), time_in_queue=queue)


def lanes(*rows: tuple[int, int, int], **more: Any) -> IntakeStats:
    """Shard, conflated, dropped."""
    return intake(0, lanes=[(number, 0, 100, 0, 4, conflated, dropped) for number, conflated, dropped in rows], **more)


def test_a_reading_is_of_the_time_since_the_one_before() -> None:
    readings = Readings()
    first = [shard(0, 5.0, waits(100)), shard(1, 1.0, waits(1))]
    then = [shard(0, 6.0, waits(100, 7, 7, 7)), shard(1, 1.5, waits(1, 3, 90))]

    assert readings.take(10 * SECOND_NS, lanes((0, 5, 0), (1, 0, 0)), first, [0, 1], 0) is None
    assert readings.take(round(10.5 * SECOND_NS), lanes((0, 5, 0), (1, 0, 0)), then, [0, 1], 0) is None
    reading = readings.take(12 * SECOND_NS, lanes((0, 5, 2), (1, 1, 0)), then, [0, 1], 1)

    assert reading is not None
    assert reading.busy == {0: 0.5, 1: 0.25}
    assert abs((reading.time_in_queue_ns or 0) - 90 * MS_NS) < 2 * MS_NS
    assert (reading.dropped, reading.pending) == (3, 1)


def take_two(first: list[ShardStats], then: list[ShardStats], now: IntakeStats) -> Reading:
    readings = Readings()
    working = [lane[0] for lane in now.lanes]
    readings.take(0, now, first, working, 0)
    reading = readings.take(SECOND_NS, now, then, working, 0)
    assert reading is not None
    return reading


def test_a_shard_that_joins_says_nothing_of_the_time_before() -> None:
    reading = take_two(
        [shard(0, 1.0, waits(1))], [shard(0, 1.2, waits(1, 1)), shard(1, 7.0, waits(500))], lanes((0, 0, 0), (1, 9, 9))
    )

    assert reading.busy == {0: reading.busy[0], 1: 0.0}
    assert reading.dropped == 0


def test_without_ticks_there_is_no_time_in_queue() -> None:
    reading = take_two([shard(0, 1.0, waits(1))], [shard(0, 1.0, waits(1))], lanes((0, 0, 0)))

    assert reading.time_in_queue_ns is None


def test_a_shard_far_above_the_mean_and_slots_under_way_call_for_moves_first() -> None:
    idle = [shard(0, 0.0, waits()), shard(1, 0.0, waits())]
    even = [shard(0, 0.5, waits()), shard(1, 0.5, waits())]
    uneven = [shard(0, 0.9, waits()), shard(1, 0.1, waits())]
    two = ((0, 0, 0), (1, 0, 0))

    assert not take_two(idle, even, lanes(*two)).lopsided
    assert take_two(idle, uneven, lanes(*two)).lopsided
    assert take_two(idle, even, lanes(*two, moving=True)).lopsided
    assert take_two(idle, even, lanes(*two, waiting=[1])).lopsided
