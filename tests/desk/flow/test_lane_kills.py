"""Shards that are killed at any moment lose no tick, and an item that kills its shard is found among the kills."""

from collections.abc import Callable
from random import Random

import pytest
from examples import examples
from hypothesis import given
from hypothesis import strategies as st
from lane_makers import lane, mark, trade
from model_shard import ModelShard, ShardDied

from desk.flow.crash_counter import DEATHS_OF_A_TICK
from desk.model.batch import decode_batch
from desk.model.items import Item
from desk.model.ticks import Tick

ITEM_S = 0.001
TICKS = 60

NextKill = Callable[[], float]
"""How long a shard lives that has just come up, in s."""


class Killed:
    """One batch, and a shard that is killed at moments of its own; time is what items take."""

    def __init__(self, next_kill: NextKill, poison: frozenset[int] = frozenset()) -> None:
        self.lane = lane(capacity=1_000, lossless=True)
        self.shard = ModelShard(poison)
        self.deaths = 0
        self.left_out: list[int] = []
        self._next_kill = next_kill
        self._left_s = next_kill()
        self.ticks = [trade(ordinal) for ordinal in range(1, TICKS + 1)]
        for tick in self.ticks:
            self.lane.offer(tick, 0)
        self.lane.put(mark(1))

    def outlive(self, *, deaths: int) -> bool:
        """Go on until the batch is applied, or so many deaths are died; whether it is applied."""
        while self.deaths < deaths:
            batch = self.lane.cut(0, hurry=True)
            if batch is None:
                return True
            self._left_s -= ITEM_S * len(decode_batch(batch).items)
            if self._left_s < 0 or not self._applied(batch):
                self._die()
        return False

    def _applied(self, batch: bytes) -> bool:
        try:
            self.lane.on_ack(self.shard.receive(batch))
        except ShardDied:
            return False
        return True

    def _die(self) -> None:
        self.deaths += 1
        self.shard.die()
        self.lane.on_shard_lost()
        self.lane.on_shard_back(self.shard.position(), 0)
        self.left_out += [item.ordinal for item, _ in self.lane.quarantined if isinstance(item, Tick)]
        self.lane.quarantined.clear()
        self._left_s = self._next_kill()

    def applied(self) -> list[Item]:
        """The ticks that the shard has."""
        return [item for item in self.shard.state.applied if isinstance(item, Tick)]


@pytest.mark.parametrize("mean_s", [0.1, 1.0])
def test_a_storm_of_kills_leaves_no_tick_out(mean_s: float) -> None:
    choose = Random(1)
    deaths = 0

    while deaths < 200:
        killed = Killed(lambda: choose.expovariate(1 / mean_s))
        assert killed.outlive(deaths=500)
        deaths += killed.deaths
        assert killed.left_out == []
        assert killed.applied() == killed.ticks


@given(st.sets(st.integers(1, TICKS), min_size=1, max_size=4), st.integers(0, 10_000))
@examples(50)
def test_poison_is_found_in_a_storm_of_kills(poison: set[int], seed: int) -> None:
    choose = Random(seed)
    killed = Killed(lambda: choose.expovariate(1 / 1.0), frozenset(poison))

    assert killed.outlive(deaths=40)

    assert set(killed.left_out) == poison
    assert killed.applied() == [tick for tick in killed.ticks if tick.ordinal not in poison]


@given(st.sets(st.integers(1, TICKS), max_size=4))
def test_poison_alone_costs_two_deaths_and_then_three_for_each_tick(poison: set[int]) -> None:
    killed = Killed(lambda: 1e9, frozenset(poison))

    assert killed.outlive(deaths=100)

    assert killed.left_out == sorted(poison)
    assert killed.deaths == (2 + DEATHS_OF_A_TICK * len(poison) if poison else 0)


@given(st.lists(st.integers(0, 12), max_size=30))
@examples(300)
def test_no_tick_is_left_out_that_did_not_see_so_many_deaths_in_a_row(lives: list[int]) -> None:
    """Each life but the last ends with so many items behind it, and the next one under way."""
    left = iter(lives)
    killed = Killed(lambda: ITEM_S * (next(left, 10**6) + 0.5))

    assert killed.outlive(deaths=len(lives) + 1)

    suspected = lives[2:]
    runs = [suspected[i : i + DEATHS_OF_A_TICK] for i in range(len(suspected))]
    allowed = [run[0] + 1 for run in runs if len(run) == DEATHS_OF_A_TICK and len(set(run)) == 1]
    assert all(ordinal in allowed for ordinal in killed.left_out)
