import threading
import time
from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from desk.venues.rest.request_budget import (
    MOST_PAUSE_S,
    PER_MINUTE,
    REFUSED_S,
    RESERVE,
    SHARES,
    BudgetTimeout,
    RequestBudget,
    RequestClass,
)


class SetClock:
    """Monotonic time that a test sets."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def a_budget(per_minute: int = PER_MINUTE) -> tuple[RequestBudget, SetClock]:
    clock = SetClock()
    return RequestBudget("host", per_minute, clock), clock


def sendable(budget: RequestBudget, clock: SetClock, kind: RequestClass, most: int = 1000) -> int:
    """How many requests of the class are sent without a wait."""
    for number in range(most):
        try:
            budget.take(kind, clock.now_s)
        except BudgetTimeout:
            return number
    return most


@pytest.mark.parametrize(("kind", "most"), [("orders", 200), ("history", 120), ("scans", 60)])
def test_a_class_may_send_its_share_of_the_limit_within_a_minute(kind: RequestClass, most: int) -> None:
    budget, clock = a_budget()

    first = sendable(budget, clock, kind)
    clock.now_s += 59.0
    later = sendable(budget, clock, kind)
    clock.now_s += 1.5
    afterwards = sendable(budget, clock, kind)

    assert (first, later, afterwards) == (most, 0, most)


def test_history_and_scans_together_leave_a_reserve_to_orders() -> None:
    budget, clock = a_budget()

    others = sendable(budget, clock, "history") + sendable(budget, clock, "scans")
    orders = sendable(budget, clock, "orders")

    assert others <= (1 - RESERVE) * PER_MINUTE
    assert orders > 0


@given(st.lists(st.tuples(st.sampled_from(sorted(SHARES)), st.floats(0, 30)), max_size=300))
def test_no_minute_ever_has_more_requests_than_the_limit(tries: list[tuple[RequestClass, float]]) -> None:
    budget, clock = a_budget(20)
    sent: list[tuple[float, str]] = []

    for kind, pause_s in tries:
        clock.now_s += pause_s
        sent += [(clock.now_s, kind)] * sendable(budget, clock, kind, 7)

    for at_s, _ in sent:
        minute = [kind for other_s, kind in sent if at_s <= other_s < at_s + 60.0]
        assert minute.count("history") <= 12
        assert minute.count("scans") <= 6
        assert minute.count("orders") <= 20


def test_the_limit_is_the_one_that_the_headers_name() -> None:
    budget, clock = a_budget()

    budget.answered(200, {"X-RateLimit-Limit": "1000"})

    assert sendable(budget, clock, "scans") == 300


@pytest.mark.parametrize(
    ("headers", "pause_s"),
    [
        ({"Retry-After": "7"}, 7.0),
        ({"X-RateLimit-Reset": "1700000020", "Date": formatdate(1_700_000_000, usegmt=True)}, 20.0),
        ({"Retry-After": "3", "X-RateLimit-Reset": "1700000020"}, 3.0),
        ({}, REFUSED_S),
        ({"Retry-After": "soon"}, REFUSED_S),
        ({"Retry-After": "1e9"}, MOST_PAUSE_S),
        ({"Retry-After": "-5"}, REFUSED_S),
    ],
)
def test_after_a_refusal_nothing_is_sent_for_as_long_as_its_headers_say(
    headers: dict[str, str], pause_s: float
) -> None:
    budget, clock = a_budget()

    budget.answered(429, headers)

    assert budget.refusals == 1
    clock.now_s += pause_s - 0.01
    assert sendable(budget, clock, "orders", 1) == 0
    clock.now_s += 0.02
    assert sendable(budget, clock, "orders", 1) == 1


def test_the_last_requests_of_a_minute_are_kept_for_orders_until_its_end() -> None:
    budget, clock = a_budget()
    scarce = {"X-RateLimit-Remaining": "20", "X-RateLimit-Reset": "1700000030"}

    budget.answered(200, scarce | {"Date": formatdate(1_700_000_000, usegmt=True)})

    assert sendable(budget, clock, "history", 1) == 0
    assert sendable(budget, clock, "orders", 1) == 1
    clock.now_s += 30.01
    assert sendable(budget, clock, "history", 1) == 1


def test_a_host_that_has_requests_left_again_ends_the_reserve_early() -> None:
    budget, clock = a_budget()
    date = {"Date": formatdate(1_700_000_000, usegmt=True)}

    budget.answered(200, {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1700000030"} | date)
    budget.answered(200, {"X-RateLimit-Remaining": "150", "X-RateLimit-Reset": "1700000060"} | date)

    assert sendable(budget, clock, "scans", 1) == 1


def test_of_the_requests_that_wait_orders_go_first() -> None:
    budget = RequestBudget("host")
    budget.answered(429, {"Retry-After": "1"})
    order: list[str] = []

    def send(kind: RequestClass) -> None:
        budget.take(kind, time.monotonic() + 30.0)
        order.append(kind)
        time.sleep(0.01)

    waiting: list[threading.Thread] = []
    for kind in ("scans", "history", "orders"):
        waiting.append(threading.Thread(target=send, args=(kind,)))
        waiting[-1].start()
        until_s = time.monotonic() + 10.0
        while len(budget._waiting) < len(waiting) and time.monotonic() < until_s:
            time.sleep(0.001)
    for thread in waiting:
        thread.join()

    assert order[0] == "orders"
    assert sorted(order) == ["history", "orders", "scans"]


def test_a_request_that_would_be_sent_too_late_says_why_at_once() -> None:
    budget, clock = a_budget()
    budget.answered(429, {"Retry-After": "40"})

    with pytest.raises(BudgetTimeout, match=r"host takes no request for 40 s: it has refused one \(429\)"):
        budget.take("scans", clock.now_s + 5.0)
