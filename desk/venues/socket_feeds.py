"""Feeds of stream protocols for a plan: the part that does not depend on the venue.

Tests: tests/desk/venues/test_registry.py
"""

from urllib.parse import urlsplit

from desk.config import Plan
from desk.feeds.live.session_clock import RealSession, VenueSession, clock_url
from desk.feeds.live.socket_feed import SocketFeed
from desk.model.block_rows import BlockFeedCounts
from desk.model.feed_position import FeedPosition
from desk.model.units import SECOND_NS
from desk.streams.stream_protocol import StreamProtocol
from desk.venues.feed_factory import LiveSetup


def stream_place(what: str, url: str) -> str:
    """The name of a stream in messages: without user, port and options of its address."""
    parts = urlsplit(url)
    return f"{what} {parts.scheme}://{parts.hostname}{parts.path}"


def open_socket_feed(
    url: str,
    protocol: StreamProtocol,
    counts: BlockFeedCounts,
    plan: Plan,
    setup: LiveSetup,
    resume: FeedPosition | None,
) -> SocketFeed:
    """The protocol's feed for the plan's session, which is not connected yet; `counts` are those of the protocol."""
    session, clock = setup.session, setup.clock
    is_real = plan.session.clock == "real"
    return SocketFeed(
        url,
        protocol,
        counts,
        clock=clock,
        session=RealSession(clock, protocol.place) if is_real else VenueSession(clock_url(url), clock),
        start_ns=session.start_ns,
        stop_ns=session.stop_ns,
        hours=session.hours,
        is_open=setup.is_open,
        resume=resume,
        timeout_ns=round(plan.guards.feed_timeout_s * SECOND_NS),
    )
