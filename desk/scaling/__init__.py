"""How many shards there should be, and which slots belong to which shard: pure decisions, from loads."""

from desk.scaling.balance import SlotMove
from desk.scaling.dealing import deal
from desk.scaling.planner import Planner, PlannerState, by_slot, plan
from desk.scaling.policy import Policy, Reading, decide
from desk.scaling.policy_state import PolicyState
from desk.scaling.staffing import Staffing, staff

__all__ = [
    "Planner",
    "PlannerState",
    "Policy",
    "PolicyState",
    "Reading",
    "SlotMove",
    "Staffing",
    "by_slot",
    "deal",
    "decide",
    "plan",
    "staff",
]
