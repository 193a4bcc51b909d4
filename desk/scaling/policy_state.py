"""What the scaling policy remembers between readings.

Tests: tests/desk/scaling/test_policy.py
"""

import msgspec


class ConsumerNeed(msgspec.Struct, frozen=True):
    """Consecutive readings whose load asks for more: since when, and the most that one of them asks for."""

    since_ns: int
    number: int


class QueueWait(msgspec.Struct, frozen=True):
    """Consecutive readings whose time in queue calls for one more: since when; its least and its most."""

    since_ns: int
    least_ns: int
    most_ns: int


class ScaleUpAttempt(msgspec.Struct, frozen=True):
    """The last step for the sake of time in queue alone.

    When it was; how many consumers, with which demand, had been too few; the least wait that led to it; how long the
    next one has to wait if this one was in vain.
    """

    at_ns: int
    number: int
    demand: float
    wait_ns: int
    pause_s: float


class ConsumerPeak(msgspec.Struct, frozen=True):
    """How many consumers one reading could not have done without."""

    at_ns: int
    number: int


class PolicyState(msgspec.Struct, frozen=True):
    """The policy's memory; a fresh one to begin with. It stays small, however long the run.

    `desired` is the last answer, given since `since_ns`. Of the last reading: `seen_ns`, `working`, `wait_ns`, and
    whether it `missed` the objective; `missed_ns` is when that was last so. `settled_ns` is when waits tell something
    again. `need` and `wait` are what lasts, `attempt` what was tried last. `peaks` are those of late that no later
    one reaches: the first is the largest, and there are no more of them than numbers.
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
