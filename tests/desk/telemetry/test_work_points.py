import numpy as np
from numpy.typing import NDArray

from desk.model.units import MS_NS
from desk.telemetry.work_points import MAX_POINTS, WorkPoints


class Clocks:
    def __init__(self) -> None:
        self.cpu_ns = self.queue_ns = self.queue_reads = 0

    def queue(self) -> int:
        self.queue_reads += 1
        return self.queue_ns


def within(points: WorkPoints, *intervals_ms: tuple[float, float]) -> list[list[float]]:
    bounds = np.rint(np.array(intervals_ms) * MS_NS).astype(np.int64)
    found: NDArray[np.int64] | None = points.within(bounds[:, 0], bounds[:, 1])
    assert found is not None
    rows: list[list[float]] = (found / MS_NS).tolist()
    return rows


def test_an_interval_between_two_points_has_exactly_their_difference() -> None:
    clocks = Clocks()
    points = WorkPoints(lambda: clocks.cpu_ns, clocks.queue)
    for wall_ms, cpu_ms, queue_ms in ((100, 7, 50), (110, 9, 56), (130, 29, 56), (150, 30, 70)):
        clocks.cpu_ns, clocks.queue_ns = cpu_ms * MS_NS, queue_ms * MS_NS
        points.note(wall_ms * MS_NS)

    assert within(points, (100, 110), (110, 130), (120, 140), (130, 400)) == [[2, 6], [20, 0], [10.5, 7], [1, 14]]


def test_the_run_queue_is_read_after_pauses_only() -> None:
    clocks = Clocks()
    points = WorkPoints(lambda: clocks.cpu_ns, clocks.queue)
    for number in range(10):
        clocks.cpu_ns = number * MS_NS
        points.note(number * MS_NS + 50 * MS_NS * (number > 4))

    assert clocks.queue_reads == 1


def test_too_few_points_tell_nothing() -> None:
    points = WorkPoints(lambda: 0, lambda: 0)
    nothing = points.within(np.array([1]), np.array([2]))
    points.note(5)

    assert nothing is None
    assert points.within(np.array([1]), np.array([2])) is None


def test_points_that_nobody_reads_take_bounded_memory() -> None:
    clocks = Clocks()
    points = WorkPoints(lambda: clocks.cpu_ns, clocks.queue)
    for number in range(5 * MAX_POINTS):
        clocks.cpu_ns = number
        points.note(2 * number)

    assert len(points._points) <= 2 * MAX_POINTS
    assert within(points, (9 * MAX_POINTS / MS_NS, 9.5 * MAX_POINTS / MS_NS))[0][0] * MS_NS == MAX_POINTS / 4
