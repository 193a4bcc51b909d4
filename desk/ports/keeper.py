"""The keeper of checkpoints, for its callers. Writes are asynchronous and kept in order.

A shard or producer holds the writing port; its wiring reads first. Every call raises ActorDied if no successor of the
keeper starts.
"""

from collections.abc import Iterable
from typing import Protocol

from desk.model.bars import Bar
from desk.model.checkpoint import Checkpoint, ProducerState


class CheckpointWriter(Protocol):
    """Saves a shard's checkpoints. Raises RunFailed for an earlier one: damaged files, or a full disk."""

    def save(self, number: int, checkpoint: bytes) -> None:
        """Save an encoded checkpoint under this number."""
        ...

    def confirmed(self) -> int:
        """The highest number whose checkpoint is known to be saved; 0 before the first."""
        ...


class ShardKeeper(CheckpointWriter, Protocol):
    """Also reads the state from which a shard starts. Raises RunFailed if the files are damaged."""

    def latest(self, shard: int) -> Checkpoint | None:
        """Wait for the shard's last checkpoint."""
        ...

    def bars(self, symbols: Iterable[str]) -> list[Bar]:
        """Wait for the final version of every saved minute of these symbols, from all shards; unordered."""
        ...


class TickWriter(Protocol):
    """Records the ticks of a live feed. Raises RunFailed for earlier ones: a full disk."""

    def save_ticks(self, chunk: bytes) -> None:
        """Save an encoded `TickChunk`."""
        ...

    def unsaved_ticks(self) -> int:
        """The bytes of chunks that are not known to be saved."""
        ...

    def settle(self) -> None:
        """Wait until every chunk is saved."""
        ...


class StateWriter(Protocol):
    """Saves the producer's states. Raises RunFailed for an earlier one: damaged files, or a full disk."""

    def save_producer(self, state: bytes) -> None:
        """Save an encoded producer state; it replaces the last one."""
        ...


class ProducerKeeper(StateWriter, Protocol):
    """Also reads the state from which a producer starts. Raises RunFailed if the files are damaged."""

    def producer(self) -> ProducerState | None:
        """Wait for the last producer state."""
        ...
