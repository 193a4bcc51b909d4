"""The keeper's store: the last checkpoint of every shard, and every closed bar."""

from desk.checkpoint.store import KeeperStore

__all__ = ["KeeperStore"]
