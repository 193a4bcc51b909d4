"""Why the batch cut last was not cut before: the window, or the linger of the plan."""

from desk.flow import Lane, LaneConfig
from desk.flow.lane_waits import LaneRefusals, LaneWait
from desk.model.batch import Ack
from desk.model.items import Mark
from desk.model.ticks import Trade
from desk.model.units import MS_NS


def lane(linger_ns: int = MS_NS) -> Lane:
    return Lane(0, LaneConfig("p", 1, 100, 1, linger_ns, 10**9, 50, 10**10, lossless=False))


def tick(ordinal: int, received_ms: int) -> Trade:
    return Trade(ordinal, "A", 0, received_ms * MS_NS, 1.0, 1.0)


def test_reasons_are_counted_apart_and_only_while_they_last() -> None:
    refusals = LaneRefusals()

    for why, now_ns in (("linger", 10), ("linger", 12), ("backpressure", 15), ("", 40), ("", 90), ("linger", 95)):
        refusals.note(why, now_ns)  # type: ignore[arg-type]
    refusals.note("", 100)

    assert (refusals.linger_ns, refusals.backpressure_ns) == (10, 25)


def test_a_batch_that_is_cut_at_once_waited_for_nothing() -> None:
    one = lane()
    one.offer(tick(1, 100), 0)

    assert one.cut(103 * MS_NS) is not None

    assert one.waited == LaneWait(100 * MS_NS, 0, 0)


def test_a_closed_window_is_backpressure_and_what_follows_is_linger() -> None:
    one = lane(linger_ns=30 * MS_NS)
    one.offer(tick(1, 100), 0)
    one.cut(100 * MS_NS)
    one.offer(tick(2, 101), 0)

    assert one.cut(101 * MS_NS) is None
    assert one.cut(110 * MS_NS) is None
    one.on_ack(Ack(0, 1, 1, 0, 0))
    assert one.cut(121 * MS_NS) is None
    assert one.cut(131 * MS_NS) is not None

    assert one.waited == LaneWait(101 * MS_NS, 20 * MS_NS, 10 * MS_NS)


def test_a_batch_without_ticks_has_no_oldest() -> None:
    one = lane()
    one.put(Mark(1, 1))

    assert one.cut(50 * MS_NS) is not None
    assert one.waited is None
