"""Slot moves that level the load, from the shards' figures."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_run_record import some_stats
from test_viewer import loop_stats

from desk.consumer.shard_stats import ShardStats
from desk.consumer.slot_meter import EVERY, SlotMeter
from desk.flow.routing_table import RoutingTable, slot_of
from desk.model.lane_row import LaneRow
from desk.model.ticks import Trade
from desk.model.units import SECOND_NS
from desk.producer.stats import LoopStats
from desk.scaling.rebalancing import Rebalancing


class Market:
    """Slots of unequal load on shards 0 and 1, observed once a second; moves are done at once."""

    def __init__(self, rates: dict[int, int], *, level: bool = True, **more: Any) -> None:
        self.rates = rates
        self.more = more
        self.table = RoutingTable.even([0, 1])
        self.rebalancing = Rebalancing(level=level)
        self.staying = [0, 1]
        self.seconds = 0
        self.ticks: dict[int, dict[int, int]] = {0: {}, 1: {}, 2: {}}
        self.busy_ns = {0: 0, 1: 0, 2: 0}
        self.moved = 0

    def pass_seconds(self, seconds: int, *, busy: float = 0.5) -> None:
        for _ in range(seconds):
            self.seconds += 1
            for slot, rate in self.rates.items():
                ticks = self.ticks[self.table.shards[slot]]
                ticks[slot] = ticks.get(slot, 0) + rate
            for shard in self.busy_ns:
                self.busy_ns[shard] += round(busy * SECOND_NS)
            for move in self.rebalancing.observe(self.loop(), self.shards(), self.staying):
                self.table = self.table.moved(move.slots, move.to)
                self.moved += len(move.slots)

    def loop(self) -> LoopStats:
        return loop_stats(
            0,
            owners=self.table.shards,
            table_version=self.table.version,
            wall_ns=self.seconds * SECOND_NS,
            lanes=[LaneRow(shard, 0, 100, 0, 4, busy_ns=busy_ns) for shard, busy_ns in self.busy_ns.items()],
            **self.more,
        )

    def shards(self) -> list[ShardStats]:
        return [some_stats(shard, slot_ticks=dict(ticks), told_ns=self.seconds) for shard, ticks in self.ticks.items()]

    def load(self, shard: int) -> int:
        return sum(rate for slot, rate in self.rates.items() if self.table.shards[slot] == shard)


def test_hot_slots_leave_the_busy_shard_after_some_seconds_and_then_rest() -> None:
    market = Market({0: 500, 2: 400, 4: 100, 1: 10})

    market.pass_seconds(4)
    assert market.moved == 0
    market.pass_seconds(8)
    moved = market.moved
    market.pass_seconds(60)

    assert 0 < moved == market.moved
    assert max(market.load(0), market.load(1)) <= 1.1 * 505


def test_a_symbol_hotter_than_a_shard_gets_one_of_its_own() -> None:
    market = Market({0: 5_000, 2: 40, 4: 30, 1: 10})

    market.pass_seconds(20)

    assert sorted([market.load(0), market.load(1)]) == [80, 5_000]


def test_an_idle_desk_is_left_alone() -> None:
    market = Market({0: 500, 2: 400})

    market.pass_seconds(20, busy=0.01)

    assert market.moved == 0


def test_nothing_is_judged_while_slots_move_or_a_shard_is_waited_for() -> None:
    for state in ({"moving": True}, {"waiting": [1]}):
        market = Market({0: 500, 2: 400}, **state)
        market.pass_seconds(20)
        assert market.moved == 0


def test_a_successor_counts_anew() -> None:
    market = Market({0: 100, 1: 100})
    market.pass_seconds(3)
    market.ticks[0] = {}
    market.busy_ns[0] = 0

    market.pass_seconds(20)

    assert market.moved == 0


@pytest.mark.parametrize(("level", "busy"), [(True, 0.5), (False, 0.5), (False, 0.0)])
def test_a_shard_that_joins_is_given_slots_and_one_that_leaves_is_emptied(level: bool, busy: float) -> None:
    market = Market(dict.fromkeys(range(40), 100 if busy else 0), level=level)
    market.staying = [0, 1, 2]

    market.pass_seconds(40, busy=busy)
    assert set(market.table.shards) == {0, 1, 2}
    market.staying = [0, 2]
    market.pass_seconds(40, busy=busy)

    assert set(market.table.shards) == {0, 2}


def test_shards_that_are_not_to_be_levelled_are_left_alone_while_nobody_comes_or_goes() -> None:
    market = Market({0: 500, 2: 400}, level=False)

    market.pass_seconds(20)

    assert market.moved == 0


@given(st.integers(1, 40))
def test_the_meter_counts_the_ticks_of_every_so_many_batches(batches: int) -> None:
    meter = SlotMeter()

    for number in range(EVERY * batches):
        meter.count([Trade(number, "A", 0, 0, 1.0, 1.0), Trade(number, "B", 0, 0, 1.0, 1.0)])

    assert meter.ticks == {slot_of("A"): EVERY * batches, slot_of("B"): EVERY * batches}
