"""Pure decisions from loads: the number of shards, and the assignment of slots to shards."""

from desk.scaling.balance import SlotMove
from desk.scaling.even_assignment import assign_evenly
from desk.scaling.planner import MovePlanner, PlannerState, by_slot, plan_moves
from desk.scaling.policy import ScalingPolicy, ScalingReading, decide
from desk.scaling.policy_state import PolicyState
from desk.scaling.shard_choice import ShardChanges, choose_changes

__all__ = [
    "MovePlanner",
    "PlannerState",
    "PolicyState",
    "ScalingPolicy",
    "ScalingReading",
    "ShardChanges",
    "SlotMove",
    "assign_evenly",
    "by_slot",
    "choose_changes",
    "decide",
    "plan_moves",
]
