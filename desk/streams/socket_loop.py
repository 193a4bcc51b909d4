"""The socket loop, written once under the live feeds: connect, watch, and connect again.

The loop runs only inside `turn`, and a turn ends with the first read: whoever takes ticks slowly leaves the
rest in the kernel's buffers, and so with the venue. Nothing gathers here.
"""

import asyncio
import ssl
from collections.abc import Callable, Coroutine
from functools import cached_property
from random import Random
from typing import Any, Final

from websockets.exceptions import InvalidURI
from websockets.uri import WebSocketURI, parse_uri

from desk.model.errors import CredentialsError, DeskError, PlanError, RunFailed
from desk.model.plain_text import from_outside
from desk.model.units import SECOND_NS
from desk.ports import Clock
from desk.streams.connection_attempts import CONNECT_NS, ConnectionAttempts
from desk.streams.proxy import unused_proxy
from desk.streams.stream_protocol import StreamProtocol
from desk.streams.websocket_connection import WebsocketConnection

ANSWER_NS: Final = 10 * SECOND_NS
TIMEOUT_NS: Final = 5 * SECOND_NS
PING_PART: Final = 3
SILENT: Final = "neither data nor a pong"
FAREWELL_S: Final = 1.0
REFUSED: Final = frozenset({401, 403})
RETRIED_BELOW_500: Final = frozenset({408, 425, 429})


class SocketLoop:
    """One connection at a time to `url`, for a protocol; everything that waits is measured on `clock`.

    Connecting, and every answer that the protocol awaits, has 10 s. A connection on which neither a whole message nor a
    pong came for `ping_ns` is pinged, and given up after `timeout_ns`; then another is made at once. A
    lost connection is made again after a wait (see ConnectionAttempts), at once when the protocol says so and the
    connection had been of use. `reconnects` counts the connections made after the first that opened; `on_end(reason,
    was_open)` is called for each connection, or attempt at one, that ended.
    `read_ns`, `message_ns` and `proof_ns` are when bytes, a message, and a message or a pong were last read; `last_end`
    is why the last attempt or connection ended, `fault` what ends the feed.
    """

    def __init__(
        self,
        url: str,
        protocol: StreamProtocol,
        clock: Clock,
        rng: Random,
        on_end: Callable[[str, bool], None],
        timeout_ns: int = TIMEOUT_NS,
    ) -> None:
        self.timeout_ns = timeout_ns
        self.ping_ns = timeout_ns // PING_PART
        self.fault: DeskError | None = None
        self.reconnects = 0
        self.read_ns = 0
        self.message_ns = 0
        self.proof_ns = 0
        self.last_end = ""
        self._uri = _parsed(url)
        self._protocol = protocol
        self._clock = clock
        self._attempts = ConnectionAttempts(rng)
        self._on_end = on_end
        self._turning = False
        self._tasks: set[asyncio.Task[Any]] = set()
        self._connecting: asyncio.Task[Any] | None = None
        self._connection: WebsocketConnection | None = None
        self._leaving: set[WebsocketConnection] = set()
        self._open = False
        self._ever_open = False
        self._at_once = False
        self._deadline_ns = 0
        self._awaited = ""
        self._pinged_ns: int | None = None

    @cached_property
    def _loop(self) -> asyncio.AbstractEventLoop:
        """Made when it is first run, so that a feed which is never played holds nothing."""
        return asyncio.new_event_loop()

    @property
    def open(self) -> bool:
        """Whether the websocket stands."""
        return self._open

    def turn(self, patience_s: float) -> int | None:
        """Go on until something was read, or for `patience_s`. Raises the DeskError that ends the feed.

        Return how late this was after `patience_s`, in ns; None if something ended the turn before.
        """
        due_ns = self._clock.wall_ns() + round(max(0.0, patience_s) * SECOND_NS)
        self._watch(self._clock.wall_ns())
        self._send_wishes()
        was_silent = self._is_silent()
        timer = self._loop.call_later(max(0.0, patience_s), self._loop.stop)
        self._turning = True
        try:
            self._loop.run_forever()
        finally:
            self._turning = False
            timer.cancel()
        if was_silent and self._is_silent():  # before and after a read: a process that was stopped reads first
            self.hang_up(f"{SILENT} for {self.timeout_ns / SECOND_NS:g} s", at_once=True)
        if self.fault is not None:
            raise self.fault
        late_ns = self._clock.wall_ns() - due_ns
        return late_ns if late_ns >= 0 else None

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        """Let something else run in the turns."""
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def finish(self, work: Coroutine[Any, Any, None]) -> None:
        """Run something to its end, now."""
        self._loop.run_until_complete(work)

    def hang_up(self, reason: str, *, at_once: bool = False) -> None:
        """End the connection, and make another."""
        if self._connection is not None:
            self._at_once = at_once
            self._connection.end(reason)

    def close(self) -> None:
        """End everything. The socket is of no use afterwards."""
        if self._connection is not None:
            last_end = self.last_end
            self._connection.end("the feed ended")
            self.last_end = last_end
        for task in (*self._tasks, *filter(None, [self._connecting])):
            task.cancel()
        self._loop.run_until_complete(self._farewell())
        self._loop.close()

    async def _farewell(self) -> None:
        tasks = [*self._tasks, *filter(None, [self._connecting])]
        await asyncio.gather(*tasks, return_exceptions=True)
        for connection in self._leaving:
            try:
                await asyncio.wait_for(connection.gone.wait(), FAREWELL_S)
            except TimeoutError:
                connection.abort()
                await connection.gone.wait()
        await self._loop.shutdown_default_executor()

    def _watch(self, now_ns: int) -> None:
        """Everything that has a time limit."""
        if self._connection is None and self._connecting is None:
            if self._attempts.is_due(now_ns):
                self._attempts.begin(now_ns)
                self._deadline_ns = now_ns + CONNECT_NS
                self._connecting = self._loop.create_task(self._connect())
        elif not self._open:
            if now_ns >= self._deadline_ns:
                self._give_up_connecting()
        else:
            self._watch_answer(now_ns)
            self._ping(now_ns)

    def _watch_answer(self, now_ns: int) -> None:
        awaited = self._protocol.awaiting
        if awaited != self._awaited:
            self._awaited = awaited
            self._deadline_ns = now_ns + ANSWER_NS
        elif awaited and now_ns >= self._deadline_ns:
            self.hang_up(f"the venue owed {awaited} for {ANSWER_NS // SECOND_NS} s")

    def _ping(self, now_ns: int) -> None:
        """Ask a silent venue for a pong, once."""
        silent_ns = now_ns - self.proof_ns
        if silent_ns >= self.ping_ns and self._pinged_ns is None and self._connection is not None:
            self._pinged_ns = now_ns
            self._connection.ping()

    def _is_silent(self) -> bool:
        """Whether nothing came for the whole timeout, and a pong has had its time to come."""
        if not self._open or self._pinged_ns is None:
            return False
        now_ns, pong_ns = self._clock.wall_ns(), self.timeout_ns - self.timeout_ns // PING_PART
        return now_ns - self.proof_ns >= self.timeout_ns and now_ns - self._pinged_ns >= pong_ns

    async def _connect(self) -> None:
        """Make one attempt. Whatever it raises (names that cannot be encoded, TLS, sockets) is a failed attempt."""
        uri = self._uri
        try:
            tls = ssl.create_default_context() if uri.secure else None
            await self._loop.create_connection(self._new_connection, uri.host, uri.port, ssl=tls)
        except Exception as error:  # noqa: BLE001 - reported by the listener, and tried again
            self._fail(f"no connection: {str(error) or type(error).__name__}")
        finally:
            if self._connecting is asyncio.current_task():
                self._connecting = None

    def _new_connection(self) -> WebsocketConnection:
        self._connection = WebsocketConnection(self._uri, self._protocol.headers, self)
        return self._connection

    def _give_up_connecting(self) -> None:
        task, self._connecting = self._connecting, None
        if task is not None:
            task.cancel()
        self._fail(f"no connection within {CONNECT_NS // SECOND_NS} s")

    def _fail(self, reason: str) -> None:
        """End an attempt to connect. Where TLS fails there is a connection without a transport, which ends too."""
        reason += unused_proxy(self._uri)
        if self._connection is not None:
            self._connection.end(reason)
        else:
            self.on_end(reason, None)

    def on_bytes(self) -> None:
        """Take the time: everything in this read was received now."""
        self.read_ns = self._clock.wall_ns()

    def on_open(self) -> None:
        """Begin anew with the protocol."""
        self.message_ns = self.proof_ns = self.read_ns
        self._pinged_ns = None
        self.reconnects += self._ever_open
        self._open = self._ever_open = True
        self._awaited = ""
        self._protocol.connected()

    def on_message(self, message: bytes | bytearray, *, text: bool) -> None:
        """Hand a message to the protocol, unless it has had enough."""
        self.message_ns = self.proof_ns = self.read_ns
        self._pinged_ns = None
        if self._protocol.verdict is None:
            self._protocol.receive(message, self.read_ns, text=text)

    def on_pong(self) -> None:
        """The venue is there, and had nothing to say."""
        self.proof_ns = self.read_ns
        self._pinged_ns = None

    def on_read(self) -> None:
        """Answer, judge, and let the turn end."""
        protocol = self._protocol
        if self._open:
            if protocol.ticks:
                self._attempts.delivered(self.read_ns)
            verdict = protocol.verdict
            if isinstance(verdict, DeskError):
                self.fault = verdict
                self.hang_up(str(verdict))
            elif verdict is not None:
                self.hang_up(verdict.reason, at_once=verdict.at_once and protocol.settled)
            else:
                self._send_wishes()
        self._wake()

    def on_end(self, reason: str, status: int | None) -> None:
        """The connection is gone, or could not be made: say so, and set the time of the next."""
        self._leaving = {connection for connection in self._leaving if not connection.gone.is_set()}
        if self._connection is not None:
            self._leaving.add(self._connection)
        was_open, self._open, self._connection = self._open, False, None
        self.last_end = reason = from_outside(reason)
        at_once, self._at_once = self._at_once, False
        self._attempts.ended(self._clock.wall_ns(), at_once=at_once)
        if status is not None and status < 500 and status not in RETRIED_BELOW_500:
            self.fault = _refused(self._protocol.place, status)
        self._on_end(reason, was_open)
        self._wake()

    def _wake(self) -> None:
        """Let the turn end, if there is one."""
        if self._turning:
            self._loop.stop()

    def _send_wishes(self) -> None:
        connection = self._connection
        if self._open and connection is not None:
            for message in self._protocol.data_to_send():
                connection.send(message, binary=self._protocol.binary)


def _parsed(url: str) -> WebSocketURI:
    try:
        return parse_uri(url)
    except (InvalidURI, ValueError) as error:
        raise PlanError("feed.url", str(error), "ws://… or wss://…", "Correct the url.") from None


def _refused(place: str, status: int) -> DeskError:
    found = f"the server answers HTTP {status} instead of opening a websocket"
    if status in REFUSED:
        return CredentialsError(place, found, "an endpoint that is open to this account", "Check url and keys.")
    return RunFailed(place, found, "a websocket endpoint", "Check the url of the feed.")
