"""All connected clients, and the free connections of each endpoint.

Tests: tests/desk/local_venue/test_local_venue_server.py
"""

import asyncio

from desk.local_venue.client import Client


class ClientRegistry:
    """Clients in the order of their admission. `changed` is set when a client subscribes, connects or disconnects.

    `opened` counts the connections so far, also those that were refused.
    """

    def __init__(self, connection_limit: int | None) -> None:
        self.clients: list[Client] = []
        self.dropped = 0
        self.sent_before = 0
        self.opened = 0
        self.changed = asyncio.Event()
        self._limit = connection_limit
        self._places: dict[str, int] = {}

    def admit(self, endpoint: str) -> bool:
        """Take one of the endpoint's connections; False if none is left."""
        taken = self._places.get(endpoint, 0)
        if self._limit is not None and taken >= self._limit:
            return False
        self._places[endpoint] = taken + 1
        return True

    def join(self, client: Client) -> None:
        """Add a client: it receives events from now on."""
        self.clients.append(client)
        self.changed.set()

    def leave(self, client: Client) -> None:
        """Remove a disconnected client, and free its connection."""
        if client.protocol.authenticated:
            self._places[client.protocol.endpoint] -= 1
        if client in self.clients:
            self.clients.remove(client)
        self.dropped += client.dropped
        self.sent_before += client.sent
        self.changed.set()

    async def subscribed(self, count: int) -> None:
        """Wait until `count` clients have a subscription."""
        while sum(client.ready for client in self.clients) < count:
            self.changed.clear()
            await self.changed.wait()
