import time

from desk.tuning.cpu_meter import CpuMeter


def work(until_ns: int) -> None:
    began_ns = time.thread_time_ns()
    while time.thread_time_ns() - began_ns < until_ns:
        pass


def test_time_belongs_to_the_innermost_part_and_to_no_other() -> None:
    meter = CpuMeter("rest")

    with meter.of("outer"):
        work(2_000_000)
        with meter.of("inner"):
            work(8_000_000)
    spent_ns = meter.read()

    assert spent_ns["inner"] >= 8_000_000
    assert 2_000_000 <= spent_ns["outer"] < spent_ns["inner"]
    assert spent_ns["rest"] >= 0


def test_all_time_is_given_to_somebody() -> None:
    began_ns = time.thread_time_ns()
    meter = CpuMeter("rest")

    with meter.of("part"):
        work(1_000_000)
    total_ns = sum(meter.read().values())

    assert 1_000_000 <= total_ns <= time.thread_time_ns() - began_ns
