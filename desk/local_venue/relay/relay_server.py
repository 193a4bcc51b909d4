"""The relay as a server: one connection to the venue, and many clients on loopback, each with its own buffer.

Tests: tests/desk/local_venue/test_relay.py
"""

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from random import Random
from time import monotonic_ns
from typing import Final, Literal
from urllib.parse import urlsplit

import msgspec
from pydantic import SecretStr
from websockets.asyncio.client import ClientConnection
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed
from websockets.frames import CloseCode
from websockets.http11 import Request, Response

from desk.config.plan_urls import is_loopback
from desk.feeds.live.session_clock import clock_url
from desk.local_venue.client_registry import ClientRegistry
from desk.local_venue.client_subscription import CRYPTO_CHANNELS, STOCK_CHANNELS
from desk.local_venue.loopback_server import LoopbackServer, json_page, wants_msgpack
from desk.local_venue.relay.frame_parts import MessagePart
from desk.local_venue.relay.relay_client import RelayClient, RelayProtocol
from desk.local_venue.relay.subscriptions import ClientChange, UnionSubscription
from desk.local_venue.relay.upstream import UpstreamLost, check_error, open_upstream, read_frame, send
from desk.local_venue.venue_settings import CRYPTO_ENDPOINT, AccessRules
from desk.local_venue.venue_stats import ClientStats, client_stats
from desk.model.units import SECOND_NS
from desk.streams.connection_attempts import ConnectionAttempts
from desk.streams.http_get import http_get

MUTE_NS: Final = 30 * SECOND_NS
CHECK_S: Final = 0.05
REASON_BYTES: Final = 120
"""A close frame's reason has at most 123 bytes (RFC 6455, section 5.5)."""

UpstreamState = Literal["connecting", "up", "ended"]


@dataclass(frozen=True, slots=True)
class RelaySettings:
    """The venue's stream at `url` with its credentials, and the endpoint at which the relay serves it."""

    url: str
    key: SecretStr
    secret: SecretStr
    endpoint: str


class RelayStats(msgspec.Struct):
    """The figures of a relay. `why` is the reason of the last loss; `subscribed` counts symbols by channel."""

    state: UpstreamState
    why: str
    connections: int
    received: int
    sent: int
    dropped_clients: int
    subscribed: dict[str, int]
    clients: list[ClientStats]


class RelayServer(LoopbackServer[RelayClient]):
    """Listens while entered; `run` keeps the connection to the venue.

    While the venue's connection is lost, no client is connected: each is closed with code 1013 and the reason, and new
    ones are refused with HTTP status 503. So an outage of the venue reaches every client as one of its own connection.
    """

    def __init__(self, settings: RelaySettings, rules: AccessRules, port: int = 0, rng: Random | None = None) -> None:
        super().__init__(rules, port, compression=None)
        self.state: UpstreamState = "connecting"
        self.why = ""
        self.received = 0
        self.connections = 0
        self._settings = settings
        self._registry = ClientRegistry(rules.connection_limit)
        self._connected: set[RelayClient] = set()
        channels = CRYPTO_CHANNELS if settings.endpoint == CRYPTO_ENDPOINT else STOCK_CHANNELS
        self._union = UnionSubscription(channels, self._connected)
        self._attempts = ConnectionAttempts(rng or Random())  # noqa: S311  waits need no secrecy
        self._upstream: ClientConnection | None = None
        self._requests = asyncio.Event()
        self._message_ns = 0
        self._silence = ""

    @property
    def endpoint(self) -> str:
        """The path of the stream that clients connect to."""
        return self._settings.endpoint

    @property
    def stats(self) -> RelayStats:
        """The figures now."""
        clients = self._registry.clients
        return RelayStats(
            state=self.state,
            why=self.why,
            connections=self.connections,
            received=self.received,
            sent=self._registry.sent_before + sum(client.sent for client in clients),
            dropped_clients=self._registry.dropped + sum(client.dropped for client in clients),
            subscribed={channel: len(symbols) for channel, symbols in self._union.granted.items() if symbols},
            clients=list(map(client_stats, clients)),
        )

    async def run(self) -> None:
        """Keep the connection to the venue, until cancelled. Raises CredentialsError if the venue refuses the keys."""
        try:
            while True:
                while not self._attempts.is_due(monotonic_ns()):  # noqa: ASYNC110  time is no event
                    await asyncio.sleep(CHECK_S)
                self._attempts.begin(monotonic_ns())
                try:
                    await self._connect()
                except UpstreamLost as error:
                    self._lose(self._silence or str(error))
                self._attempts.ended(monotonic_ns())
        finally:
            self._lose("the relay ends")
            self.state = "ended"

    async def _connect(self) -> None:
        settings = self._settings
        async with open_upstream(settings.url, settings.key, settings.secret) as upstream:
            self._upstream = upstream
            self.state = "up"
            self.connections += 1
            self._message_ns = monotonic_ns()
            self._silence = ""
            sending = asyncio.create_task(self._send_requests(upstream))
            try:
                async for frame in upstream:
                    self._pass_on(read_frame(frame))
                raise UpstreamLost(f"the venue closed the connection ({upstream.close_code})")
            finally:
                self._upstream = None
                sending.cancel()
                await asyncio.wait([sending])

    def _pass_on(self, parts: list[MessagePart]) -> None:
        """Forward a frame to the clients; answer what it answers."""
        self._message_ns = monotonic_ns()
        data = [part for part in parts if part.channel]
        if data:
            self.received += len(data)
            self._attempts.delivered(self._message_ns)
            for client in self._registry.clients:
                client.forward(data, self._rules.buffer_bytes)  # type: ignore[attr-defined]
        if len(data) < len(parts):
            for part in parts:
                self._on_control(part)

    def _on_control(self, part: MessagePart) -> None:
        head = part.head
        check_error(head, self._settings.url)
        if head.kind == "subscription":
            self._union.acknowledge(part.subscription())
        elif head.kind == "error":
            self._union.refuse(head.code)
        else:
            return
        self._answer_changes()

    def _answer_changes(self) -> None:
        """Answer the changes that are decided, before data that follow the venue's answer are forwarded."""
        for change in self._union.answered():
            client = change.client
            if change.code:
                reply = client.protocol.error(change.code)
            else:
                granted = self._union.granted_of(change.asked)
                reply = client.relay_protocol.answer_change(change.asked, granted, adding=change.adding)
                client.resubscribed()
            if client.listening:
                client.send_payload(reply.data)
        self._requests.set()

    async def _send_requests(self, upstream: ClientConnection) -> None:
        with suppress(ConnectionClosed):
            while True:
                self._requests.clear()
                if (request := self._union.request()) is not None:
                    await send(upstream, **request)
                await self._requests.wait()

    def _lose(self, why: str) -> None:
        """Close every client: the connection to the venue is lost."""
        self.state, self.why = "connecting", why
        self._union.reset()
        reason = f"relay: {why}".encode()[:REASON_BYTES].decode(errors="ignore")
        for client in tuple(self._connected):
            client.close(CloseCode.TRY_AGAIN_LATER, reason)

    def _new_client(self, connection: ServerConnection) -> RelayClient:
        endpoint = self.endpoint
        protocol = RelayProtocol(
            self._rules, endpoint, wants_msgpack(connection), lambda: self._registry.admit(endpoint)
        )
        client = RelayClient(connection, protocol)
        self._connected.add(client)
        return client

    async def _converse(self, client: RelayClient) -> None:
        self._registry.join(client)
        async for message in client.connection:
            await client.send_reply(client.protocol.receive(message))
            if (change := client.relay_protocol.take_change()) is not None:
                self._union.ask(ClientChange(client, *change))
                self._answer_changes()

    def _leave(self, client: RelayClient) -> None:
        """Remove a client. If the venue has long been silent, its connection is replaced: the client may know why."""
        self._connected.discard(client)
        self._registry.leave(client)
        self._union.leave(client)
        self._requests.set()
        upstream = self._upstream
        silent_ns = monotonic_ns() - self._message_ns
        if upstream is not None and any(self._union.granted.values()) and silent_ns >= MUTE_NS:
            self._silence = f"the venue sent nothing for {silent_ns // SECOND_NS} s"
            upstream.transport.abort()

    async def _answer_plain(self, connection: ServerConnection, request: Request) -> Response | None:
        """The pages for plain HTTP, and the refusal of clients while the venue's connection is lost."""
        path = request.path.partition("?")[0]
        if path == self.endpoint and self.state == "up":
            return None
        if path == self.endpoint:
            return connection.respond(HTTPStatus.SERVICE_UNAVAILABLE, f"the venue is not connected: {self.why}\n")
        if path == "/stats":
            return json_page(connection, msgspec.json.encode(self.stats))
        if path == "/clock" and is_loopback(urlsplit(self._settings.url).hostname or ""):
            try:
                return json_page(connection, await http_get(clock_url(self._settings.url)))
            except (OSError, ValueError) as error:
                return connection.respond(HTTPStatus.BAD_GATEWAY, f"the venue's clock: {error}\n")
        found = f"{path} does not exist; use one of {self.endpoint}, /stats, and /clock of a venue on this machine\n"
        return connection.respond(HTTPStatus.NOT_FOUND, found)
