"""Whether a live feed may be missing data, and since when.

Tests: tests/desk/venues/alpaca/test_freshness.py
"""

from desk.feeds.live.outages import FeedOutages
from desk.feeds.live.session_clock import SessionClock
from desk.model.feed_health import Freshness
from desk.model.units import SECOND_NS
from desk.streams.socket_loop import SILENT, SocketLoop
from desk.streams.stream_protocol import StreamProtocol


class FreshnessTracker:
    """The wall time of the last message or pong whose read was returned as a frame.

    The one place that decides whether a live feed counts as up.
    """

    def __init__(
        self, socket: SocketLoop, protocol: StreamProtocol, outages: FeedOutages, session: SessionClock
    ) -> None:
        self._socket = socket
        self._protocol = protocol
        self._outages = outages
        self._session = session
        self._proof_ns = 0

    def begin(self, wall_ns: int) -> None:
        """Begin at this time: no data before it can be missing."""
        self._proof_ns = wall_ns

    def note(self) -> None:
        """Note that all reads so far are returned before the next mark. It counts only under a subscription."""
        if self._socket.open and self._protocol.settled:
            self._proof_ns = self._socket.proof_ns

    def at(self, wall_ns: int) -> Freshness:
        """Whether data may be missing at this wall time, and how long the venue has been silent."""
        outages, silent_ns = self._outages, max(0, wall_ns - self._proof_ns)
        if outages.down_from_ns is None or (self._session.ended and outages.is_farewell(wall_ns)):
            is_silent = silent_ns >= self._socket.timeout_ns
            why = f"{SILENT} for {silent_ns / SECOND_NS:,.0f} s" if is_silent else self._session.silence.why
        else:
            why = "the subscription is not acknowledged" if self._socket.open else "the feed is down"
        return Freshness(why, silent_ns)
