"""One websocket connection as an asyncio protocol: every read is parsed at once, with many messages per wake-up.

The framing is websockets' own, without its queues and tasks: those cost half as much again per message.

Tests: tests/desk/streams/test_socket_loop.py
"""

import asyncio
import logging
import time
from collections.abc import Mapping
from typing import Final, Protocol

from websockets.client import ClientProtocol
from websockets.exceptions import InvalidStatus
from websockets.frames import Frame, Opcode
from websockets.http11 import Response
from websockets.protocol import State
from websockets.uri import WebSocketURI

from desk.streams.limits import MAX_FRAGMENTS, MAX_HANDSHAKE_BYTES, MAX_MESSAGE_BYTES, EmptyFrameCounter

MAX_UNSENT_BYTES: Final = 1 << 20

DATA: Final = frozenset({Opcode.TEXT, Opcode.BINARY, Opcode.CONT})

# The library logs whole messages at DEBUG, the authentication among them: this logger never does.
_QUIET: Final = logging.getLogger("desk.streams.websocket_connection.websocket")
_QUIET.setLevel(logging.CRITICAL)


class ConnectionListener(Protocol):
    """The receiver of a connection's events."""

    def on_bytes(self) -> None:
        """Bytes were read; their messages follow."""
        ...

    def on_open(self) -> None:
        """The websocket is open."""
        ...

    def on_message(self, message: bytes | bytearray, *, text: bool) -> None:
        """One whole message; `text`: it came in text frames."""
        ...

    def on_pong(self) -> None:
        """The peer answered a ping."""
        ...

    def on_read(self) -> None:
        """All messages of the read were passed on."""
        ...

    def on_end(self, reason: str, status: int | None) -> None:
        """The connection has ended: called once. `status` is that of an HTTP answer that opened no websocket."""
        ...


class WebsocketConnection(asyncio.Protocol):
    """Opens the websocket and passes complete messages on; after its end it passes nothing on.

    Compression is not offered. Of a message in parts at most MAX_MESSAGE_BYTES are collected. A flood of empty frames,
    or a handshake without an end, ends the connection; see `desk.streams.limits`.
    """

    def __init__(self, uri: WebSocketURI, headers: Mapping[str, str], listener: ConnectionListener) -> None:
        self.gone = asyncio.Event()
        self._headers = headers
        self._listener = listener
        self._websocket = ClientProtocol(uri, max_size=MAX_MESSAGE_BYTES, logger=_QUIET)
        self._transport: asyncio.Transport | None = None
        self._parts: bytearray | None = None
        self._fragments = 0
        self._handshake_bytes = 0
        self._flood = EmptyFrameCounter()
        self._text = False
        self._ended = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the opening handshake."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        if self._ended:
            transport.abort()
            return
        request = self._websocket.connect()
        request.headers.update(self._headers)
        self._websocket.send_request(request)
        self._flush()

    def data_received(self, data: bytes) -> None:
        """Parse one read."""
        if self._ended:
            return
        self._listener.on_bytes()
        if self._websocket.state is State.CONNECTING:
            self._handshake_bytes += len(data)
        self._websocket.receive_data(data)
        for event in self._websocket.events_received():
            if isinstance(event, Frame):
                self._on_frame(event)
            elif isinstance(event, Response):
                self._on_response(event)
            if self._was_ended():
                return
        self._flush()
        if self._websocket.state is State.CONNECTING and self._handshake_bytes > MAX_HANDSHAKE_BYTES:
            self.end(f"no websocket: the answer to the handshake has more than {MAX_HANDSHAKE_BYTES >> 10} KiB")
            return
        self._listener.on_read()
        if self._websocket.close_expected():
            self.end(self._why_closed())

    def eof_received(self) -> None:
        """Have the transport close; `connection_lost` follows."""
        self._websocket.receive_eof()

    def connection_lost(self, exc: Exception | None) -> None:
        """End, with the reason of the loss unless there is an earlier one."""
        self.gone.set()
        self.end(self._why_closed() if exc is None else f"the connection broke: {exc}")

    def send(self, message: bytes, *, binary: bool) -> None:
        """Send one message. One that cannot leave because the peer reads nothing ends the connection."""
        if self._ended or self._websocket.state is not State.OPEN:
            return
        if binary:
            self._websocket.send_binary(message)
        else:
            self._websocket.send_text(message)
        self._flush()

    def ping(self) -> None:
        """Send a ping."""
        if not self._ended and self._websocket.state is State.OPEN:
            self._websocket.send_ping(b"desk")
            self._flush()

    def abort(self) -> None:
        """Abort the transport."""
        if self._transport is not None:
            self._transport.abort()

    def end(self, reason: str, status: int | None = None) -> None:
        """Close without waiting for the peer, which may be stuck."""
        if self._ended:
            return
        self._ended = True
        if self._transport is not None:
            if self._websocket.state is State.OPEN:
                self._websocket.send_close(1000)
                self._flush()
            # Bytes that a stuck peer does not read would keep the transport open for ever.
            if self._transport.get_write_buffer_size():
                self._transport.abort()
            else:
                self._transport.close()
        else:
            self.gone.set()
        self._listener.on_end(reason, status)

    def _on_response(self, response: Response) -> None:
        error = self._websocket.handshake_exc
        if error is None:
            self._listener.on_open()
        else:
            refused = isinstance(error, InvalidStatus)
            self.end(f"no websocket: {error}", response.status_code if refused else None)

    def _on_frame(self, frame: Frame) -> None:
        opcode = frame.opcode
        if not (frame.data and opcode in DATA) and self._flood.add(time.monotonic_ns()):
            self.end("the venue floods the connection with pings or empty frames")
            return
        if opcode is Opcode.BINARY or opcode is Opcode.TEXT:
            self._text = opcode is Opcode.TEXT
            if frame.fin:
                self._listener.on_message(bytes(frame.data), text=self._text)
            else:
                self._parts = bytearray(frame.data)
                self._fragments = 1
        elif opcode is Opcode.CONT and self._parts is not None:
            self._parts += frame.data
            self._fragments += 1
            if self._fragments > MAX_FRAGMENTS:
                self.end(f"a message of the venue has more than {MAX_FRAGMENTS:,} parts")
                return
            if frame.fin:
                message, self._parts = self._parts, None
                self._listener.on_message(message, text=self._text)
        elif opcode is Opcode.PONG:
            self._listener.on_pong()

    def _was_ended(self) -> bool:
        """Whether the listener has ended this connection."""
        return self._ended

    def _why_closed(self) -> str:
        websocket = self._websocket
        if websocket.handshake_exc is not None:
            return f"no websocket: {websocket.handshake_exc}"
        if websocket.parser_exc is not None and not isinstance(websocket.parser_exc, EOFError):
            return f"what came is no websocket: {websocket.parser_exc}"
        if websocket.close_rcvd is not None:
            return f"the venue closed the connection: {websocket.close_rcvd}"
        return "the connection ended without a word"

    def _flush(self) -> None:
        transport = self._transport
        for data in self._websocket.data_to_send():
            if transport is not None and data and not transport.is_closing():
                transport.write(data)
        if transport is not None and transport.get_write_buffer_size() > MAX_UNSENT_BYTES:
            transport.abort()
