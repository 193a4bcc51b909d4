"""The rebalancer: watches what the shards tell, and asks the producer to move slots."""

from collections.abc import Callable, Iterable, Sequence

from desk.config import Plan
from desk.pipeline.intake_stats import IntakeStats
from desk.pipeline.rebalancing import Rebalancing
from desk.pipeline.shard import ShardStats

Move = Callable[[Sequence[int], int], None]
"""Asks for a move, without waiting: these slots, to that shard."""


class Rebalancer:
    """Lives with the supervisor. Does nothing unless the plan says so, and where the market waits for the shards."""

    def __init__(self, plan: Plan, shards: Iterable[int], move: Move) -> None:
        waits = plan.session.lockstep or (plan.feed.kind != "alpaca" and plan.feed.speed == "max")
        self._rebalancing = Rebalancing(shards) if plan.consumers.rebalance and not waits else None
        self._move = move

    def look(self, now_ns: int, intake: IntakeStats, shards: Sequence[ShardStats]) -> None:
        """Take the newest figures in, and ask for what they call for."""
        if self._rebalancing is not None:
            for move in self._rebalancing.observe(now_ns, intake, shards):
                self._move(move.slots, move.to)
