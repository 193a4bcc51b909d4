"""The state of the scaling policy between readings.

Tests: tests/desk/scaling/test_policy.py
"""

import msgspec


class ConsumerNeed(msgspec.Struct, frozen=True):
    """A run of readings whose load needs more consumers: its start, and the highest need."""

    since_ns: int
    number: int


class QueueWait(msgspec.Struct, frozen=True):
    """A run of readings whose time in queue calls for one more consumer: its start, and the least and greatest wait."""

    since_ns: int
    least_ns: int
    most_ns: int


class ScaleUpAttempt(msgspec.Struct, frozen=True):
    """The last scale-up caused by time in queue alone.

    Its time; the number of consumers before it and their demand; the least wait that led to it; the delay before the
    next attempt if this one did not help.
    """

    at_ns: int
    number: int
    demand: float
    wait_ns: int
    pause_s: float


class ConsumerPeak(msgspec.Struct, frozen=True):
    """The least number of consumers that one reading needed."""

    at_ns: int
    number: int


class PolicyState(msgspec.Struct, frozen=True):
    """The policy's state; its size does not grow with the run.

    `desired` is the last answer, unchanged since `since_ns`. Of the last reading: `seen_ns`, `working`, `wait_ns`, and
    whether it `missed` the objective; `missed_ns` is the time of the last miss. `settled_ns` is the time from which
    waits are meaningful again. `need` and `wait` are the current runs, `attempt` the last attempt. `peaks` are the
    recent peaks that no later one reaches, in falling order, so at most one per number of consumers.
    """

    desired: int = 0
    since_ns: int = 0
    seen_ns: int = 0
    working: int = 0
    wait_ns: int | None = None
    missed: bool = False
    missed_ns: int = 0
    settled_ns: int = 0
    need: ConsumerNeed | None = None
    wait: QueueWait | None = None
    attempt: ScaleUpAttempt | None = None
    peaks: tuple[ConsumerPeak, ...] = ()
