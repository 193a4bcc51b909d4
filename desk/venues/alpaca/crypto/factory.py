"""Opens Alpaca's crypto stream for a plan.

Tests: tests/desk/venues/test_registry.py
"""

from collections.abc import Sequence

from pydantic import SecretStr

from desk.config import Plan
from desk.feeds.live.socket_feed import SocketFeed
from desk.model.block_rows import BlockFeedCounts
from desk.model.feed_position import FeedPosition
from desk.venues.alpaca.crypto.protocol import CryptoProtocol
from desk.venues.feed_factory import LiveFactory, LiveSetup
from desk.venues.socket_feeds import open_socket_feed, stream_place


class CryptoFactory(LiveFactory):
    """Opens Alpaca's crypto stream, or a venue that speaks its protocol."""

    def open(self, plan: Plan, keys: Sequence[SecretStr], setup: LiveSetup, resume: FeedPosition | None) -> SocketFeed:
        """Make the feed, which is not connected yet."""
        key, secret = (each.get_secret_value() for each in keys)
        counts = BlockFeedCounts()
        protocol = CryptoProtocol(
            key,
            secret,
            place=stream_place("alpaca crypto", self.url(plan)),
            channels=frozenset(plan.feed.channels),
            counts=counts,
            first_ordinal=setup.first_ordinal,
        )
        return open_socket_feed(self.url(plan), protocol, counts, plan, setup, resume)
