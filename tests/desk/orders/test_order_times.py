"""Times of orders: decided to sent, sent to acknowledged and filled."""

from desk.orders.order_times import MAX_OPEN, OrderTimes


class Watch:
    now_ns = 0

    def __call__(self) -> int:
        return self.now_ns


def counts(times: OrderTimes) -> dict[str, tuple[int, int]]:
    return {step: (found.count, found.sum_ns) for step, found in times.snapshots().items()}


def test_each_step_is_timed_once() -> None:
    watch = Watch()
    times = OrderTimes(watch)

    times.called()
    watch.now_ns = 10
    times.sent(["a", "b"])
    watch.now_ns = 30
    times.reported("a", "partially_filled")
    watch.now_ns = 60
    times.reported("a", "filled")
    times.reported("b", "rejected")
    watch.now_ns = 90
    times.reported("a", "filled")

    assert counts(times) == {"sent": (2, 20), "acknowledged": (2, 20 + 50), "filled": (1, 50)}


def test_orders_of_an_earlier_process_are_not_timed() -> None:
    times = OrderTimes(Watch())

    times.reported("unknown", "filled")

    assert counts(times)["filled"] == (0, 0)


def test_what_is_kept_has_a_bound_and_ends_with_the_session() -> None:
    times = OrderTimes(Watch())

    times.sent(str(number) for number in range(MAX_OPEN + 5))
    assert len(times._sent_ns) == MAX_OPEN
    assert counts(times)["sent"][0] == MAX_OPEN + 5
    times.closed()

    assert not times._sent_ns
    assert not times._silent
