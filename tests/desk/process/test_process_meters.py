"""The metrics that every process has, against the operating system's own figures."""

import os

from desk.process.process_meters import ProcessMeters


def test_cpu_time_and_memory_are_those_of_this_process() -> None:
    meters = ProcessMeters("producer", "node")
    before = meters.readings()
    block = bytearray(64 * 1024 * 1024)
    block[::4096] = b"\1" * len(block[::4096])
    sum(range(3_000_000))

    after = meters.readings()

    def value(readings: object, metric: str) -> float:
        return sum(reading.value for reading in readings.values if reading.metric == metric)  # type: ignore[attr-defined]

    assert (after.actor, after.pid, after.node) == ("producer", os.getpid(), "node")
    assert before.started_ns == after.started_ns <= before.wall_ns <= after.wall_ns
    assert value(after, "process.cpu.time") > value(before, "process.cpu.time")
    assert value(after, "process.memory.usage") - value(before, "process.memory.usage") > len(block) / 2
    assert value(after, "process.paging.faults") >= value(before, "process.paging.faults")
