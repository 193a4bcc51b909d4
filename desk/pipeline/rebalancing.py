"""When slots should move, by what the shards tell: once a second, while the market does not wait."""

from collections.abc import Sequence
from typing import Final

from desk.model.units import SECOND_NS
from desk.pipeline.intake_stats import IntakeStats
from desk.pipeline.shard import ShardStats
from desk.routing import RoutingTable
from desk.scaling import Planner, PlannerState, SlotMove, deal, plan

OBSERVE_NS: Final = SECOND_NS
LEAST_BUSY: Final = 0.05
"""A desk whose busiest shard works less than this part of the time gains nothing by moves."""


class Rebalancing:
    """From figures to moves. A slot's load are its ticks since the observation before.

    Shards that shall own nothing are emptied. With `level` the others are levelled out by load; else those that own
    nothing are given slots by number, and nothing more.

    While a move is under way, or a shard's successor is waited for, nothing is observed: figures would be of two
    tables. The clock is the caller's.
    """

    def __init__(self, planner: Planner | None = None, *, level: bool = True) -> None:
        self._planner = planner or Planner()
        self._level = level
        self._state = PlannerState()
        self._seen_ns: int | None = None
        self._ticks: dict[int, dict[int, int]] = {}
        self._busy_ns: dict[int, int] = {}

    def observe(
        self, now_ns: int, intake: IntakeStats, shards: Sequence[ShardStats], staying: Sequence[int]
    ) -> list[SlotMove]:
        """The moves that these figures call for; none within OBSERVE_NS of the observation before.

        `staying` are the shards that may own slots, one at least; whoever else does is emptied.
        """
        if self._seen_ns is not None and now_ns - self._seen_ns < OBSERVE_NS:
            return []
        if intake.moving or intake.waiting or len(intake.owners) == 0 or not staying:
            return []
        passed_ns = None if self._seen_ns is None else now_ns - self._seen_ns
        self._seen_ns = now_ns
        loads = self._loads(shards)
        busiest_ns = max((self._busy_since(stats) for stats in shards), default=0)
        emptied = not set(intake.owners) <= set(staying)
        if not emptied and not self._level:
            return deal(intake.owners, staying)
        idle = passed_ns is None or not loads or busiest_ns < LEAST_BUSY * passed_ns
        if idle and not emptied:
            return []
        table = RoutingTable(intake.table_version, tuple(intake.owners))
        moves, self._state = plan(self._planner, self._state, loads, table, staying)
        return moves

    def _loads(self, shards: Sequence[ShardStats]) -> dict[int, float]:
        loads: dict[int, float] = {}
        for stats in shards:
            before = self._ticks.get(stats.shard, {})
            for slot, ticks in stats.slot_ticks.items():
                # Fewer than before are those of a successor, which counts anew.
                grown = ticks - before.get(slot, 0) if ticks >= before.get(slot, 0) else ticks
                if grown:
                    loads[slot] = loads.get(slot, 0.0) + grown
            self._ticks[stats.shard] = stats.slot_ticks
        return loads

    def _busy_since(self, stats: ShardStats) -> int:
        grown_ns = stats.busy_ns - self._busy_ns.get(stats.shard, 0)
        self._busy_ns[stats.shard] = stats.busy_ns
        return max(grown_ns, 0)
