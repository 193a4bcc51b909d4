"""What happens to a live feed's connection: outages, silence, rejected symbols, and the totals of all that.

Tests: tests/desk/feeds/live/test_feed_outages.py, tests/desk/venues/alpaca/test_alpaca_feed.py
"""

from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from desk.feeds.live.outages import RESTARTED, FeedOutages
from desk.feeds.live.refusals import refusal_notes
from desk.feeds.live.session_clock import SessionClock
from desk.model.feed_health import FeedHealth
from desk.model.notes import Note
from desk.model.units import SECOND_NS
from desk.ports import Clock
from desk.streams.socket_loop import SILENT, ConnectionEnd, SocketLoop
from desk.streams.stream_protocol import SelectiveStream, StreamProtocol

MUTE_S: Final = 30.0
USUAL_SILENCES: Final = 3
"""A silence is a fault if it is so many times as long as any that ended by itself."""
MAX_DOUBLINGS: Final = 6
MUTE: Final = "connected, and mute"


class ConnectionWatch:
    """Follows socket and protocol after every turn, and writes outages and totals.

    `before` holds the totals of earlier producers' feeds. A connection with a subscription that is mute for `mute_s`
    while the exchange is open is ended. Only silence within its hours counts: `is_open(session_ns)`, `delay_ns` later
    for a feed that is late by design. A quiet market must not be connected to for ever: each mute connection in a row
    doubles the limit, and it is at least USUAL_SILENCES times the longest silence that ended by itself.
    """

    def __init__(
        self,
        socket: SocketLoop,
        protocol: StreamProtocol,
        outages: FeedOutages,
        session: SessionClock,
        clock: Clock,
        is_open: Callable[[int], bool],
        before: FeedHealth,
    ) -> None:
        self.mute_s = MUTE_S
        self.delay_ns = 0
        self._open_ns: int | None = None
        self._heard_ns = 0
        self._usual_ns = 0
        outages.health = msgspec.structs.replace(before, up=False)
        self._socket = socket
        self._protocol = protocol
        self._outages = outages
        self._session = session
        self._clock = clock
        self.is_open = is_open
        self._before = before
        self._notes: list[Note] = []

    @property
    def connected(self) -> bool:
        """Whether a connection is open and its subscription is acknowledged."""
        return self._socket.open and self._protocol.settled

    @property
    def reconnects(self) -> int:
        """The number of connections made after the first."""
        return self._socket.reconnects

    @property
    def last_end(self) -> str:
        """Why the last connection, or attempt to connect, ended; "" before that."""
        return self._socket.last_end

    @property
    def health(self) -> FeedHealth:
        """Totals of the connection, including those of earlier producers."""
        health, before, protocol = self._outages.health, self._before, self._protocol
        health.reconnects = before.reconnects + self._socket.reconnects
        health.slow_clients = before.slow_clients + protocol.slow_clients
        health.down_why = self._outages.first_why
        health.down_from_ns = self._outages.down_from_ns if health.down_why else None
        health.clock_silences = before.clock_silences + self._session.silence.count
        health.clock_why = self._session.silence.why
        health.encoding = protocol.encoding or before.encoding
        health.unknown = _sums(before.unknown, protocol.unknown)
        health.unmapped = _sums(before.unmapped, protocol.unmapped)
        if isinstance(protocol, SelectiveStream):
            health.dropped = before.dropped | protocol.dropped
            health.dropped_helpers = before.dropped_helpers | protocol.dropped_helpers
        return health

    def begin(self, session_ns: int, wall_ns: int, *, is_resumed: bool) -> None:
        """The feed begins without a subscription; a resumed one with the outage of its restart, or an earlier one."""
        down_from_ns, down_why = self._before.down_from_ns, self._before.down_why
        if not is_resumed:
            self._outages.begin(session_ns, wall_ns)
        elif down_from_ns is None:
            self._outages.begin(session_ns, wall_ns, RESTARTED)
        else:
            self._outages.begin(min(down_from_ns, session_ns), wall_ns, down_why)

    def end_mute(self, wall_ns: int) -> None:
        """End a connection that is mute although data are expected."""
        message_ns = self._socket.message_ns
        if not (self._protocol.listening and self._socket.open and self._expects_data(wall_ns)):
            self._open_ns = None
            return
        if self._open_ns is None:
            self._open_ns = self._heard_ns = message_ns if self._expects_data(message_ns) else wall_ns
        heard_ns = max(self._open_ns, message_ns)
        if heard_ns > self._heard_ns:
            self._usual_ns = max(self._usual_ns, heard_ns - self._heard_ns)
            self._heard_ns = heard_ns
        silent_ns, health = wall_ns - heard_ns, self._outages.health
        limit_ns = int(self.mute_s * SECOND_NS) << min(health.mutes_in_a_row, MAX_DOUBLINGS)
        if silent_ns >= max(limit_ns, USUAL_SILENCES * self._usual_ns):
            health.mutes += 1
            health.mutes_in_a_row += 1
            self._open_ns = None
            self._socket.hang_up(f"{MUTE} for {silent_ns / SECOND_NS:.0f} s")
            self._take_ends()

    def after_turn(self, wall_ns: int) -> None:
        """Note the changes of the last turn. Raises the DeskError that ends the feed."""
        protocol, outages = self._protocol, self._outages
        self._take_ends()
        if self._socket.fault is not None:
            raise self._socket.fault
        if outages.down_from_ns is not None and self.connected:
            outages.back(self._session.session_ns(wall_ns), wall_ns)
        outages.look(wall_ns, protocol.awaiting if self._socket.open else "", over=self._session.ended)
        self._notes += protocol.take_notes()
        if self.connected:
            self._note_refusals()
        if protocol.ticks:
            outages.health.mutes_in_a_row = 0

    def end(self, session_ns: int, wall_ns: int) -> None:
        """The feed ends: an outage ends with it. To be called before the socket is closed."""
        owed = self._protocol.awaiting if self._socket.open else ""
        self._outages.end(session_ns, wall_ns, owed, over=self._session.ended)

    def note(self, text: str) -> None:
        """Add a line for the log."""
        self._notes.append(Note(f"{self._protocol.place}: {text}"))

    def take_notes(self) -> list[Note]:
        """New lines for the log since the last call."""
        notes, self._notes = self._notes, []
        return notes + self._outages.take_notes()

    def _expects_data(self, wall_ns: int) -> bool:
        """Whether the exchange was open when data of this time were sent."""
        return self.is_open(self._session.session_ns(wall_ns) - self.delay_ns)

    def _take_ends(self) -> None:
        for end in self._socket.take_ends():
            self._on_end(end)

    def _on_end(self, end: ConnectionEnd) -> None:
        wall_ns, outages, reason = self._clock.wall_ns(), self._outages, end.reason
        if end.was_open and self._protocol.settled:  # subscribed, perhaps for less than a turn
            self._note_refusals()
            if outages.down_from_ns is not None:
                outages.back(self._session.session_ns(wall_ns), wall_ns)
        last_ns = self._socket.message_ns if reason.startswith(MUTE) else self._socket.proof_ns
        if self._socket.fault is not None:
            outages.fail(self._session.session_ns(last_ns), wall_ns, reason)
        elif outages.down_from_ns is None:
            outages.lost(self._session.session_ns(last_ns), last_ns if reason.startswith(SILENT) else wall_ns, reason)
        else:
            outages.failed(wall_ns, reason)
        if end.was_open:
            self._session.hurry()

    def _note_refusals(self) -> None:
        """Note changes of the symbols that the venue rejects, once the subscription is settled."""
        health, refused = self._outages.health, self._protocol.refused
        if refused != health.refused:
            self._notes += refusal_notes(self._protocol.place, health.refused, refused)
            health.refused = refused


def _sums(before: Mapping[str, int], now: Mapping[str, int]) -> dict[str, int]:
    return {name: before.get(name, 0) + now.get(name, 0) for name in sorted(before.keys() | now.keys())}
