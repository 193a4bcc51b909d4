"""The counters that an actor exports, whoever takes them.

Tests: tests/actors/test_on_ray.py
"""

from collections.abc import Callable, Mapping
from typing import Protocol


class ActorMetrics(Protocol):
    """Takes running totals and momentary values by name; told at most once per second, never per tick.

    `node` is where the actor lives: the id of a node of the cluster, "" outside of one.
    """

    node: str

    def totals(self, values: Mapping[str, float]) -> None:
        """Counters, as what they stand at now."""
        ...

    def levels(self, values: Mapping[str, float]) -> None:
        """Gauges."""
        ...


class NoMetrics:
    """Takes everything and exports nothing: for actors that run outside a cluster."""

    def __init__(self, actor: str) -> None:
        self.actor = actor
        self.node = ""

    def totals(self, values: Mapping[str, float]) -> None:
        """Nothing to export to."""

    def levels(self, values: Mapping[str, float]) -> None:
        """Nothing to export to."""


MetersFactory = Callable[[str], ActorMetrics]
