"""Decides when slots move, from the shards' figures: once a second."""

from collections.abc import Sequence
from typing import Final

from desk.consumer.shard_stats import ShardStats
from desk.flow.routing_table import RoutingTable
from desk.model.units import SECOND_NS
from desk.producer.stats import LoopStats
from desk.scaling import MovePlanner, PlannerState, SlotMove, assign_evenly, plan_moves

OBSERVE_NS: Final = SECOND_NS
LEAST_BUSY: Final = 0.05
"""Below this busy fraction of the busiest shard a desk gains nothing by moves."""


class Rebalancing:
    """Turns figures into moves; a slot's load are its ticks since the previous observation.

    Shards that may not own slots are drained. With `level` the others are balanced by load; else shards without slots
    get their share by number, and nothing else moves. No observation is made while a move is under way or a shard
    restarts, because the figures would belong to two routing tables.
    """

    def __init__(self, planner: MovePlanner | None = None, *, level: bool = True) -> None:
        self._planner = planner or MovePlanner()
        self._level = level
        self._state = PlannerState()
        self._seen: LoopStats | None = None
        self._told_ns: dict[int, int] = {}
        self._ticks: dict[int, dict[int, int]] = {}

    def observe(self, loop: LoopStats, shards: Sequence[ShardStats], staying: Sequence[int]) -> list[SlotMove]:
        """The moves that follow from these figures; none within OBSERVE_NS of the previous observation.

        Also none until every shard has reported new figures; a busy one reports late. `staying` are the shards that may
        own slots, at least one; all others are drained.
        """
        before = self._seen
        if before is not None and loop.wall_ns - before.wall_ns < OBSERVE_NS:
            return []
        if loop.moving or loop.waiting or len(loop.owners) == 0 or not staying:
            return []
        told_ns = {stats.shard: stats.told_ns for stats in shards}
        if any(told_ns[shard] == self._told_ns.get(shard) for shard in told_ns):
            return []
        self._seen, self._told_ns = loop, told_ns
        loads = self._loads(shards)
        emptied = not set(loop.owners) <= set(staying)
        if not emptied and not self._level:
            return assign_evenly(loop.owners, staying)
        idle = before is None or not loads or _busiest(loop, before) < LEAST_BUSY
        if idle and not emptied:
            return []
        table = RoutingTable(loop.table_version, tuple(loop.owners))
        moves, self._state = plan_moves(self._planner, self._state, loads, table, staying)
        return moves

    def _loads(self, shards: Sequence[ShardStats]) -> dict[int, float]:
        loads: dict[int, float] = {}
        for stats in shards:
            before = self._ticks.get(stats.shard, {})
            for slot, ticks in stats.slot_ticks.items():
                # A restarted shard counts from 0.
                grown = ticks - before.get(slot, 0) if ticks >= before.get(slot, 0) else ticks
                if grown:
                    loads[slot] = loads.get(slot, 0.0) + grown
            self._ticks[stats.shard] = stats.slot_ticks
        return loads


def _busiest(loop: LoopStats, before: LoopStats) -> float:
    """The busy fraction of the busiest shard since then."""
    passed_ns = loop.wall_ns - before.wall_ns
    known_ns = {lane.shard: lane.busy_ns for lane in before.lanes}
    grown_ns = (lane.busy_ns - known_ns.get(lane.shard, 0) for lane in loop.lanes)
    return max(grown_ns, default=0) / passed_ns
