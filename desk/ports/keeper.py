"""The keeper of checkpoints as its callers see it: what is saved is not waited for, and is kept in its order.

The names say which part of a process holds the port: a shard writes, its wiring reads first. Every call raises
ActorDied where no successor of the keeper comes.
"""

from collections.abc import Iterable
from typing import Protocol

from desk.model.bars import Bar
from desk.model.checkpoint import Checkpoint, ProducerState


class CheckpointWriter(Protocol):
    """Takes a shard's checkpoints. Raises RunFailed of an earlier one: damaged files, or a disk that takes no more."""

    def save(self, number: int, checkpoint: bytes) -> None:
        """Keep an encoded checkpoint, whose number it is."""
        ...

    def confirmed(self) -> int:
        """The number of the last checkpoint, of those given here, that is known to be kept; 0 before the first."""
        ...


class ShardKeeper(CheckpointWriter, Protocol):
    """Also has what a shard starts from. Raises RunFailed where the files are damaged."""

    def latest(self, shard: int) -> Checkpoint | None:
        """The shard's last checkpoint, waited for."""
        ...

    def bars(self, symbols: Iterable[str]) -> list[Bar]:
        """The final version of every kept minute of these symbols, over all shards, waited for; in no set order."""
        ...


class StateWriter(Protocol):
    """Takes the producer's states. Raises RunFailed of an earlier one: damaged files, or a disk that takes no more."""

    def save_producer(self, state: bytes) -> None:
        """Keep an encoded producer state in the place of the last."""
        ...


class ProducerKeeper(StateWriter, Protocol):
    """Also has what a producer starts from. Raises RunFailed where the files are damaged."""

    def producer(self) -> ProducerState | None:
        """The last producer state, waited for."""
        ...
