"""A client of the relay.

Tests: tests/desk/local_venue/test_relay.py
"""

from collections.abc import Callable, Sequence

from websockets.asyncio.server import ServerConnection

from desk.local_venue.client import Client
from desk.local_venue.client_subscription import ALL
from desk.local_venue.relay.frame_parts import MessagePart, join_parts
from desk.local_venue.server_protocol import Reply, ServerProtocol, Symbols
from desk.local_venue.venue_settings import AccessRules


class RelayProtocol(ServerProtocol):
    """Applies a change of the subscription only once the venue has answered it: until then `change` holds it."""

    def __init__(self, rules: AccessRules, endpoint: str, binary: bool, admit: Callable[[], bool]) -> None:
        super().__init__(rules, endpoint, binary, admit)
        self.change: tuple[Symbols, bool] | None = None

    def apply(self, asked: Symbols, *, adding: bool) -> Reply:
        """Keep the change; there is no answer yet."""
        self.change = asked, adding
        return Reply(b"")

    def take_change(self) -> tuple[Symbols, bool] | None:
        """The change that the last message asked for."""
        change, self.change = self.change, None
        return change

    def answer_change(self, asked: Symbols, granted: Symbols, *, adding: bool) -> Reply:
        """Apply the granted part of a change; returns the acknowledgement."""
        return super().apply(granted if adding else asked, adding=adding)


class RelayClient(Client):
    """Takes the subscribed ones of the venue's messages, in frames of its own encoding."""

    def __init__(self, connection: ServerConnection, protocol: RelayProtocol) -> None:
        super().__init__(connection, protocol, ())
        self.relay_protocol = protocol
        self._wanted: dict[str, frozenset[str]] = {}

    def resubscribed(self) -> None:
        """Apply the changed subscription."""
        subscription = self.protocol.subscription
        self._wanted = {
            channel: frozenset(subscription.symbols(channel)) for channel in subscription.channel_set.channels
        }

    def forward(self, parts: Sequence[MessagePart], limit_bytes: int) -> None:
        """Send the subscribed ones of these messages, or drop the client if too much would be buffered."""
        wanted = self._wanted
        chosen = []
        for part in parts:
            symbols = wanted.get(part.channel)
            if symbols and (part.head.symbol in symbols or ALL in symbols):
                chosen.append(part)
        if not chosen or not self.listening:
            return
        payload = join_parts(chosen, binary=self.protocol.binary)
        if self.buffered_bytes + len(payload) > limit_bytes:
            self.drop()
            return
        self.send_payload(payload)
        self.sent += len(chosen)
