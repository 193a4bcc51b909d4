"""Opens Polygon's stock stream for a plan.

Tests: tests/desk/venues/test_registry.py
"""

from collections.abc import Sequence

from pydantic import SecretStr

from desk.config import Plan
from desk.feeds.live.socket_feed import SocketFeed
from desk.model.block_rows import BlockFeedCounts
from desk.model.feed_position import FeedPosition
from desk.venues.feed_factory import LiveFactory, LiveSetup
from desk.venues.market_history import MarketHistory
from desk.venues.polygon.protocol import PolygonProtocol
from desk.venues.socket_feeds import open_socket_feed, stream_place


class PolygonFactory(LiveFactory):
    """Opens Polygon's stream, or a venue that speaks its protocol."""

    def history(self, plan: Plan, keys: Sequence[SecretStr]) -> MarketHistory | None:
        """The history of all US exchanges."""
        from desk.venues.polygon.history import PolygonHistory, rest_url  # noqa: PLC0415 - imports requests

        (key,) = keys
        return PolygonHistory(rest_url(plan, self.url(plan)), key)

    def open(self, plan: Plan, keys: Sequence[SecretStr], setup: LiveSetup, resume: FeedPosition | None) -> SocketFeed:
        """Make the feed, which is not connected yet."""
        (key,) = keys
        counts = BlockFeedCounts()
        protocol = PolygonProtocol(
            key.get_secret_value(),
            place=stream_place("polygon stream", self.url(plan)),
            channels=plan.feed.channels,
            counts=counts,
            first_ordinal=setup.first_ordinal,
        )
        return open_socket_feed(self.url(plan), protocol, counts, plan, setup, resume)
