"""Times of strategies' calls: each call is counted once, under its strategy and hook."""

from desk.strategy import HOOKS
from desk.telemetry.call_times import MAX_PENDING, CallTimes


def test_calls_are_counted_by_strategy_and_hook() -> None:
    times = CallTimes()
    on_trade, on_quote = HOOKS.index("on_trade"), HOOKS.index("on_quote")

    times.recorders("a")[on_trade](100)
    times.recorders("b")[on_trade](200)
    times.recorders("b")[on_quote](300)
    times.recorders("b")[on_quote](301)

    found = times.snapshots()
    assert {(name, hook): one.count for name, hooks in found.items() for hook, one in hooks.items()} == {
        ("a", "on_trade"): 1,
        ("b", "on_trade"): 1,
        ("b", "on_quote"): 2,
    }
    assert found["b"]["on_quote"].sum_ns == 601
    assert times.snapshots() == found


def test_the_calls_of_a_second_are_counted_from_their_ends() -> None:
    times = CallTimes()
    two, three = ["a", "a"], ["a", "b", "b"]

    for begin_ns in (1_000, 2_000):
        for time_ns in (begin_ns, begin_ns + 10, begin_ns + 30):
            times.second(two)(time_ns)
    record = times.second(three)
    for time_ns in (5_000, 5_001, 5_003, 5_006):
        record(time_ns)

    found = times.snapshots()
    assert (found["a"]["on_second"].count, found["a"]["on_second"].sum_ns) == (5, 2 * 30 + 1)
    assert (found["b"]["on_second"].count, found["b"]["on_second"].sum_ns) == (2, 5)


def test_long_lists_are_counted_between_batches() -> None:
    times = CallTimes()
    record, names = times.recorders("a")[HOOKS.index("on_trade")], ["a"]
    for number in range(MAX_PENDING + 1):
        record(1)
        times.second(names)(number)
        times.second(names)(number + 2)

    times.trim()

    assert [len(pending) for pending in times._pending.values() if pending] == []
    assert times._rows == []
    found = times.snapshots()["a"]
    assert (found["on_trade"].count, found["on_second"].count) == (MAX_PENDING + 1, MAX_PENDING + 1)
    assert found["on_second"].sum_ns == 2 * (MAX_PENDING + 1)
