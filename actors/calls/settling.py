"""Doors that can be waited for: what an actor sent without waiting, it can settle later.

Tests: tests/actors/test_plain_actors.py
"""

from typing import Protocol

from desk.ports import ShardBroker, ShardKeeper


class SettlingBroker(ShardBroker, Protocol):
    """A broker door that knows what it has under way."""

    def settle(self) -> None:
        """Return once everything submitted is decided and delivered. Raises ActorDied."""
        ...


class SettlingKeeper(ShardKeeper, Protocol):
    """A letter box that knows what it has under way."""

    def settle(self) -> None:
        """Return once everything sent is kept. Raises ActorDied."""
        ...


class ProducerPort(Protocol):
    """The way to the producer's lanes for order events."""

    def deliver(self, events: bytes) -> None:
        """Hand encoded order events over; they are in the producer's inbox when this returns."""
        ...
