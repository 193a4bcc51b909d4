"""The keeper's store: the last checkpoint of every shard, and every bar that shards have closed."""

from desk.checkpoint.store import KeeperStore

__all__ = ["KeeperStore"]
