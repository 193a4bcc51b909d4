"""The system's clock: on a machine that interrupts it, and its waits."""

import fcntl
import os
import resource
import time
from collections.abc import Iterator

import pytest

from desk.model.units import MS_NS
from desk.process.clock import LONGEST_WAIT_NS, SELECT_LIMIT, SystemClock


def test_an_interruption_between_the_looks_at_two_clocks_is_no_step(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, real, interruptions_s = SystemClock(), time.time_ns, [0.2]

    def interrupted() -> int:
        now_ns = real()
        if interruptions_s:
            time.sleep(interruptions_s.pop())
        return now_ns

    monkeypatch.setattr(time, "time_ns", interrupted)

    assert abs(clock.step_ns()) < 20 * MS_NS
    assert not interruptions_s


@pytest.fixture
def pipe(request: pytest.FixtureRequest) -> Iterator[tuple[int, int]]:
    """A pipe whose read end has at least the number that is asked for."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 2 * SELECT_LIMIT), hard))
    reader, writer = os.pipe()
    numbered = fcntl.fcntl(reader, fcntl.F_DUPFD, request.param)
    yield numbered, writer
    for descriptor in (reader, writer, numbered):
        os.close(descriptor)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize("pipe", [3, SELECT_LIMIT], indirect=True)
def test_a_wait_ends_with_its_time_or_a_readable_descriptor(pipe: tuple[int, int]) -> None:
    clock, (reader, writer) = SystemClock(), pipe

    def waited_ns(wait_ns: int) -> int:
        began_ns = clock.wall_ns()
        clock.wait(began_ns + wait_ns, [reader])
        return clock.wall_ns() - began_ns

    quiet_ns = waited_ns(20 * MS_NS)
    os.write(writer, b"x")
    readable_ns = min(waited_ns(10**18) for _ in range(20))

    assert quiet_ns >= 20 * MS_NS
    assert readable_ns < LONGEST_WAIT_NS


def test_no_wait_is_so_long_that_a_machine_that_slept_notices_it_late() -> None:
    clock = SystemClock()

    assert min(_waited_ns(clock) for _ in range(3)) >= LONGEST_WAIT_NS


def _waited_ns(clock: SystemClock) -> int:
    began_ns = clock.wall_ns()
    clock.wait(began_ns + 10**18)
    return clock.wall_ns() - began_ns
