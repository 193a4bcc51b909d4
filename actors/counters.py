"""The counters that an actor exports, whoever takes them."""

from collections.abc import Callable, Mapping
from typing import Protocol


class Meters(Protocol):
    """Takes running totals and momentary values by name; told at most once per second, never per tick."""

    def totals(self, values: Mapping[str, float]) -> None:
        """Counters, as what they stand at now."""
        ...

    def levels(self, values: Mapping[str, float]) -> None:
        """Gauges."""
        ...


class NoMeters:
    """Takes everything and exports nothing: for actors that run outside a cluster."""

    def __init__(self, actor: str) -> None:
        self.actor = actor

    def totals(self, values: Mapping[str, float]) -> None:
        """Nothing to export to."""

    def levels(self, values: Mapping[str, float]) -> None:
        """Nothing to export to."""


MetersFactory = Callable[[str], Meters]
