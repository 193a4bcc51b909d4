"""The registry of feeds and brokers: every `kind` that a plan may name, a line each.

A line says where the class is that makes a feed or venue of this kind, as text: plans are read in every process, and
only the one that opens a feed imports what it needs. `desk.venues.registry` imports the classes.

Tests: tests/desk/venues/test_registry.py
"""

from typing import Final, NamedTuple


class FeedKind(NamedTuple):
    """One kind of feed: the path of its factory's class, and what a plan may say of it.

    `keys` are the options of [feed] that are not for every kind, `credentials` the variables of the environment that
    it needs. `is_live`: a stream, which cannot wait and cannot be read again. `has_days`: [session] date chooses one.
    """

    factory: str
    keys: frozenset[str]
    credentials: tuple[str, ...] = ()
    is_live: bool = False
    has_days: bool = False


FEED_KINDS: Final[dict[str, FeedKind]] = {
    "tape": FeedKind("desk.venues.recorded:TapeFactory", frozenset({"path", "speed"}), has_days=True),
    "synthetic": FeedKind("desk.venues.recorded:SyntheticFactory", frozenset({"speed", "synthetic"})),
    "alpaca": FeedKind(
        "desk.venues.alpaca.market.factory:AlpacaFactory",
        frozenset({"url", "allow_plain"}),
        ("ALPACA_API_KEY", "ALPACA_SECRET_KEY"),
        is_live=True,
    ),
}

BROKER_KINDS: Final[dict[str, str]] = {"simulated": "desk.venues.simulated:SimulatedVenue"}

CONNECTORS: Final = tuple(dict.fromkeys([*(name for name, kind in FEED_KINDS.items() if kind.is_live), "polygon"]))
"""What DATA_CONNECTOR may name. A name without a kind is refused with its reason when a plan is read."""
