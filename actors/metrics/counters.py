"""The interface to which an actor exports its metrics.

Tests: tests/actors/test_on_ray.py
"""

from collections.abc import Callable, Mapping
from typing import Protocol


class ActorMetrics(Protocol):
    """Exports totals and momentary values by name; called at most once per second, never per tick.

    `node` is the id of the actor's node, "" outside of a cluster.
    """

    node: str

    def totals(self, values: Mapping[str, float]) -> None:
        """Set counters to these totals."""
        ...

    def levels(self, values: Mapping[str, float]) -> None:
        """Set gauges."""
        ...


class NoMetrics:
    """Ignores all metrics: for actors that run outside a cluster."""

    def __init__(self, actor: str) -> None:
        self.actor = actor
        self.node = ""

    def totals(self, values: Mapping[str, float]) -> None:
        """Do nothing."""

    def levels(self, values: Mapping[str, float]) -> None:
        """Do nothing."""


MetersFactory = Callable[[str], ActorMetrics]
