"""Corrections, cancels and notices in a lane: in order, never dropped, and counted separately."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lane_makers import drain, lane, mark, quote, trade

from desk.flow.undelivered_items import ticks_cut
from desk.model.items import Adopt, Item
from desk.model.notices import NOTICES, TradingStatus
from desk.model.ticks import REVISIONS, Cancel, Correction, Event, Trade
from desk.producer.held_items import HeldItems


def cancel(ordinal: int) -> Cancel:
    return Cancel(ordinal, "SPY", 0, 0, 7)


def correction(ordinal: int) -> Correction:
    return Correction(ordinal, "SPY", 0, 0, 7, 10.0, 5.0)


def status(ordinal: int) -> TradingStatus:
    return TradingStatus(ordinal, "SPY", 0, 0, "H")


MAKERS = {"t": trade, "q": quote, "c": correction, "x": cancel, "h": status}
KEPT = REVISIONS | NOTICES


def ordinals(items: list[Item]) -> list[int]:
    return [item.ordinal for item in items if isinstance(item, Event)]


@given(st.text("tqcxh.", max_size=60), st.integers(1, 6), st.integers(1, 4))
def test_whatever_overflows_revisions_and_notices_arrive_in_order_and_are_counted(
    kinds: str, capacity: int, every: int
) -> None:
    one = lane(capacity=capacity)
    offered: list[Event] = []
    items: list[Item] = []
    for ordinal, kind in enumerate(kinds, 1):
        if kind == ".":
            one.put(mark(ordinal))
        else:
            offered.append(MAKERS[kind](ordinal))
            one.offer(offered[-1], 0)
        if ordinal % (every * 7) == 0:
            items += [item for batch in drain(one) for item in batch.items]
    items += [item for batch in drain(one) for item in batch.items]

    assert [item for item in items if type(item) in KEPT] == [item for item in offered if type(item) in KEPT]
    assert all(before < after for before, after in pairwise(ordinals(items)))
    totals = one.totals()
    assert totals.revisions == sum(type(item) in REVISIONS for item in offered)
    assert totals.notices == sum(type(item) in NOTICES for item in offered)
    assert totals.trades == sum(type(item) is Trade for item in offered)
    assert ticks_cut(totals).trades == sum(type(item) is Trade for item in items)
    assert one.pending.others == one.pending.ticks == 0


def test_a_lossless_lane_counts_them_against_its_room() -> None:
    one = lane(capacity=2, lossless=True)

    one.offer(cancel(1), 0)
    one.offer(trade(2), 0)

    assert one.room == 0
    with pytest.raises(OverflowError):
        one.offer(cancel(3), 0)


def test_they_are_held_for_a_shard_without_room_and_travel_in_its_adopt() -> None:
    holding, one = HeldItems(1), lane()
    for tick in (trade(1), cancel(2), trade(3), correction(4), status(5)):
        holding.offer(tick, 0)

    one.put(Adopt(1, [0], b"", b""))
    one.count_adopted(holding.counts)
    drain(one)

    assert [type(item).__name__ for item in holding.items] == [
        *("Trade", "Cancel", "LostTrades", "Correction", "TradingStatus"),
    ]
    totals = one.totals()
    assert (totals.trades, totals.trades_full, totals.revisions, totals.notices) == (2, 1, 2, 1)
