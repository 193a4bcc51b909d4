"""Intervals divided by kind of waiting, from slices of which every figure is known."""

from desk.telemetry.wait_timeline import MAX_SLICES, WaitSlice, WaitTimeline, WaitTimes


def test_an_interval_gets_its_part_of_each_slice() -> None:
    timeline = WaitTimeline(1_000)
    timeline.add(WaitSlice(1_100, WaitTimes(lock=80, work=20)))
    timeline.add(WaitSlice(1_200, WaitTimes(run_queue=50, work=10)))

    assert timeline.end_ns == 1_200
    assert timeline.between(1_000, 1_200) == WaitTimes(lock=80, run_queue=50, work=30)
    assert timeline.between(1_050, 1_150) == WaitTimes(lock=40, run_queue=25, work=15)
    assert timeline.between(1_110, 1_120) == WaitTimes(run_queue=5, work=1)


def test_what_lies_outside_the_slices_is_not_known() -> None:
    timeline = WaitTimeline(1_000)
    timeline.add(WaitSlice(1_100, WaitTimes(lock=100)))

    assert timeline.between(0, 1_000) == WaitTimes()
    assert timeline.between(500, 1_010) == WaitTimes(lock=10)
    assert timeline.between(1_090, 9_000) == WaitTimes(lock=10)
    assert timeline.between(9_000, 9_100) == WaitTimes()


def test_a_clock_that_is_set_back_adds_nothing_until_it_has_caught_up() -> None:
    timeline = WaitTimeline(1_000)
    timeline.add(WaitSlice(1_100, WaitTimes(lock=10)))

    timeline.add(WaitSlice(1_050, WaitTimes(lock=999)))
    timeline.add(WaitSlice(1_200, WaitTimes(lock=20)))

    assert timeline.between(0, 2_000) == WaitTimes(lock=30)


def test_old_slices_are_forgotten_and_the_newer_ones_keep_their_figures() -> None:
    timeline = WaitTimeline(0)
    for number in range(1, 3 * MAX_SLICES):
        timeline.add(WaitSlice(10 * number, WaitTimes(work=number % 7)))

    last = 3 * MAX_SLICES - 1
    assert timeline.between(10 * (last - 3), 10 * last).work == sum(number % 7 for number in range(last - 2, last + 1))
    assert timeline.between(0, 1_000) == WaitTimes()
