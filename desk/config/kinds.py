"""The registry of feeds and brokers: every `kind` that a plan may name.

An entry names the factory class as text: every process reads the plan, but only the process that opens a feed imports
its class, in `desk.venues.registry`.

Tests: tests/desk/venues/test_registry.py
"""

from collections.abc import Mapping
from typing import Final, NamedTuple
from urllib.parse import urlsplit


class FeedName(NamedTuple):
    """One stream of a vendor: its address, what it delivers, and how late it is by design.

    `is_partial`: it has the trades of a part of the market only, so volumes are too low.
    """

    url: str
    about: str
    delay_s: float = 0.0
    is_partial: bool = False


class FeedKind(NamedTuple):
    """One kind of feed.

    `factory` is the path of its factory class, `keys` are the options of [feed] that not every kind takes, and
    `credentials` are the environment variables that it needs. A feed that `is_live` cannot be paused or read again. If
    it `has_days`, [session] date selects one. Scanners run on a live feed that `has_snapshots` of its market.
    `names` are the streams that [feed] name chooses from, the default first. `calendar` is the default of [session]
    calendar, if it is not the schema's. `channels` are those that not every kind has.
    """

    factory: str
    keys: frozenset[str]
    credentials: tuple[str, ...] = ()
    is_live: bool = False
    has_days: bool = False
    has_snapshots: bool = False
    names: Mapping[str, FeedName] = {}
    calendar: str = ""
    channels: frozenset[str] = frozenset()

    def feed_name(self, name: str, url: str) -> str:
        """The name of the stream: the given one, else the one at `url`, else the default; "" if `url` is another.

        A name is that of a `url` if only its address has the same path, or only its address has the same host.
        """
        if name or not url:
            return name or next(iter(self.names), "")
        try:
            found = urlsplit(url)
        except ValueError:  # reported as the url's fault
            return ""
        addresses = {each: urlsplit(stream.url) for each, stream in self.names.items()}
        same_path = [each for each, address in addresses.items() if address.path == found.path]
        same_host = [each for each, address in addresses.items() if address.hostname == found.hostname]
        return next((each[0] for each in (same_path, same_host) if len(each) == 1), "")


ALPACA: Final = "wss://stream.data.alpaca.markets"
ALPACA_STOCKS: Final = {
    "iex": FeedName(f"{ALPACA}/v2/iex", "the exchange IEX alone, a few per cent of the US volume", is_partial=True),
    "sip": FeedName(f"{ALPACA}/v2/sip", "all US exchanges (SIP)"),
    "delayed_sip": FeedName(f"{ALPACA}/v2/delayed_sip", "all US exchanges (SIP)", delay_s=900.0),
    "test": FeedName(f"{ALPACA}/v2/test", "made-up test data of the vendor"),
}
ALPACA_CRYPTO: Final = {
    "us": FeedName(f"{ALPACA}/v1beta3/crypto/us", "Alpaca's crypto venue alone", is_partial=True),
}
POLYGON: Final = {
    "realtime": FeedName("wss://socket.massive.com/stocks", "all US exchanges (SIP)"),
    "delayed": FeedName("wss://delayed.massive.com/stocks", "all US exchanges (SIP)", delay_s=900.0),
    "polygon": FeedName("wss://socket.polygon.io/stocks", "all US exchanges (SIP)"),
    "polygon_delayed": FeedName("wss://delayed.polygon.io/stocks", "all US exchanges (SIP)", delay_s=900.0),
}
"""The same streams under the vendor's new host names and under the old ones."""

FEED_KINDS: Final[dict[str, FeedKind]] = {
    "tape": FeedKind("desk.venues.recorded:TapeFactory", frozenset({"path", "speed"}), has_days=True),
    "synthetic": FeedKind("desk.venues.recorded:SyntheticFactory", frozenset({"speed", "synthetic"})),
    "alpaca": FeedKind(
        "desk.venues.alpaca.market.factory:AlpacaFactory",
        frozenset({"url", "allow_plain", "name", "rest_url", "scanned", "connections"}),
        ("ALPACA_API_KEY", "ALPACA_SECRET_KEY"),
        is_live=True,
        has_snapshots=True,
        names=ALPACA_STOCKS,
        channels=frozenset({"bars", "updatedBars", "statuses", "lulds"}),
    ),
    "alpaca_crypto": FeedKind(
        "desk.venues.alpaca.crypto.factory:CryptoFactory",
        frozenset({"url", "allow_plain", "name"}),
        ("ALPACA_API_KEY", "ALPACA_SECRET_KEY"),
        is_live=True,
        names=ALPACA_CRYPTO,
        calendar="24/7",
        channels=frozenset({"orderbooks"}),
    ),
    "polygon": FeedKind(
        "desk.venues.polygon.factory:PolygonFactory",
        frozenset({"url", "allow_plain", "name", "rest_url"}),
        ("POLYGON_API_KEY",),
        is_live=True,
        names=POLYGON,
    ),
    "json": FeedKind(
        "desk.venues.json.factory:JsonFactory",
        frozenset({"url", "allow_plain", "key_env", "headers", "subscribe", "unsubscribe", "map"}),
        is_live=True,
    ),
}

BROKER_KINDS: Final[dict[str, str]] = {"simulated": "desk.venues.simulated:SimulatedVenue"}

CONNECTORS: Final = tuple(name for name, kind in FEED_KINDS.items() if kind.is_live)
"""Values of DATA_CONNECTOR."""
