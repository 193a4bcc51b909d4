"""Ports with `settle`: wait later for everything that was sent without waiting.

Tests: tests/actors/test_plain_actors.py
"""

from typing import Protocol

from desk.ports import ShardBroker, ShardKeeper


class SettlingBroker(ShardBroker, Protocol):
    """A broker port that tracks its pending requests."""

    def settle(self) -> None:
        """Wait until everything submitted is decided and delivered. Raises ActorDied."""
        ...


class SettlingKeeper(ShardKeeper, Protocol):
    """A keeper port that tracks its pending checkpoints."""

    def settle(self) -> None:
        """Wait until everything sent is saved. Raises ActorDied."""
        ...


class ProducerPort(Protocol):
    """The port that delivers order events to the producer."""

    def deliver(self, events: bytes) -> None:
        """Deliver encoded order events; on return they are in the producer's inbox."""
        ...
