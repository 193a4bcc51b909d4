"""How often the desk connects: growing waits, and limits that always hold."""

import random
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from desk.model.units import MS_NS, SECOND_NS
from desk.streams.connection_attempts import AT_ONCE_NS, CONNECT_NS, DELIVERY_NS, ConnectionAttempts

NS = SECOND_NS


class Fixed(random.Random):
    """Draws that are always the same: 0.0 makes every wait of the back-off nothing."""

    def __init__(self, drawn: float) -> None:
        super().__init__()
        self.drawn = drawn

    def random(self) -> float:
        return self.drawn


class Trier:
    """Tries whenever it may, looking at the clock every `step_ns`."""

    def __init__(self, attempts: ConnectionAttempts, now_ns: int = 1_000 * NS) -> None:
        self.attempts = attempts
        self.now_ns = now_ns
        self.began_ns: list[int] = []

    def begin(self, step_ns: int = 10 * MS_NS) -> None:
        while not self.attempts.is_due(self.now_ns):
            self.now_ns += step_ns
        self.attempts.begin(self.now_ns)
        self.began_ns.append(self.now_ns)


def most_within(times_ns: list[int], span_ns: int) -> int:
    """The most of these times that lie within any span, both ends included."""
    return max(sum(first <= time <= first + span_ns for time in times_ns) for first in times_ns)


connections = st.tuples(
    st.integers(0, CONNECT_NS),  # until the venue sees the connection
    st.one_of(st.just(0), st.integers(0, 90 * NS)),  # how long it lasts
    st.booleans(),  # whether it delivers meanwhile
    st.booleans(),  # whether the venue says 407
    st.booleans(),  # whether it says 406
)


@given(st.lists(connections, min_size=1, max_size=60), st.sampled_from([0.0, 0.3, 1.0]))
def test_no_venue_sees_more_than_8_connections_in_15_s_or_12_in_a_minute(
    script: list[tuple[int, int, bool, bool, bool]], drawn: float
) -> None:
    trier, seen_ns = Trier(ConnectionAttempts(Fixed(drawn))), []
    for delay_ns, lasts_ns, delivers, slow, full in script:
        trier.begin()
        trier.now_ns += delay_ns
        seen_ns.append(trier.now_ns)
        if delivers:
            trier.attempts.delivered(trier.now_ns)
        trier.now_ns += lasts_ns
        if delivers:
            trier.attempts.delivered(trier.now_ns)
        trier.attempts.ended(trier.now_ns, at_once=slow and not full, is_full=full)

    assert most_within(seen_ns, 15 * NS) <= 8
    assert most_within(seen_ns, 60 * NS) <= 12


def test_waits_double_from_a_second_to_a_minute_whatever_the_venue_acknowledges() -> None:
    trier = Trier(ConnectionAttempts(Fixed(1.0)))

    for _ in range(8):
        trier.begin()
        trier.attempts.delivered(trier.now_ns)  # a first tick
        trier.attempts.ended(trier.now_ns)
    trier.begin()

    waits_s = [round((later - earlier) / NS) for earlier, later in pairwise(trier.began_ns)]
    assert waits_s == [1, 2, 4, 8, 16, 32, 60, 60]


@pytest.mark.parametrize(("delivers_ns", "wait_s"), [(DELIVERY_NS, 1), (DELIVERY_NS - 1, 16)])
def test_a_connection_that_has_delivered_for_30_s_starts_the_waits_over(delivers_ns: int, wait_s: int) -> None:
    trier = Trier(ConnectionAttempts(Fixed(1.0)))
    for _ in range(4):
        trier.begin()
        trier.attempts.ended(trier.now_ns)

    trier.begin()
    trier.attempts.delivered(trier.now_ns)
    trier.now_ns += delivers_ns
    trier.attempts.delivered(trier.now_ns)
    trier.attempts.ended(trier.now_ns)
    ended_ns = trier.now_ns
    trier.begin(step_ns=1_000 * MS_NS)

    assert round((trier.began_ns[-1] - ended_ns) / NS) == wait_s


def test_ticks_of_an_earlier_connection_are_no_delivery_of_this_one() -> None:
    trier = Trier(ConnectionAttempts(Fixed(1.0)))
    for _ in range(3):
        trier.begin()
        trier.attempts.delivered(trier.now_ns)
        trier.now_ns += DELIVERY_NS // 2
        trier.attempts.ended(trier.now_ns)
    ended_ns = trier.now_ns

    trier.begin()

    assert round((trier.began_ns[-1] - ended_ns) / NS) == 4


def test_at_once_is_at_once_but_only_once_in_30_s() -> None:
    trier = Trier(ConnectionAttempts(Fixed(1.0)))

    waits_s = []
    for lasts_ns in (0, 0, AT_ONCE_NS):
        trier.begin()
        trier.now_ns += lasts_ns
        ended_ns = trier.now_ns
        trier.attempts.ended(ended_ns, at_once=True)
        trier.begin()
        waits_s.append(round((trier.now_ns - ended_ns) / NS))
        trier.attempts.ended(trier.now_ns)

    assert waits_s == [0, 4, 0]


@given(st.integers(1, 1_000_000), st.integers(0, 11))
def test_a_clock_that_is_set_back_delays_no_attempt_beyond_its_wait(back_s: int, attempts: int) -> None:
    trier = Trier(ConnectionAttempts(Fixed(1.0)), now_ns=2_000_000 * NS)
    for _ in range(attempts):
        trier.begin()
        trier.attempts.ended(trier.now_ns)

    trier.now_ns -= back_s * NS
    since_ns = trier.now_ns
    trier.begin(step_ns=NS)

    assert trier.now_ns - since_ns <= 71 * NS


@pytest.mark.parametrize("drawn", [0.0, 0.999])
def test_a_venue_that_is_full_is_asked_soon_at_first_and_14_times_at_most_in_the_90_s_of_a_half_open_socket(
    drawn: float,
) -> None:
    trier = Trier(ConnectionAttempts(Fixed(drawn)))

    for _ in range(30):
        trier.begin()
        trier.attempts.ended(trier.now_ns, is_full=True)

    waits_ns = [later - earlier for earlier, later in pairwise(trier.began_ns)]
    assert waits_ns[0] <= 2 * NS
    assert all(7 * NS < wait_ns <= 17 * NS for wait_ns in waits_ns[4:])
    assert most_within(trier.began_ns, 90 * NS) <= 14


def test_a_venue_that_is_full_again_later_is_asked_soon_again() -> None:
    trier = Trier(ConnectionAttempts(Fixed(0.0)))
    for is_full in (True, True, True, True, False, True):
        trier.begin()
        trier.attempts.ended(trier.now_ns, is_full=is_full)

    trier.begin()

    assert trier.began_ns[-1] - trier.began_ns[-2] <= NS + 10 * MS_NS
