"""One connected client: its subscription, and sending to it.

Tests: tests/desk/local_venue/test_local_venue_server.py
"""

import asyncio
from collections.abc import Sequence
from typing import Final

from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed
from websockets.frames import CloseCode
from websockets.protocol import State

from desk.local_venue.chunk import Chunk
from desk.local_venue.client_subscription import ALL
from desk.local_venue.column_encoders import JSON, MSGPACK
from desk.local_venue.messages import frame_header
from desk.local_venue.minute_bars import bar_message
from desk.local_venue.selection import Selection
from desk.local_venue.server_protocol import Reply, ServerProtocol
from desk.model.bars import Bar

FAREWELL_S: Final = 10.0
"""The time that a dropped client has to read the pending data and the reason why it was dropped."""


class Client:
    """A connection with its protocol. Frames are written to the transport directly, several at once.

    Templates hold finished frames, so that websockets' own framing, a few microseconds per frame, is needed
    only for control messages and where compression was negotiated. Both write whole frames within one turn
    of the event loop, so that they never mix.
    """

    def __init__(self, connection: ServerConnection, protocol: ServerProtocol, symbols: tuple[str, ...]) -> None:
        self.connection = connection
        self.protocol = protocol
        self.sent = 0
        self.dropped = False
        self._symbols = symbols
        self._wire = MSGPACK if protocol.binary else JSON
        self._selection = Selection(protocol.subscription, symbols)
        self._compressed = bool(connection.protocol.extensions)
        self._farewell: asyncio.Task[None] | None = None

    @property
    def buffered_bytes(self) -> int:
        """The bytes that neither the client nor the system's socket buffer has taken."""
        return self.connection.transport.get_write_buffer_size()

    @property
    def ready(self) -> bool:
        """Whether it is subscribed to anything."""
        return bool(self.protocol.subscription)

    def resubscribed(self) -> None:
        """Apply the changed subscription."""
        self._selection = Selection(self.protocol.subscription, self._symbols)

    def prepare(self, chunk: Chunk, framed: bool) -> None:
        """Encode the chunk ahead of the play."""
        chunk.prepare(self._wire, framed and not self._compressed)

    def offer(self, chunk: Chunk, first: int, last: int, framed: bool, limit_bytes: int | None) -> None:
        """Send the chunk's frames [first, last), or drop the client if more than `limit_bytes` would be buffered."""
        if self.dropped or self.connection.state is not State.OPEN:
            return
        run = chunk.run(self._wire, framed and not self._compressed, self._selection)
        size = run.edges[last] - run.edges[first]
        if not size:
            return
        if limit_bytes is not None and self.buffered_bytes + size > limit_bytes:
            self._drop()
            return
        if self._compressed:
            self._send_compressed(run.payloads(first, last))
        else:
            self.connection.transport.write(run.frames(first, last))
        self.sent += run.counts[last] - run.counts[first]

    @property
    def wants_bars(self) -> bool:
        """Whether it is subscribed to the minute bars of any symbol."""
        return bool(self.protocol.subscription.symbols("bars"))

    def send_bars(self, bars: Sequence[Bar]) -> None:
        """Send the subscribed bars of these, in one frame."""
        wanted = self.protocol.subscription.symbols("bars")
        messages = [bar_message(bar) for bar in bars if ALL in wanted or bar.symbol in wanted]
        if not messages or self.dropped or self.connection.state is not State.OPEN:
            return
        payload = self.protocol.encode(messages)
        if self._compressed:
            self._send_compressed([payload])
        else:
            self.connection.transport.write(frame_header(self._wire.opcode, len(payload)) + payload)

    async def drained(self) -> None:
        """Wait until the client's buffer is nearly empty."""
        if self.connection.state is State.OPEN and not self.dropped:
            await self.connection.drain()

    async def send_reply(self, reply: Reply) -> None:
        """Send a control message, and close the connection if it is the last. Raises ConnectionClosed."""
        await self.connection.send(reply.data, text=not self.protocol.binary)
        if reply.ends:
            await self.connection.close(CloseCode.POLICY_VIOLATION)

    async def wait_closed(self) -> None:
        """Wait until a dropped client has received the reason, or its connection was aborted."""
        if self._farewell is not None:
            await self._farewell

    def _send_compressed(self, payloads: list[bytes]) -> None:
        protocol = self.connection.protocol
        send = protocol.send_binary if self.protocol.binary else protocol.send_text
        for payload in payloads:
            send(payload)
        self.connection.send_data()

    def _drop(self) -> None:
        self.dropped = True
        self._farewell = asyncio.get_running_loop().create_task(self._tell_slow())

    async def _tell_slow(self) -> None:
        try:
            async with asyncio.timeout(FAREWELL_S):
                await self.send_reply(self.protocol.error(407))
        except (TimeoutError, ConnectionClosed):
            self.connection.transport.abort()
