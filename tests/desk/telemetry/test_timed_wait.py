import pytest

from desk.telemetry.timed_wait import TimedWait


def test_a_wait_counts_while_it_lasts_and_once_it_has_ended() -> None:
    now_ns = [100]
    wait = TimedWait(lambda: now_ns[0])
    assert wait.total_ns == 0

    with wait:
        now_ns[0] = 130
        assert (wait.total_ns, wait.durations.count) == (30, 0)
        now_ns[0] = 150
    now_ns[0] = 900

    assert (wait.total_ns, wait.durations.count, wait.durations.max_ns) == (50, 1, 50)


def test_a_wait_that_fails_counts_too() -> None:
    now_ns = [0]
    wait = TimedWait(lambda: now_ns[0])

    def fail() -> None:
        now_ns[0] = 7
        raise OSError("full")

    with pytest.raises(OSError, match="full"), wait:
        fail()

    assert (wait.total_ns, wait.durations.count) == (7, 1)
