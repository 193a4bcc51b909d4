"""The shards to start and stop when their desired number changes."""

from collections import Counter
from collections.abc import Collection, Mapping

import msgspec


class ShardChanges(msgspec.Struct, frozen=True):
    """Shards by number: `start` and `stop`, `keep` those that were leaving, and `cancel` pending starts."""

    start: tuple[int, ...] = ()
    keep: tuple[int, ...] = ()
    cancel: tuple[int, ...] = ()
    stop: tuple[int, ...] = ()


def choose_changes(
    wanted: int, nodes: Mapping[int, str], pending: Collection[int], leaving: Collection[int], home: str
) -> ShardChanges:
    """The changes after which the staying and pending shards are `wanted` (1 or more).

    `nodes` are the nodes of the working shards, including those that are `leaving`. Leaving shards are kept before new
    ones are started, lowest numbers first; pending ones are cancelled before others are stopped. Shards stop first on
    the node with the fewest shards, so that nodes become idle, and last on `home`, which the control actors keep busy
    anyway; then by highest number. At least one working shard stays.
    """
    staying = [shard for shard in nodes if shard not in leaving]
    lacking = wanted - len(staying) - len(pending)
    if lacking > 0:
        recall = tuple(sorted(set(leaving) & set(nodes))[:lacking])
        taken = {*nodes, *pending, *leaving}
        free = (number for number in range(len(taken) + lacking) if number not in taken)
        return ShardChanges(keep=recall, start=tuple(next(free) for _ in range(lacking - len(recall))))
    cancel = tuple(sorted(pending, reverse=True)[:-lacking]) if lacking else ()
    surplus = min(-lacking - len(cancel), len(staying) - 1)
    gone: list[int] = []
    for _ in range(surplus):
        crowd = Counter(nodes[shard] for shard in staying if shard not in gone)
        rest = [shard for shard in staying if shard not in gone]
        gone.append(min(rest, key=lambda shard: (nodes[shard] == home, crowd[nodes[shard]], -shard)))
    return ShardChanges(cancel=cancel, stop=tuple(gone))
