"""One connected client: its subscription, and sending to it.

Tests: tests/desk/local_venue/test_local_venue_server.py
"""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import Any, Final

from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed
from websockets.frames import CloseCode
from websockets.protocol import State

from desk.local_venue.chunk import Chunk, EncodedChunk
from desk.local_venue.client_subscription import ALL
from desk.local_venue.column_encoders import Wire
from desk.local_venue.messages import frame_header
from desk.local_venue.selection import Selection
from desk.local_venue.server_protocol import Reply, ServerProtocol, Step

FAREWELL_S: Final = 10.0
"""The time that a dropped client has to read the pending data and the reason why it was dropped."""
SLOW_CLIENT: Final = 407


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
        self._ended = False
        self._symbols = symbols
        self._selections: list[Selection] = []
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

    @property
    def listening(self) -> bool:
        """Whether data may be sent to it."""
        return not self._ended and self.connection.state is State.OPEN

    @property
    def _wire(self) -> Wire:
        return self.protocol.wire

    def resubscribed(self) -> None:
        """Apply the changed subscription."""
        channels = self.protocol.subscription.symbols
        self._selections = [
            Selection(self.protocol.subscription, self._symbols, layout)
            for layout in self.protocol.layouts
            if any(channels(kind.channel) for kind in layout.kinds)
        ]

    def prepare(self, chunk: Chunk, framed: bool) -> None:
        """Encode the chunk ahead of the play."""
        for selection in self._selections:
            chunk.prepare(self._wire, self._framed(framed), selection.layout)

    def offer(self, chunk: Chunk, first: int, last: int, framed: bool, limit_bytes: int | None) -> None:
        """Send the chunk's frames [first, last), or drop the client if more than `limit_bytes` would be buffered."""
        if self._ended or self.connection.state is not State.OPEN:
            return
        for selection in self._selections:
            if self.listening:
                self._send_run(chunk.run(self._wire, self._framed(framed), selection), first, last, limit_bytes)

    def _framed(self, single: bool) -> bool:
        """Whether templates are whole frames: not if frames are compressed, unless the encoding has no other."""
        return self._wire.is_single or (single and not self._compressed)

    def finish(self) -> None:
        """Send what is held back, at the end of the play: nothing."""

    def _send_run(self, run: EncodedChunk, first: int, last: int, limit_bytes: int | None) -> None:
        size = run.edges[last] - run.edges[first]
        if not size or self._ended:
            return
        if limit_bytes is not None and self.buffered_bytes + size > limit_bytes:
            self.drop()
            return
        if self._compressed and not run.framed:
            self._send_compressed(run.payloads(first, last))
        else:
            self.connection.transport.write(run.frames(first, last))
        self.sent += run.counts[last] - run.counts[first]

    def wants(self, channel: str) -> bool:
        """Whether it is subscribed to the channel for any symbol."""
        return bool(self.protocol.subscription.symbols(channel))

    def send_messages(self, channel: str, messages: Sequence[dict[str, Any]]) -> None:
        """Send the subscribed ones of these messages of a channel, in one frame. Their `t` is in ns."""
        wanted = self.protocol.subscription.symbols(channel)
        subscribed = [message for message in messages if ALL in wanted or message["S"] in wanted]
        if subscribed and self.listening:
            self.send_payload(self.protocol.encode_stamped(subscribed))

    def send_payload(self, payload: bytes) -> None:
        """Send one frame of messages."""
        if self._compressed:
            self._send_compressed([payload])
        else:
            self.connection.transport.write(frame_header(self._wire.opcode, len(payload)) + payload)

    async def drained(self) -> None:
        """Wait until the client's buffer is nearly empty."""
        if self.listening:
            await self.connection.drain()

    async def answer(self, step: Step, make: Callable[[], Reply]) -> None:  # noqa: ARG002  for clients with faults
        """Handle one step of the protocol: `make` applies the client's message and gives the reply to send."""
        await self.send_reply(make())

    async def authenticate(self, timeout_s: float) -> bool:
        """Converse until the client is authenticated. False if that takes too long: it gets error 404."""
        try:
            async with asyncio.timeout(timeout_s):
                while not self.protocol.authenticated:
                    message = await self.connection.recv()
                    await self.answer("auth", partial(self.protocol.receive, message))
        except TimeoutError:
            await self.send_reply(self.protocol.error(404))
            return False
        return True

    async def send_reply(self, reply: Reply) -> None:
        """Send a control message, and close the connection if it is the last. Raises ConnectionClosed."""
        if not reply.data:
            return
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

    def drop(self, code: int = SLOW_CLIENT) -> None:
        """Close the connection with an error, without waiting."""
        self.dropped = code == SLOW_CLIENT
        self._end(self.send_reply(self.protocol.error(code)))

    def close(self, code: int, reason: str) -> None:
        """Close the connection with a close frame, without waiting."""
        self._end(self.connection.close(code, reason))

    def _end(self, farewell: Coroutine[Any, Any, None]) -> None:
        self._ended = True
        self._farewell = asyncio.get_running_loop().create_task(self._leave(farewell))

    async def _leave(self, farewell: Coroutine[Any, Any, None]) -> None:
        try:
            async with asyncio.timeout(FAREWELL_S):
                await farewell
        except (TimeoutError, ConnectionClosed):
            self.connection.transport.abort()
