"""The cost of overload, in executed lines and queue places, not in time."""

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest
from lane_makers import mark, quote, trade

from desk.flow import lane_queue
from desk.flow.lane_queue import LaneQueue
from desk.model.ticks import Tick
from desk.model.units import MINUTE_NS

FEEDS: dict[str, Callable[[int], Tick]] = {
    "trades": trade,
    "quotes of few symbols": lambda i: quote(i, f"S{i % 3}"),
    "quotes of ever other symbols": lambda i: quote(i, f"S{i}"),
    "trades behind quotes": lambda i: quote(i, f"S{i % 97}") if i < 97 else trade(i),
    "both": lambda i: quote(i, f"S{i % 50}") if i % 3 else trade(i, f"S{i % 7}", i * MINUTE_NS // 500),
}
OFFERS = 4_000


def lines_run(work: Callable[[], None]) -> int:
    """How many lines of `desk.flow.lane_queue` the work runs, loops counted round by round."""
    lines = 0

    def on_event(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal lines
        if frame.f_code.co_filename != lane_queue.__file__:
            return None
        lines += event == "line"
        return on_event

    before = sys.gettrace()
    sys.settrace(on_event)
    try:
        work()
    finally:
        sys.settrace(before)
    return lines


@pytest.mark.parametrize("feed", FEEDS.values(), ids=FEEDS)
@pytest.mark.parametrize(
    ("cut_every", "marks"), [(0, 0), (7, 0), (0, 2_000)], ids=["never cut", "cut", "behind 2,000 marks"]
)
def test_an_offer_to_a_full_lane_costs_the_same_at_any_capacity(
    feed: Callable[[int], Tick], cut_every: int, marks: int
) -> None:
    def overload(capacity: int) -> int:
        held = LaneQueue(capacity, write_timeout_ns=1)
        for second in range(marks):
            held.append(mark(second))

        def work() -> None:
            for i in range(OFFERS):
                held.offer(feed(i), now_ns=0)
                if cut_every and i % cut_every == 0:
                    items, places = held.first(2)
                    held.discard(places, others=sum(not isinstance(item, Tick) for item in items))

        return lines_run(work)

    costs = [overload(capacity) / OFFERS for capacity in (4, 64, 1_000)]

    assert max(costs) < 80


@pytest.mark.parametrize("feed", FEEDS.values(), ids=FEEDS)
def test_a_lane_of_which_nothing_is_ever_cut_holds_a_bounded_number_of_places(feed: Callable[[int], Tick]) -> None:
    held = LaneQueue(50, write_timeout_ns=1)
    items = held.items
    most = 0

    for i in range(10_000):
        held.offer(feed(i), now_ns=0)
        if i % 1_000 == 0:
            held.append(mark(i))
        most = max(most, len(items) - 2 * held.others)

    assert most <= 2 * 50 + 1
    assert held.ticks <= 50
    assert held.items is items


def test_losses_of_one_minute_take_one_place_at_any_rate() -> None:
    held = LaneQueue(10, write_timeout_ns=1)

    for i in range(5_000):
        held.offer(trade(i, f"S{i % 4}", ts_ns=i % MINUTE_NS), now_ns=0)

    assert held.others == 4


def test_a_drained_lane_lets_go_of_its_holes_without_conflating_on() -> None:
    held = LaneQueue(4, write_timeout_ns=1)
    for ordinal, symbol in enumerate("XYZ"):
        held.offer(quote(ordinal, symbol), now_ns=0)
    for second in range(20):
        held.append(mark(second))
    for ordinal in range(3, 20):
        held.offer(quote(ordinal, "A"), now_ns=0)

    front, places = held.first(23)
    held.discard(places, others=20)

    assert len(front) == 23
    assert held.items == [quote(19, "A")]
    assert not held.is_conflating
