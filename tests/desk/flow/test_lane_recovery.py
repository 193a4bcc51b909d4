"""A shard that dies and is restarted: retained batches, replayed batches, and reported losses."""

from collections import deque

import pytest
from lane_makers import CONFIG, ack, lane, mark, order_event, quote, trade
from msgspec.structs import replace

from desk.flow import HeldCounts, Lane
from desk.flow.crash_counter import DEATHS_OF_A_TICK, DEATHS_OF_THE_REST
from desk.flow.replay_queue import MOST_LEFT_OUT
from desk.model.batch import Ack, Batch, LaneTotals, ShardPosition, decode_batch
from desk.model.errors import RunFailed
from desk.model.items import Adopt, GapItem, Item, LostTrades, Watch, encode_items
from desk.model.ticks import Quote, Trade
from desk.model.units import MINUTE_NS, SECOND_NS

EPOCH = CONFIG.epoch


def durable(seq: int, of: int) -> Ack:
    return Ack(5, 1, seq, 0, 0, durable_seq=of)


def at(seq: int, *, epoch: int = EPOCH, mark_ns: int = 0, totals: LaneTotals | None = None) -> ShardPosition:
    return ShardPosition(5, 2, epoch, seq, mark_ns, mark_ns, totals or LaneTotals())


def cut_each(one: Lane, *items: Item) -> list[bytes]:
    """Every item in a batch of its own, as far as the window goes."""
    payloads = []
    for item in items:
        if isinstance(item, Trade | Quote):
            one.offer(item, 0)
        else:
            one.put(item)
        payload = one.cut(0, hurry=True)
        assert payload is not None
        payloads.append(payload)
    return payloads


def cut_all(one: Lane) -> list[Batch]:
    """As far as the window goes."""
    batches = []
    while (payload := one.cut(0, hurry=True)) is not None:
        batches.append(decode_batch(payload))
    return batches


def die(one: Lane, *, position: ShardPosition) -> None:
    one.on_shard_lost()
    one.on_shard_back(position, 0)


def test_what_a_successor_has_not_applied_is_given_again_within_the_window_before_anything_new() -> None:
    one = lane(window_batches=3)
    payloads = cut_each(one, trade(1), trade(2), trade(3))

    one.on_shard_lost()
    one.offer(trade(4), 0)
    assert one.cut(0, hurry=True) is None
    one.on_shard_back(at(1), 0)

    assert not one.idle
    assert [one.cut(0), one.cut(0)] == payloads[1:]
    assert [item for batch in cut_all(one) for item in batch.items] == [trade(4)]
    assert list(one.in_flight) == [2, 3, 4]


def test_a_position_under_an_older_producer_gets_everything_again() -> None:
    one = lane()
    payloads = cut_each(one, trade(1), trade(2))

    die(one, position=at(40, epoch=EPOCH - 1))

    assert [one.cut(0), one.cut(0)] == payloads


def test_the_request_of_a_batch_that_was_acknowledged_before_is_no_news() -> None:
    one = lane()
    cut_each(one, trade(1), trade(2))

    first = one.on_ack(ack(1))
    die(one, position=at(0))
    one.cut(0)
    one.cut(0)
    stale = one.on_ack(Ack(5, 1, 2, 0, 0))
    again = [one.on_ack(Ack(5, 2, seq, 0, 0)) for seq in (1, 2)]

    assert first
    assert not stale
    assert again == [False, True]


def test_every_batch_bears_the_last_mark_put_in() -> None:
    one = lane()

    marks = [decode_batch(payload).mark_ns for payload in cut_each(one, trade(1), mark(7), trade(2))]

    assert marks == [0, 7 * SECOND_NS, 7 * SECOND_NS]
    assert one.mark_ns == 7 * SECOND_NS


def test_a_lossless_lane_that_keeps_too_much_has_no_room_until_a_checkpoint_is_confirmed() -> None:
    one = lane(lossless=True, retain_bytes=100)
    cut_each(one, trade(1), trade(2))
    assert (one.room, one.needs_checkpoint, one.durable) == (0, True, False)

    poke = one.request_checkpoint(0, checkpoint=True)
    assert poke is not None
    assert (decode_batch(poke).items, decode_batch(poke).checkpoint, one.needs_checkpoint) == ([], True, False)
    one.on_ack(ack(3))
    assert (one.room, one.needs_checkpoint) == (0, True)
    one.request_checkpoint(0)
    one.on_ack(durable(4, of=3))

    assert (one.room, one.needs_checkpoint, one.durable) == (8, False, True)


def test_a_full_lossless_lane_asks_again_for_a_checkpoint_where_the_shard_died_before_it_could_answer() -> None:
    one = lane(lossless=True, retain_bytes=100)
    cut_each(one, trade(1), trade(2))
    one.on_ack(ack(2))
    one.request_checkpoint(0, checkpoint=True)

    one.on_shard_lost()
    one.on_shard_back(at(3), 0)  # it had applied the poke, and its answer is lost

    assert (one.in_flight, one.needs_checkpoint) == (deque(), True)


def test_a_live_lane_that_keeps_too_much_is_unprotected_until_what_is_durable_reaches_up() -> None:
    one = lane(retain_bytes=150, window_batches=9)
    cut_each(one, *(trade(ordinal) for ordinal in range(5)))

    unprotected = []
    for of in (0, 1, 4):
        one.on_ack(durable(5, of=of))
        unprotected.append(one.unprotected)

    assert unprotected == [True, True, False]
    assert not one.durable


def test_what_was_let_go_is_a_gap_with_its_numbers_and_under_its_number() -> None:
    one = lane(retain_bytes=1, window_batches=9)
    items = (mark(1), trade(1), quote(2), order_event(1), Watch("SPY", 5), LostTrades([("SPY", 0)]), mark(3), quote(3))
    cut_each(one, *items)

    die(one, position=at(2, mark_ns=SECOND_NS, totals=LaneTotals(1, 0)))

    [head] = cut_all(one)
    gap = head.items.pop()
    assert isinstance(gap, GapItem)
    assert (gap.trades, gap.quotes, gap.from_ns, gap.to_ns) == (0, 2, SECOND_NS, 4 * SECOND_NS - 1)
    assert head.items == [order_event(1), Watch("SPY", 5), LostTrades([("SPY", 0)])]
    assert (head.seq, head.totals) == (8, one.totals())


def test_ticks_that_travel_in_an_adopt_are_counted_when_it_is_cut_and_are_not_in_the_gap() -> None:
    one = lane(retain_bytes=1)
    one.put(trade_carrier())
    one.count_adopted(HeldCounts(1, 2, trades_full=3))
    assert one.totals() == LaneTotals(3, 0, trades_full=3)
    assert one.cut(0, hurry=True)
    assert one.totals() == LaneTotals(4, 2, trades_full=3)
    cut_each(one, trade(9))

    die(one, position=at(0))

    [head] = cut_all(one)
    gap = head.items[-1]
    assert isinstance(gap, GapItem)
    assert head.items[:-1] == [trade_carrier()]
    assert (gap.trades, gap.quotes) == (1, 0)


def trade_carrier() -> Adopt:
    return Adopt(1, [3], b"state", encode_items([trade(1), quote(2), quote(3), mark(1)]))


def test_a_successors_lane_counts_on_and_tells_what_its_shard_fell_back_behind() -> None:
    totals = LaneTotals(20, 9, 1, 2, 3, 4)
    one = Lane(5, CONFIG, totals=totals)
    cut_each(one, trade(1))
    assert one.totals() == LaneTotals(21, 9, 1, 2, 3, 4)

    die(one, position=at(7, epoch=EPOCH - 1, totals=LaneTotals(10, 5, 1, 2, 3, 4)))

    head, again = cut_all(one)
    [gap] = head.items
    assert isinstance(gap, GapItem)
    assert (gap.trades, gap.quotes) == (10, 4)
    assert again.items == [trade(1)]
    assert (head.seq, again.seq) == (1, 2)


def test_a_lossless_lane_that_let_go_what_its_shard_lacks_ends_the_run() -> None:
    one = lane(lossless=True)
    cut_each(one, trade(1), trade(2))
    one.on_ack(durable(2, of=2))
    one.on_shard_lost()

    with pytest.raises(RunFailed, match="its successor is at batch 1, although batches up to 2 were confirmed"):
        one.on_shard_back(at(1), 0)


def doubtful(*items: Item) -> Lane:
    """A lane whose shard died twice in its only batch."""
    one = lane(capacity=50)
    for item in items:
        one.put(item) if not isinstance(item, Trade | Quote) else one.offer(item, 0)
    assert one.cut(0, hurry=True, want_reply=True)
    die(one, position=at(0))
    assert one.cut(0, hurry=True)
    die(one, position=at(0))
    return one


def test_a_batch_in_which_a_shard_died_twice_is_given_item_by_item() -> None:
    one = doubtful(trade(1), mark(1), quote(2))
    one.offer(trade(3), 0)

    parts = []
    for _ in range(3):
        [part] = cut_all(one)
        parts.append(part)
        one.on_ack(Ack(5, 2, 1, 0, 0))

    assert [len(part.items) for part in parts] == [1, 1, 1]
    assert [part.seq for part in parts] == [1, 1, 1]
    assert [(part.more, part.want_reply) for part in parts] == [(True, False), (True, False), (False, True)]
    assert [(part.totals.trades, part.totals.quotes) for part in parts] == [(1, 0), (1, 0), (1, 1)]
    [new] = cut_all(one)
    assert new.items == [trade(3)]


def give(one: Lane, *, outlived: int) -> list[Item]:
    """Give the doubtful batch item by item; the shard applies so many, and has the next one then."""
    given = []
    for _ in range(outlived):
        given += [item for batch in cut_all(one) for item in batch.items]
        one.on_ack(Ack(5, 2, 0, 0, 0))
    return given + [item for batch in cut_all(one) for item in batch.items]


def test_the_tick_of_which_it_dies_every_time_is_a_gap_of_one() -> None:
    one = doubtful(trade(1), trade(2, ts_ns=MINUTE_NS + 5), trade(3))

    for death in range(DEATHS_OF_A_TICK):
        assert one.quarantined == [], f"after {death} deaths"
        assert give(one, outlived=1)[-1] == trade(2, ts_ns=MINUTE_NS + 5)
        die(one, position=at(0))

    assert one.quarantined == [(trade(2, ts_ns=MINUTE_NS + 5), 1)]
    given = []
    for _ in range(3):
        given += [item for batch in cut_all(one) for item in batch.items]
        one.on_ack(Ack(5, 2, 1, 0, 0))
    why = "quarantined: the shard died of it (trade 2)"
    assert given == [trade(1), GapItem(MINUTE_NS, 2 * MINUTE_NS - 1, why, 1, 0, ["SPY"]), trade(3)]
    assert one.idle


def test_deaths_on_one_item_after_another_are_kills_from_outside() -> None:
    one = doubtful(trade(1), trade(2), trade(3))

    for outlived in (0, 0, 1, 0, 0, 2, 2):
        give(one, outlived=outlived)
        die(one, position=at(0))

    assert one.quarantined == []


def test_an_item_that_was_outlived_meanwhile_is_no_longer_accused() -> None:
    one = doubtful(trade(1), trade(2))

    for _ in range(DEATHS_OF_A_TICK):
        assert give(one, outlived=0) == [trade(1)]
        die(one, position=at(0))
        assert give(one, outlived=0) == [trade(1)]
        one.on_ack(Ack(5, 2, 0, 0, 0))
        die(one, position=at(0))

    assert one.quarantined == []


@pytest.mark.parametrize("item", [mark(1), order_event(1)])
def test_an_item_that_nothing_makes_up_for_is_never_left_out_and_ends_the_run_at_last(item: Item) -> None:
    one = doubtful(item, trade(1))

    for _ in range(DEATHS_OF_THE_REST - 1):
        give(one, outlived=0)
        die(one, position=at(0))
    give(one, outlived=0)

    with pytest.raises(RunFailed, match=r"shard 5: it dies on .*, sent alone from batch 1, several times"):
        one.on_shard_lost()
    assert one.quarantined == []


def test_a_shard_that_dies_of_one_tick_after_another_ends_the_run() -> None:
    ticks = [trade(ordinal) for ordinal in range(MOST_LEFT_OUT + 1)]
    one = doubtful(*ticks)

    for outlived in range(MOST_LEFT_OUT):
        for _ in range(DEATHS_OF_A_TICK):
            give(one, outlived=outlived)
            die(one, position=at(0))
    assert [tick for tick, _ in one.quarantined] == ticks[:-1]

    for _ in range(DEATHS_OF_A_TICK - 1):
        give(one, outlived=MOST_LEFT_OUT)
        die(one, position=at(0))
    give(one, outlived=MOST_LEFT_OUT)
    with pytest.raises(RunFailed, match="no more than 20 ticks are left out"):
        one.on_shard_lost()


def test_a_death_that_is_explained_by_a_strategy_stopped_since_makes_nothing_suspect() -> None:
    one = lane(window_batches=2)
    cut_each(one, mark(1), trade(1))

    for stops in range(1, 9):
        for _ in range(2):
            one.on_shard_lost()
            one.on_shard_back(replace(at(0), stops=stops), 0)
            cut_all(one)

    assert one.quarantined == []
    one.on_shard_lost()
    one.on_shard_back(replace(at(0), stops=9), 0)
    assert [batch.items for batch in cut_all(one)] == [[mark(1)], [trade(1)]]


def test_an_empty_batch_at_which_the_shard_dies_again_and_again_is_sent_again_as_it_is() -> None:
    one = lane()
    poke = one.request_checkpoint(0, checkpoint=True)

    for _ in range(5):
        die(one, position=at(0))
        assert one.cut(0) == poke

    one.on_ack(Ack(5, 2, 1, 0, 0))
    assert one.idle


def ask(one: Lane, *items: Item) -> Batch:
    """The items in a batch that wants a reply."""
    for item in items:
        one.put(item)
    payload = one.cut(0, hurry=True, want_reply=True)
    assert payload is not None
    return decode_batch(payload)


def test_a_reply_that_died_with_its_shard_is_requested_again_where_the_successor_holds_the_batch() -> None:
    one = lane(lossless=True)
    asked = ask(one, mark(1))

    die(one, position=at(asked.seq))

    assert not one.idle
    again = ask(one)
    assert (again.seq, again.items, again.want_reply, again.mark_ns) == (asked.seq + 1, [], True, SECOND_NS)
    assert one.cut(0, hurry=True) is None
    assert one.on_ack(replace(ack(again.seq), epoch=2))
    assert one.idle


def test_a_reply_that_dies_again_is_requested_by_the_same_batch_or_once_more() -> None:
    one = lane(lossless=True)
    asked = ask(one, mark(1))
    die(one, position=at(asked.seq))
    again = ask(one)

    die(one, position=at(asked.seq))
    assert ask(one) == again
    die(one, position=at(again.seq))

    assert ask(one).seq == again.seq + 1


@pytest.mark.parametrize("acked", [True, False])
def test_a_reply_that_came_or_comes_with_the_batch_is_not_asked_for_again(acked: bool) -> None:
    one = lane(lossless=True)
    asked = ask(one, mark(1))
    if acked:
        one.on_ack(ack(asked.seq))

    die(one, position=at(asked.seq if acked else asked.seq - 1))

    assert cut_all(one) == ([] if acked else [asked])


def test_marks_that_were_let_go_and_are_not_missed_do_not_have_to_be_durable() -> None:
    one = lane(retain_bytes=1)
    cut_each(one, trade(1), mark(1), mark(2))
    one.on_ack(durable(3, of=1))

    die(one, position=at(1, totals=one.totals()))
    cut_all(one)

    assert one.idle
    assert one.durable
