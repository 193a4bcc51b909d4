"""Flow control between the producer and one shard: bounded, batched, counted."""

from desk.flow.lane import Lane, LaneConfig

__all__ = ["Lane", "LaneConfig"]
