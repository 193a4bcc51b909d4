"""The socket server of a venue: websockets and plain HTTP on one port of loopback.

Tests: tests/desk/local_venue/test_local_venue_server.py, tests/desk/local_venue/test_relay.py
"""

from abc import ABC, abstractmethod
from contextlib import suppress
from http import HTTPStatus
from typing import Any, Final, Generic, Self, TypeVar

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from desk.local_venue.client import Client
from desk.local_venue.venue_settings import MIB, AccessRules

MSGPACK_TYPE: Final = "application/msgpack"
CLOSE_TIMEOUT_S: Final = 2.0


C = TypeVar("C", bound=Client)


class LoopbackServer(ABC, Generic[C]):
    """Listens on 127.0.0.1 while entered; `port` 0 becomes the port that it got. `options` go to websockets."""

    def __init__(self, rules: AccessRules, port: int, **options: Any) -> None:
        self.port = port
        self._rules = rules
        self._options = options
        self._server: Server | None = None

    async def __aenter__(self) -> Self:
        self._server = await serve(
            self._serve_client,
            "127.0.0.1",
            self.port,
            process_request=self._answer_plain,
            write_limit=MIB,
            ping_timeout=None,  # the buffer limit detects slow clients (407), not a keepalive
            close_timeout=CLOSE_TIMEOUT_S,
            **self._options,
        )
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        await self._end_parts()
        await self._server.wait_closed()

    async def _end_parts(self) -> None:
        """End what works for the clients, once the server takes no more of them: nothing."""

    async def _serve_client(self, connection: ServerConnection) -> None:
        client = self._new_client(connection)
        try:
            with suppress(ConnectionClosed):
                await client.answer("greeting", client.protocol.greeting)
                if await client.authenticate(self._rules.auth_timeout_s):
                    await self._converse(client)
            await client.wait_closed()
        finally:
            self._leave(client)

    @abstractmethod
    def _new_client(self, connection: ServerConnection) -> C:
        """The client of a new connection."""

    @abstractmethod
    async def _converse(self, client: C) -> None:
        """Answer an authenticated client to its end."""

    @abstractmethod
    def _leave(self, client: C) -> None:
        """Remove a client whose connection is closed."""

    @abstractmethod
    async def _answer_plain(self, connection: ServerConnection, request: Request) -> Response | None:
        """Answer a request of plain HTTP; None continues with a stream's handshake."""


def wants_msgpack(connection: ServerConnection) -> bool:
    """Whether the connect headers ask for MessagePack."""
    return connection.request is not None and connection.request.headers.get("Content-Type", "") == MSGPACK_TYPE


def json_page(connection: ServerConnection, body: bytes) -> Response:
    """The answer with this JSON."""
    response = connection.respond(HTTPStatus.OK, body.decode())
    del response.headers["Content-Type"]
    response.headers["Content-Type"] = "application/json"
    return response
