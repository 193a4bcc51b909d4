"""Opens a JSON stream for a plan.

Tests: tests/desk/venues/test_registry.py
"""

from collections.abc import Sequence

from pydantic import SecretStr

from desk.config import Plan
from desk.feeds.live.socket_feed import SocketFeed
from desk.model.block_rows import BlockFeedCounts
from desk.model.feed_position import FeedPosition
from desk.venues.feed_factory import LiveFactory, LiveSetup
from desk.venues.json.protocol import JsonProtocol
from desk.venues.socket_feeds import open_socket_feed, stream_place


class JsonFactory(LiveFactory):
    """Opens the stream that the plan describes."""

    def open(self, plan: Plan, keys: Sequence[SecretStr], setup: LiveSetup, resume: FeedPosition | None) -> SocketFeed:
        """Make the feed, which is not connected yet."""
        counts = BlockFeedCounts()
        protocol = JsonProtocol(
            plan.feed,
            keys[0].get_secret_value() if keys else "",
            place=stream_place("JSON stream", self.url(plan)),
            counts=counts,
            first_ordinal=setup.first_ordinal,
        )
        return open_socket_feed(self.url(plan), protocol, counts, plan, setup, resume)
