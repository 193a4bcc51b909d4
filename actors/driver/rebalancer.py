"""The rebalancer: watches what the shards tell, and asks the producer to move slots.

Tests: tests/actors/test_moves_on_ray.py
"""

from collections.abc import Callable, Collection, Sequence

from desk.config import Plan
from desk.consumer.shard import ShardStats
from desk.producer.stats import LoopStats
from desk.scaling.rebalancing import Rebalancing
from desk.wiring.producer_factory import market_waits

Move = Callable[[Sequence[int], int], None]
"""Asks for a move, without waiting: these slots, to that shard."""


class Rebalancer:
    """Lives with the supervisor. Shards that join are given slots, those that leave are emptied.

    The others are levelled out if the plan says so, and the market does not wait for them.
    """

    def __init__(self, plan: Plan, move: Move) -> None:
        self._rebalancing = Rebalancing(level=plan.consumers.rebalance and not market_waits(plan))
        self._move = move

    def look(self, loop: LoopStats, shards: Sequence[ShardStats], leaving: Collection[int]) -> None:
        """Take the newest figures in, and ask for what they call for."""
        staying = [lane.shard for lane in loop.lanes if lane.shard not in leaving]
        for move in self._rebalancing.observe(loop, shards, staying):
            self._move(move.slots, move.to)
