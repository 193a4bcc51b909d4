"""A simple model of a shard: it applies batches, checkpoints, dies, and restarts from its last durable checkpoint."""

from copy import deepcopy
from dataclasses import dataclass, field

from desk.model.batch import Ack, LaneTotals, ShardPosition, decode_batch
from desk.model.items import GapItem, Item, Mark
from desk.model.ticks import Tick


class ShardDied(Exception):
    """The shard's process is gone."""


@dataclass
class State:
    """What a checkpoint holds."""

    source_epoch: int = 0
    seq: int = 0
    mark_ns: int = 0
    lane: LaneTotals = field(default_factory=LaneTotals)
    applied: list[Item] = field(default_factory=list)


class ModelShard:
    """`poison` are the ordinals of ticks that end it. `modest`: acks of parts name the last whole batch."""

    def __init__(self, poison: frozenset[int] = frozenset(), *, modest: bool = False) -> None:
        self.epoch = 1
        self.state = State()
        self.checkpoints: list[State] = []
        self.durable = State()
        self._poison = poison
        self._modest = modest

    def receive(self, payload: bytes) -> Ack:
        batch = decode_batch(payload)
        state = self.state
        if batch.epoch > state.source_epoch:
            state.source_epoch, state.seq = batch.epoch, 0
        if batch.seq > state.seq:
            for item in batch.items:
                if isinstance(item, Tick) and item.ordinal in self._poison:
                    raise ShardDied
                state.applied.append(item)
                if isinstance(item, Mark):
                    state.mark_ns = item.session_ns
            state.lane = batch.totals
            if not batch.more:
                state.seq = batch.seq
            if batch.checkpoint:
                self.checkpoint()
        named = state.seq if batch.more and self._modest else batch.seq
        durable_seq = self.durable.seq if self.durable.source_epoch == state.source_epoch else 0
        return Ack(5, self.epoch, named, state.mark_ns, 0, durable_seq=durable_seq)

    def checkpoint(self) -> None:
        self.checkpoints.append(deepcopy(self.state))

    def confirm(self, checkpoints: int) -> None:
        """The keeper confirms so many more of the checkpoints that were sent to it."""
        for _ in range(min(checkpoints, len(self.checkpoints))):
            self.durable = self.checkpoints.pop(0)

    def die(self) -> None:
        """Its successor begins as the last durable checkpoint."""
        self.epoch += 1
        self.checkpoints = []
        self.state = deepcopy(self.durable)

    def position(self) -> ShardPosition:
        state = self.state
        return ShardPosition(
            5, self.epoch, state.source_epoch, state.seq, state.mark_ns, self.durable.mark_ns, state.lane
        )


def gaps(items: list[Item]) -> list[GapItem]:
    return [item for item in items if isinstance(item, GapItem)]
