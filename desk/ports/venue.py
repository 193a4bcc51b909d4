"""Where approved orders go."""

from typing import Protocol

from desk.model.orders import OrderKind


class Venue(Protocol):
    """The destination of approved orders: the order kinds that it supports, and its calls."""

    simulated: bool
    kinds: frozenset[OrderKind]
