"""Which slots should belong to which shard, by what they cost: pure decisions, from loads to moves."""

from desk.scaling.balance import SlotMove
from desk.scaling.planner import Planner, PlannerState, by_slot, plan

__all__ = ["Planner", "PlannerState", "SlotMove", "by_slot", "plan"]
