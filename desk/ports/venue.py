"""Where approved orders go."""

from typing import Protocol

from desk.model.orders import OrderKind


class Venue(Protocol):
    """Where approved orders go: what it can do, and how it is told."""

    simulated: bool
    kinds: frozenset[OrderKind]
