"""Who comes and who goes when another number of shards is wanted."""

from collections import Counter
from collections.abc import Collection, Mapping

import msgspec


class ShardChanges(msgspec.Struct, frozen=True):
    """Shards by number, and what is to become of them.

    `start` are to be made, `keep` stay though they were to leave, `cancel` are not awaited any more, `stop` leave.
    """

    start: tuple[int, ...] = ()
    keep: tuple[int, ...] = ()
    cancel: tuple[int, ...] = ()
    stop: tuple[int, ...] = ()


def choose_changes(
    wanted: int, nodes: Mapping[int, str], pending: Collection[int], leaving: Collection[int], home: str
) -> ShardChanges:
    """What makes the shards that stay or are awaited as many as `wanted`, which is 1 or more.

    `nodes` are the nodes of the shards that work, those that are `leaving` among them. Those that were to leave are
    recalled before others are made, lowest numbers first; those awaited are given up before others are sent away.
    Away goes who is on the node with the fewest shards, so that nodes become idle, and on `home`, where the control
    actors keep the node busy, last; then the highest number. One that works always stays.
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
