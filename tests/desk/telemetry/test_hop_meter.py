"""Hops divided into work, waiting and the rest, by a timeline of which every figure is known."""

from collections.abc import Iterable

import numpy as np
import pytest

from desk.model.units import MS_NS, SECOND_NS
from desk.telemetry.hop_meter import HELD, KNOWN, MAX_PENDING, PARTS, HopMeter, Part, divide
from desk.telemetry.readings import Readings
from desk.telemetry.wait_timeline import WaitSlice, WaitTimeline, WaitTimes
from desk.telemetry.work_points import WorkPoints


def measured(meter: HopMeter) -> tuple[dict[tuple[str, ...], float], dict[str, int]]:
    readings = Readings()
    meter.measure(readings)
    times = {(value.metric, *value.labels.values()): value.value for value in readings.values}
    return times, {one.labels["hop"]: one.histogram.count for one in readings.histograms}


def timeline(slices: Iterable[tuple[int, WaitTimes]]) -> WaitTimeline:
    made = WaitTimeline(0)
    for end_ns, times in slices:
        made.add(WaitSlice(end_ns, times))
    return made


@pytest.mark.parametrize(
    ("waits", "known", "expected"),
    [
        (WaitTimes(), {}, {"rest": 100}),
        (WaitTimes(lock=60, work=10), {"linger": 20}, {"lock": 60, "work": 10, "linger": 20, "rest": 10}),
        (WaitTimes(lock=60, run_queue=50, work=10), {"busy": 99}, {"lock": 60, "run_queue": 40}),
        (WaitTimes(gc=5), {"linger": 50, "backpressure": 70}, {"gc": 5, "backpressure": 70, "linger": 25}),
        (WaitTimes(throttled=200), {}, {"throttled": 100}),
    ],
)
def test_parts_add_up_to_the_hop_and_earlier_ones_go_first(
    waits: WaitTimes, known: dict[Part, int], expected: dict[Part, int]
) -> None:
    charges = [*waits[:HELD], *(known.get(part, 0) for part in KNOWN)]

    (parts,) = divide(np.array([100]), np.array([charges])).tolist()

    assert {part: charged for part, charged in zip(PARTS, parts, strict=True) if charged} == expected


def test_the_waits_of_a_process_are_parts_of_a_hop() -> None:
    assert PARTS[:HELD] == WaitTimes._fields[:HELD]
    assert WaitTimes._fields[HELD:] == ("held",)


def test_while_the_lock_is_held_a_thread_that_neither_works_nor_waits_for_a_cpu_waits_for_it() -> None:
    waits = timeline([(100 * MS_NS, WaitTimes()), (200 * MS_NS, WaitTimes(lock=20 * MS_NS, held=95 * MS_NS))])
    clocks = iter([(0, 0), (10 * MS_NS, 5 * MS_NS)])
    now = [(0, 0)]
    points = WorkPoints(lambda: now[0][0], lambda: now[0][1])
    meter = HopMeter(waits, points)
    for wall_ms in (100, 200):
        now[0] = next(clocks)
        meter.point(wall_ms * MS_NS)
    meter.note("lane", 100 * MS_NS, 200 * MS_NS, 0)

    times, _ = measured(meter)

    assert times == {
        ("hop.time", "lane", "lock"): 0.08,
        ("hop.time", "lane", "run_queue"): 0.005,
        ("hop.time", "lane", "work"): 0.01,
        ("hop.time", "lane", "rest"): 0.005,
    }


def test_a_hop_is_divided_by_the_waits_of_its_own_interval() -> None:
    waits = timeline([(SECOND_NS, WaitTimes(lock=SECOND_NS)), (2 * SECOND_NS, WaitTimes(work=SECOND_NS))])
    meter = HopMeter(waits)

    meter.note("lane", SECOND_NS // 2, 3 * SECOND_NS // 2, SECOND_NS)

    times, ages = measured(meter)
    assert times == {("hop.time", "lane", "lock"): 0.5, ("hop.time", "lane", "work"): 0.5}
    assert ages == {"lane": 1}


def test_a_hop_is_divided_once_its_waits_are_known() -> None:
    waits = timeline([(SECOND_NS, WaitTimes())])
    meter = HopMeter(waits)
    meter.note("link", SECOND_NS, 2 * SECOND_NS, 0)

    before = measured(meter)
    waits.add(WaitSlice(2 * SECOND_NS, WaitTimes(run_queue=SECOND_NS)))
    after = measured(meter)

    assert before == ({}, {})
    assert after == ({("hop.time", "link", "run_queue"): 1.0}, {"link": 1})


def test_hops_that_nobody_measures_take_bounded_memory_and_are_counted() -> None:
    meter = HopMeter()
    for number in range(3 * MAX_PENDING):
        meter.note("apply", number, number + 10, 10)

    times, ages = measured(meter)

    assert ages == {"apply": 3 * MAX_PENDING}
    assert times["hop.time", "apply", "rest"] == pytest.approx(3 * MAX_PENDING * 10 / SECOND_NS)


def test_the_slowest_hundredth_is_counted_apart() -> None:
    meter = HopMeter(timeline([(1_000 * SECOND_NS, WaitTimes())]))
    for number in range(1_000):
        meter.note("lane", number, number + MS_NS, 0)
    measured(meter)

    for number in range(1_000):
        slow = 50 * MS_NS if number % 100 == 0 else MS_NS // 2
        meter.note("lane", number, number + slow, 0)
    times, _ = measured(meter)

    assert times["hop.slowest.time", "lane", "rest"] == pytest.approx(0.5)
