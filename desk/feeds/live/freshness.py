"""The last proof that a live feed misses nothing, and what the feed's state makes of it.

Tests: tests/desk/venues/alpaca/test_freshness.py
"""

from desk.feeds.live.outages import FeedOutages
from desk.feeds.live.session_clock import SessionClock
from desk.model.feed_health import Freshness
from desk.model.units import SECOND_NS
from desk.streams.socket_loop import SILENT, SocketLoop
from desk.streams.stream_protocol import StreamProtocol


class FreshnessTracker:
    """Remembers when the last message or pong came of what was handed over. Times are wall times.

    The one place that says whether a live feed counts as up.
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
        """Nothing can be missed before this time."""
        self._proof_ns = wall_ns

    def note(self) -> None:
        """What was read so far is handed over before the next mark; under a subscription nothing is missing of it."""
        if self._socket.open and self._protocol.settled:
            self._proof_ns = self._socket.proof_ns

    def at(self, wall_ns: int) -> Freshness:
        """How far what was handed over can be trusted at this time."""
        outages, silent_ns = self._outages, max(0, wall_ns - self._proof_ns)
        if outages.down_from_ns is None or (self._session.ended and outages.is_farewell(wall_ns)):
            is_silent = silent_ns >= self._socket.timeout_ns
            why = f"{SILENT} for {silent_ns / SECOND_NS:,.0f} s" if is_silent else self._session.silence.why
        else:
            why = "the subscription is not acknowledged" if self._socket.open else "the feed is down"
        return Freshness(why, silent_ns)
