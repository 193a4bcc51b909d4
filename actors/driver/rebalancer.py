"""The rebalancer: watches the shards' figures, and requests slot moves from the producer.

Tests: tests/actors/test_moves_on_ray.py
"""

from collections.abc import Callable, Collection, Sequence

from desk.config import Plan
from desk.consumer.shard_stats import ShardStats
from desk.producer.stats import LoopStats
from desk.scaling.rebalancing import Rebalancing
from desk.wiring.producer_factory import market_waits

Move = Callable[[Sequence[int], int], None]
"""Requests a move of these slots to this shard, without waiting."""


class Rebalancer:
    """Moves slots to shards that join and from shards that leave.

    The load of the others is balanced if the plan has `rebalance` and the feed is live.
    """

    def __init__(self, plan: Plan, move: Move) -> None:
        self._rebalancing = Rebalancing(level=plan.consumers.rebalance and not market_waits(plan))
        self._move = move

    def look(self, loop: LoopStats, shards: Sequence[ShardStats], leaving: Collection[int]) -> None:
        """Take the newest figures, and request the moves that follow from them."""
        staying = [lane.shard for lane in loop.lanes if lane.shard not in leaving]
        for move in self._rebalancing.observe(loop, shards, staying):
            self._move(move.slots, move.to)
