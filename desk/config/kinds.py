"""The registry of feeds and brokers: every `kind` that a plan may name.

An entry names the factory class as text: every process reads the plan, but only the process that opens a feed imports
its class, in `desk.venues.registry`.

Tests: tests/desk/venues/test_registry.py
"""

from typing import Final, NamedTuple


class FeedKind(NamedTuple):
    """One kind of feed.

    `factory` is the path of its factory class, `keys` are the options of [feed] that not every kind takes, and
    `credentials` are the environment variables that it needs. A feed that `is_live` cannot be paused or read again. If
    it `has_days`, [session] date selects one.
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
        frozenset({"url", "allow_plain", "connections"}),
        ("ALPACA_API_KEY", "ALPACA_SECRET_KEY"),
        is_live=True,
    ),
}

BROKER_KINDS: Final[dict[str, str]] = {"simulated": "desk.venues.simulated:SimulatedVenue"}

CONNECTORS: Final = tuple(dict.fromkeys([*(name for name, kind in FEED_KINDS.items() if kind.is_live), "polygon"]))
"""Values of DATA_CONNECTOR. `override` rejects a name that is not a kind of feed in this release."""
