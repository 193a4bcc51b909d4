"""Meters of waiting: the arithmetic by recorded clocks, and real threads that hold the lock or collect garbage."""

import gc
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from desk.model.units import MS_NS, SECOND_NS
from desk.process.waits.cpu_throttling import CpuThrottling, stat_files
from desk.process.waits.gc_pauses import GcPauses
from desk.process.waits.slices import ProbeReading, slices
from desk.process.waits.thread_clocks import ThreadClocks
from desk.process.waits.wait_meters import WaitMeters
from desk.telemetry.readings import Readings
from desk.telemetry.wait_timeline import WaitSlice, WaitTimes

DEADLINE_S = 30.0
linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the kernel counts this on Linux only")


def reading(due_ms: float, now_ms: float, **more_ms: float) -> ProbeReading:
    names = ("probe_queue_ns", "queue_ns", "cpu_ns", "throttled_ns", "gc_ns", "process_cpu_ns")
    totals = [round(more_ms.get(name.removesuffix("_ns"), 0) * MS_NS) for name in names]
    return ProbeReading(round(due_ms * MS_NS), round(now_ms * MS_NS), *totals)


def total(found: list[WaitSlice]) -> WaitTimes:
    times = WaitTimes(*(sum(parts) for parts in zip(*(one.times for one in found), strict=True)))
    return times._replace(held=0)


def ms(**parts: float) -> WaitTimes:
    return WaitTimes(**{kind: round(part * MS_NS) for kind, part in parts.items()})


BEFORE = reading(0, 0)


def test_an_overshoot_without_cause_is_a_wait_for_the_lock_at_its_own_time() -> None:
    early, late = slices(BEFORE, reading(20, 80, cpu=10))

    assert (early.end_ns, late.end_ns) == (20 * MS_NS, 80 * MS_NS)
    assert late.times.lock == 50 * MS_NS
    assert (early.times.held, late.times.held) == (0, 60 * MS_NS)
    assert total([early, late]) == ms(lock=50, work=10)


def test_threads_that_held_the_lock_held_it_while_the_probe_slept_too() -> None:
    (whole,) = slices(BEFORE, reading(2, 30, cpu=1, process_cpu=30))

    assert (whole.end_ns, whole.times.held) == (30 * MS_NS, 29 * MS_NS)
    assert whole.times.lock == 27 * MS_NS


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        (reading(20, 20.3), ms()),
        (reading(20, 60, cpu=40), ms(work=40)),
        (reading(20, 60, probe_queue=40, queue=30), ms(run_queue=30)),
        (reading(20, 60, queue=38, cpu=2), ms(run_queue=38, work=2)),
        (reading(20, 60, queue=38, cpu=2, process_cpu=2), ms(run_queue=38, work=2)),
        (reading(20, 60, queue=20, cpu=0, process_cpu=40), ms(lock=40, run_queue=20)),
        (reading(20, 60, queue=16, cpu=10, process_cpu=40), ms(lock=26, run_queue=16, work=10)),
        (reading(20, 100, probe_queue=60, queue=80, throttled=60), ms(throttled=60, run_queue=20)),
        (reading(20, 100, probe_queue=60, queue=40, throttled=300), ms(throttled=40, lock=20)),
        (reading(20, 60, cpu=40, gc=35), ms(gc=35, work=5)),
        (reading(20, 60, gc=40), ms(gc=40)),
        (reading(20, 10, cpu=1), ms(work=1)),
    ],
    ids=[
        "timer slack",
        "the working thread works",
        "both wait for a CPU",
        "the working thread waits for a CPU, and nothing tells who holds the lock",
        "the working thread holds the lock and waits for a CPU",
        "another thread holds the lock, and the working thread waits for a CPU to ask for it",
        "either may hold the lock",
        "the quota is used up",
        "another CPU's quota is used up",
        "the working thread collects garbage",
        "another thread collects garbage",
        "woken early",
    ],
)
def test_an_overshoot_is_charged_to_its_cause(now: ProbeReading, expected: WaitTimes) -> None:
    assert total(slices(BEFORE, now)) == expected


def sorting(numbers: list[float]) -> object:
    return sorted(numbers)


def power(_: list[float]) -> object:
    return 7**60_000


def adding(_: list[float]) -> object:
    return sum(range(1_500_000))


@contextmanager
def holding(work: Callable[[list[float]], object]) -> Iterator[None]:
    """A thread that calls `work` again and again: one call in C, which keeps the lock until it is done."""
    numbers = [(number * 7_919 % 100_003) / 7 for number in range(150_000)]
    stop = threading.Event()

    def run() -> None:
        while not stop.is_set():
            work(numbers)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def waits_of(meters: WaitMeters) -> dict[str, float]:
    readings = Readings()
    meters.measure(readings)
    return {value.labels["kind"]: value.value for value in readings.values if value.metric == "wait.time"}


def work_until(reached: Callable[[], bool]) -> None:
    """What a working thread does: short work, short sleeps. Fails after the deadline."""
    end_s = time.monotonic() + DEADLINE_S
    while not reached():
        assert time.monotonic() < end_s, "the meters did not see it"
        sum(range(1_000))
        time.sleep(0.001)


@pytest.mark.parametrize("work", [sorting, power, adding])
def test_a_thread_that_holds_the_lock_in_c_is_charged_to_the_lock(work: Callable[[list[float]], object]) -> None:
    meters = WaitMeters()
    meters.follow()

    with holding(work):
        work_until(lambda: waits_of(meters)["lock"] > 0.5)
        waits = waits_of(meters)

    busy = {kind: waited for kind, waited in waits.items() if kind not in {"lock", "run_queue", "throttled"}}
    assert waits["lock"] > 5 * sum(busy.values()), waits


def test_the_working_threads_own_work_is_no_wait_for_the_lock() -> None:
    meters = WaitMeters()
    meters.follow()
    began_ns = meters.timeline.end_ns

    end_s = time.thread_time() + 0.5
    while time.thread_time() < end_s:
        sorting([float(number % 977) for number in range(20_000)])
    ended_ns = time.time_ns()
    work_until(lambda: meters.timeline.end_ns >= ended_ns)

    times = meters.timeline.between(began_ns, ended_ns)
    assert times.work > 0.4 * SECOND_NS
    assert times.lock < 0.1 * times.work


def test_the_probe_ends_with_its_meters() -> None:
    meters = WaitMeters()
    meters.follow()
    callbacks = len(gc.callbacks)
    probes = {thread for thread in threading.enumerate() if thread.name == "wait-probe"}

    del meters
    gc.collect()
    gc.collect()

    work_until(lambda: not all(thread.is_alive() for thread in probes))
    assert len(gc.callbacks) < callbacks


def test_a_collection_is_measured() -> None:
    pauses = GcPauses()
    heap = [[number] for number in range(200_000)]

    gc.collect()

    assert len(heap) == 200_000
    assert pauses.by_generation[2].count >= 1
    assert 0 < pauses.by_generation[2].max_ns <= pauses.total_ns


@linux
def test_the_clocks_of_a_thread_count_its_own_cpu_time() -> None:
    clocks = ThreadClocks(threading.current_thread())
    before_ns, queue_ns = clocks.cpu_ns(), clocks.run_queue_ns()

    end_s = time.thread_time() + 0.05
    while time.thread_time() < end_s:
        pass

    assert 0.045 * SECOND_NS < clocks.cpu_ns() - before_ns < 0.5 * SECOND_NS
    assert clocks.has_run_queue
    assert clocks.run_queue_ns() >= queue_ns


def test_the_clocks_of_a_thread_that_has_ended_stand_still() -> None:
    go = threading.Event()
    thread = threading.Thread(target=go.wait)
    thread.start()
    clocks = ThreadClocks(thread)
    go.set()
    thread.join()

    work_until(lambda: (clocks.cpu_ns(), clocks.run_queue_ns()) == (0, 0))


VERSION_1 = ("4:cpu,cpuacct:/desk/a\n9:memory:/other\n", "cgroup {}/cpu cgroup rw,cpu,cpuacct 0 0\n")
VERSION_2 = ("0::/desk/a\n", "cgroup2 {}/cpu cgroup2 rw,nosuid 0 0\n")


@pytest.mark.parametrize(
    ("version", "stat", "expected_ns"),
    [
        (VERSION_1, "nr_periods 9\nnr_throttled 2\nthrottled_time {}\n", 7),
        (VERSION_2, "usage_usec 77\nnr_periods 9\nnr_throttled 2\nthrottled_usec {}\n", 7_000),
    ],
    ids=["version 1", "version 2"],
)
def test_throttling_of_a_group_and_of_those_above_it(
    tmp_path: Path, version: tuple[str, str], stat: str, expected_ns: int
) -> None:
    cgroups, mounts = tmp_path / "cgroups", tmp_path / "mounts"
    cgroups.write_text(version[0])
    mounts.write_text(version[1].format(tmp_path))
    own = tmp_path / "cpu" / "desk" / "a"
    own.mkdir(parents=True)
    (own / "cpu.stat").write_text(stat.format(5))
    (own.parent / "cpu.stat").write_text(stat.format(2))

    assert list(stat_files(cgroups, mounts)) == [
        own / "cpu.stat",
        own.parent / "cpu.stat",
        own.parent.parent / "cpu.stat",
    ]
    meter = CpuThrottling(cgroups, mounts)
    assert meter.available
    assert meter.throttled_ns() == 0

    (own / "cpu.stat").write_text(stat.format(5 + 5))
    (own.parent / "cpu.stat").write_text(stat.format(2 + 2))

    assert meter.throttled_ns() == expected_ns


def test_a_process_that_is_moved_to_another_group_counts_on_there(tmp_path: Path) -> None:
    cgroups, mounts, text = tmp_path / "cgroups", tmp_path / "mounts", "throttled_time {}\n"
    cgroups.write_text("4:cpu:/a\n")
    mounts.write_text(f"cgroup {tmp_path} cgroup rw,cpu 0 0\n")
    for name, throttled_ns in (("a", 100), ("b", 7_000)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "cpu.stat").write_text(text.format(throttled_ns))
    meter = CpuThrottling(cgroups, mounts)
    (tmp_path / "a" / "cpu.stat").write_text(text.format(103))

    cgroups.write_text("4:cpu:/b\n")
    meter.refresh()
    (tmp_path / "b" / "cpu.stat").write_text(text.format(7_020))

    assert meter.throttled_ns() == 3 + 20


def test_where_nothing_counts_throttling_it_is_not_measured(tmp_path: Path) -> None:
    meter = CpuThrottling(tmp_path / "absent", tmp_path / "absent")

    assert not meter.available
    assert meter.throttled_ns() == 0
