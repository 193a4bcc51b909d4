"""Flow control between the producer and one shard: bounded, batched, counted, kept until it is durable."""

from desk.flow.config import LaneConfig
from desk.flow.lane import Lane

__all__ = ["Lane", "LaneConfig"]
