"""Flow control between the producer and one shard: the routing table, and the lane with its bounds and counts."""

from desk.flow.held_counts import HeldCounts
from desk.flow.lane import Lane
from desk.flow.lane_config import LaneConfig

__all__ = ["HeldCounts", "Lane", "LaneConfig"]
