from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lane_makers import CONFIG, ack, drain, lane, mark, order_event, quote, trade, waiting

from desk.flow import Lane
from desk.model.bars import Bar
from desk.model.batch import MAX_BATCH_BYTES, Batch, decode_batch
from desk.model.items import LostTrades, Mark, QuotesLost, Watch
from desk.model.ticks import Trade
from desk.model.units import MINUTE_NS, SECOND_NS

MS_NS = 1_000_000


def cut(lane: Lane, now_ns: int = 0) -> Batch:
    payload = lane.cut(now_ns, hurry=True)
    assert payload is not None
    return decode_batch(payload)


def test_an_unhurried_lane_sends_at_once_then_at_least_linger_apart() -> None:
    one = lane(linger_ns=MS_NS)
    now_ns = 10**18
    one.offer(trade(1), now_ns)

    assert one.cut(now_ns) is not None
    one.offer(trade(2), now_ns)
    assert one.cut(now_ns + MS_NS - 1) is None
    assert one.cut(now_ns + MS_NS) is not None
    one.offer(trade(3), now_ns)
    assert one.cut(now_ns + MS_NS, hurry=True) is not None


def test_a_wall_clock_set_back_does_not_stop_the_lane() -> None:
    one = lane(linger_ns=MS_NS)
    one.put(mark(1, received_ns=3600 * SECOND_NS))
    one.cut(3600 * SECOND_NS)
    one.put(mark(2, received_ns=3600 * SECOND_NS))

    payload = one.cut(5 * SECOND_NS)

    assert payload is not None
    [second] = decode_batch(payload).items
    assert isinstance(second, Mark)
    assert second.lane_age_ns == 0


def test_a_closed_window_lets_ticks_gather_into_one_batch() -> None:
    one = lane(window_batches=2, capacity=100)
    for ordinal in (1, 2):
        one.offer(trade(ordinal), 0)
        cut(one)
    for ordinal in range(3, 30):
        one.offer(trade(ordinal), 0)

    assert one.cut(0, hurry=True) is None
    one.on_ack(ack(1))
    assert [item.ordinal for item in cut(one).items if isinstance(item, Trade)] == list(range(3, 30))
    assert one.cut(0, hurry=True) is None


def test_an_ack_stands_for_all_batches_before_it() -> None:
    one = lane(window_batches=3)
    for ordinal in range(3):
        one.offer(trade(ordinal), 0)
        cut(one)

    one.on_ack(ack(2))

    assert list(one.in_flight) == [3]


def test_acks_of_old_and_of_unknown_batches_change_nothing() -> None:
    one = lane(window_batches=1)
    one.offer(trade(1), 0)
    cut(one)
    one.offer(trade(2), 0)

    one.on_ack(ack(0))
    one.on_ack(ack(7))

    assert one.cut(0, hurry=True) is None
    one.on_ack(ack(1))
    one.on_ack(ack(1))
    assert cut(one).seq == 2


def test_full_only_waits_for_a_batch_of_full_size() -> None:
    one = lane(capacity=10_000, lossless=True)
    held = 0
    while one.cut(0, hurry=True, full_only=True) is None:
        one.offer(trade(held), 0)
        held += 1

    assert held > 100
    assert one.idle is False
    assert one.depth == 0


def test_batches_of_a_busy_lane_grow_to_the_size_limit_and_never_above_it() -> None:
    one = lane(capacity=50_000)
    for ordinal in range(20_000):
        one.offer(trade(ordinal), 0)

    sizes = []
    while (payload := one.cut(0, hurry=True)) is not None:
        sizes.append(len(payload))
        one.on_ack(ack(len(sizes)))

    assert max(sizes) <= MAX_BATCH_BYTES
    assert min(sizes[4:-1]) > 0.8 * MAX_BATCH_BYTES


def test_an_item_above_the_size_limit_goes_alone() -> None:
    one = lane(max_batch_bytes=1_000)
    warm = Watch("SPY", 0, warm=True, bars=[Bar("SPY", minute * MINUTE_NS, 1.0, 1.0, 1.0, 1.0) for minute in range(60)])
    one.offer(trade(1, "A"), 0)
    one.put(warm)
    one.offer(trade(2), 0)

    batches = drain(one)

    assert [len(batch.items) for batch in batches] == [1, 1, 1]
    assert batches[1].items == [warm]


def test_only_the_batch_that_empties_the_lane_wants_a_reply() -> None:
    one = lane(capacity=200, max_batch_bytes=2_000)
    for ordinal in range(150):
        one.offer(trade(ordinal), 0)

    wants = []
    while (payload := one.cut(0, hurry=True, want_reply=True)) is not None:
        wants.append(decode_batch(payload).want_reply)
        one.on_ack(ack(len(wants)))

    assert len(wants) > 2
    assert wants == [False] * (len(wants) - 1) + [True]


def test_marks_of_a_lane_that_may_overflow_tell_their_own_age() -> None:
    one = lane(max_data_latency_ns=SECOND_NS)
    one.put(mark(1, received_ns=100))
    one.put(mark(2, received_ns=100, feed_lag_ns=SECOND_NS + 1))
    one.put(mark(3, received_ns=99))

    marks = cut(one, now_ns=100 + SECOND_NS).items

    assert [(m.lane_age_ns, m.degraded) for m in marks if isinstance(m, Mark)] == [
        (SECOND_NS, False),
        (SECOND_NS, True),
        (SECOND_NS + 1, True),
    ]


def test_marks_of_a_lossless_lane_have_no_age() -> None:
    one = lane(lossless=True)
    one.put(mark(1, received_ns=100))

    assert cut(one, now_ns=10**18).items == [mark(1, received_ns=100)]


def test_a_lossless_lane_refuses_to_overflow() -> None:
    one = lane(lossless=True, capacity=2)
    one.pending.items.append(trade(1))
    one.offer(quote(2), 0)

    with pytest.raises(OverflowError, match="holds 2 ticks already"):
        one.offer(quote(3), 0)
    assert one.room == 0
    assert waiting(one) == [trade(1), quote(2)]


@given(st.lists(st.integers(0, 6), max_size=30))
def test_ticks_may_be_appended_straight_to_the_items_of_a_lossless_lane(parts: list[int]) -> None:
    one = lane(lossless=True, capacity=6, max_batch_bytes=300)
    append = one.pending.items.append
    ordinals = count()
    items = []
    for part in parts:
        if one.room < part:
            items += [item for batch in drain(one) for item in batch.items]
        for ordinal in (next(ordinals) for _ in range(part)):
            append(trade(ordinal) if ordinal % 2 else quote(ordinal))
        one.put(order_event(part))
        assert 0 <= one.depth <= 6

    items += [item for batch in drain(one) for item in batch.items]

    assert [item.ordinal for item in items if hasattr(item, "ordinal")] == list(range(sum(parts)))
    assert one.totals().trades + one.totals().quotes == sum(parts)


@given(st.lists(st.integers(-9, 9), max_size=60))
def test_the_lag_threshold_is_reported_once_and_armed_again_at_half_of_it(steps: list[int]) -> None:
    one = lane(capacity=20, lag_threshold=8, window_batches=1_000, lossless=True)
    armed = True
    for step in steps:
        for _ in range(step):
            if one.room:
                one.offer(trade(1), 0)
        if step < 0:
            one.pending.discard(min(-step, one.depth), others=0)

        crossed = one.crossed_threshold()

        assert crossed == (armed and one.depth > 8)
        armed = (armed and not crossed) or (not armed and one.depth <= 4)


def test_the_newer_quote_keeps_its_own_place() -> None:
    one = lane(capacity=3)
    for tick in (quote(1, "A"), trade(2, "A"), quote(3, "B")):
        one.offer(tick, 0)

    one.offer(quote(4, "A"), 0)

    assert waiting(one) == [trade(2, "A"), quote(3, "B"), quote(4, "A")]
    assert one.totals().quotes_conflated == 1


@pytest.mark.parametrize(("left", "conflated"), [(2, 1), (1, 0)])
def test_a_lane_that_was_full_conflates_until_less_than_half_of_it_is_left(left: int, conflated: int) -> None:
    one = lane(capacity=4, max_batch_bytes=1)
    for ordinal, symbol in enumerate("WXYZB"):
        one.offer(quote(ordinal, symbol), 0)
    for _ in range(1 + 4 - left):  # the first is the `QuotesLost` of what was dropped
        cut(one)

    one.offer(quote(6, "B"), 0)

    assert one.totals().quotes_conflated == conflated


def test_aged_trades_go_before_the_oldest() -> None:
    one = lane(capacity=3, write_timeout_ns=SECOND_NS)
    for ordinal, received_ns in ((1, 0), (2, 10), (3, 20)):
        one.offer(trade(ordinal, ts_ns=ordinal * MINUTE_NS, received_ns=received_ns), received_ns)

    one.offer(trade(4, received_ns=SECOND_NS + 20), SECOND_NS + 20)
    one.offer(quote(5), SECOND_NS + 20)
    one.offer(quote(6, "A"), SECOND_NS + 20)

    assert (one.totals().trades_aged, one.totals().trades_full) == (2, 1)
    assert waiting(one) == [
        *(LostTrades([("SPY", minute * MINUTE_NS)]) for minute in (1, 2, 3)),
        trade(4, received_ns=SECOND_NS + 20),
        quote(5),
        quote(6, "A"),
    ]


def test_where_no_trade_waits_the_oldest_quote_goes_once() -> None:
    one = lane(capacity=2)
    for ordinal, symbol in enumerate("ABCA"):
        one.offer(quote(ordinal, symbol), 0)

    totals = one.totals()
    assert waiting(one) == [QuotesLost("A", 0), QuotesLost("B", 0), quote(2, "C"), quote(3, "A")]
    assert (totals.quotes_full, totals.quotes_conflated, totals.quotes) == (2, 0, 2)


def test_a_loss_is_reported_after_the_watch_of_its_symbol_and_once_per_minute() -> None:
    one = lane(capacity=1)
    one.put(Watch("SPY", 0))
    for ordinal in range(1, 5):
        one.offer(trade(ordinal, ts_ns=ordinal), 0)

    assert waiting(one) == [Watch("SPY", 0), LostTrades([("SPY", 0)]), trade(4, ts_ns=4)]


def test_a_trade_shed_before_the_lane_says_nothing_for_one_dropped_before_it() -> None:
    one = lane(capacity=2)
    one.offer(trade(1), 0)
    one.offer(trade(2), 0)
    one.shed("SPY", 0, 2)

    one.offer(trade(5), 0)

    lost = LostTrades([("SPY", 0)])
    assert waiting(one) == [lost, trade(2), lost, trade(5)]
    assert (one.totals().trades_aged, one.totals().trades_full) == (2, 1)


def test_a_lane_of_nothing_but_holes_is_empty() -> None:
    one = lane(capacity=3, max_batch_bytes=1, write_timeout_ns=1)
    for ordinal in range(3):
        one.offer(trade(ordinal), 0)
    one.conflate(on=True)
    one.drop_aged(5)

    assert cut(one).items == [LostTrades([("SPY", 0)])]
    assert one.cut(0, hurry=True) is None
    assert one.pending.items == []


def test_a_loss_after_a_cut_is_reported_again() -> None:
    one = lane(capacity=1)
    one.offer(trade(1), 0)
    one.offer(trade(2), 0)
    cut(one)
    one.offer(trade(3), 0)

    one.offer(trade(4), 0)

    assert cut(one).items == [LostTrades([("SPY", 0)]), trade(4)]


def test_a_lane_that_dropped_much_sends_no_empty_batches() -> None:
    one = lane(capacity=2_000, window_batches=1_000)
    for ordinal in range(3_900):
        one.offer(trade(ordinal), 0)

    batches = drain(one)

    assert min(len(batch.items) for batch in batches[:-1]) >= 256
    assert sum(len(batch.items) for batch in batches) == 2_001


def test_a_lane_without_capacity_is_refused() -> None:
    with pytest.raises(ValueError, match="capacity 0"):
        lane(capacity=0)
    assert CONFIG.capacity > 0


def test_a_stretched_linger_holds_part_batches_back_and_returns_to_the_plan() -> None:
    one = lane(linger_ns=MS_NS)
    now_ns = 10**18
    one.offer(trade(1), now_ns)
    one.cut(now_ns)

    for _ in range(10):
        one.stretch(2.0)
    one.offer(trade(2), now_ns)

    assert one.linger_ns == 16 * MS_NS
    assert one.cut(now_ns + 15 * MS_NS) is None
    assert one.cut(now_ns + 16 * MS_NS) is not None
    for _ in range(200):
        one.stretch(0.98)
    assert one.linger_ns == MS_NS
