"""The socket loop of all live feeds: connect, ping, read, and reconnect.

The loop runs only inside `turn`, which never waits and ends with the first read. If its caller takes ticks slowly, the
rest stays in the kernel's buffers, and so with the venue: there is no queue here.
"""

import asyncio
import ssl
from collections.abc import Coroutine
from functools import cached_property
from random import Random
from typing import Any, Final

import msgspec
from websockets.exceptions import InvalidURI
from websockets.uri import WebSocketURI, parse_uri

from desk.model.errors import CredentialsError, DeskError, PlanError, RunFailed
from desk.model.plain_text import from_outside
from desk.model.units import SECOND_NS
from desk.ports import Clock
from desk.streams.connection_attempts import CONNECT_NS, ConnectionAttempts
from desk.streams.proxy import unused_proxy
from desk.streams.stream_protocol import StreamProtocol
from desk.streams.turn_selector import TurnSelector
from desk.streams.websocket_connection import WebsocketConnection

ANSWER_NS: Final = 10 * SECOND_NS
TIMEOUT_NS: Final = 5 * SECOND_NS
PING_PART: Final = 3
SILENT: Final = "neither data nor a pong"
FAREWELL_S: Final = 1.0
REFUSED: Final = frozenset({401, 403})
RETRIED_BELOW_500: Final = frozenset({408, 425, 429})


class ConnectionEnd(msgspec.Struct, frozen=True):
    """The end of a connection or of an attempt to connect; `was_open`: the websocket was open."""

    reason: str
    was_open: bool


class SocketLoop:
    """One connection at a time to `url`, for a protocol; time limits are measured on `clock`.

    Connecting, and every answer that the protocol awaits, may take 10 s. A connection on which neither a whole message
    nor a pong came for `ping_ns` is pinged; after `timeout_ns` it is closed, and replaced at once. A lost connection is
    replaced after a wait (see ConnectionAttempts), or at once if the protocol says so and the first subscription was
    acknowledged. `reconnects` counts the connections made after the first that opened.
    `read_ns`, `message_ns` and `proof_ns` are when bytes, a message, and a message or a pong were last read; `last_end`
    is why the last attempt or connection ended, `fault` the error that ends the feed.
    """

    def __init__(
        self,
        url: str,
        protocol: StreamProtocol,
        clock: Clock,
        rng: Random,
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
        self._ends: list[ConnectionEnd] = []
        self._tasks: set[asyncio.Task[Any]] = set()
        self._connecting: asyncio.Task[Any] | None = None
        self._connection: WebsocketConnection | None = None
        self._leaving: set[WebsocketConnection] = set()
        self._open = False
        self._ever_open = False
        self._at_once = self._is_full = False
        self._deadline_ns = 0
        self._awaited = ""
        self._pinged_ns: int | None = None

    @cached_property
    def _selector(self) -> TurnSelector:
        return TurnSelector()

    @cached_property
    def event_loop(self) -> asyncio.AbstractEventLoop:
        """Made at first use, so that a feed that is never read holds no descriptor."""
        return asyncio.SelectorEventLoop(self._selector)

    @property
    def open(self) -> bool:
        """Whether the websocket is open."""
        return self._open

    @property
    def descriptor(self) -> int:
        """Readable while a turn has something to read or to finish."""
        return self._selector.fileno()

    def turn(self) -> None:
        """Do what can be done without waiting, one read at most."""
        self._watch(self._clock.wall_ns())
        self._send_requests()
        was_silent = self._is_silent()
        self.advance()
        if was_silent and self._is_silent():  # before and after a read: a process that was suspended reads first
            self.hang_up(f"{SILENT} for {self.timeout_ns / SECOND_NS:g} s", at_once=True)

    def take_ends(self) -> list[ConnectionEnd]:
        """The connections, and attempts to connect, that ended since the last call."""
        ends, self._ends = self._ends, []
        return ends

    def advance(self) -> None:
        """Run the event loop as far as it does not wait, without checking time limits."""
        self._selector.run_turn(self.event_loop)

    def start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run another coroutine in the turns."""
        task = self.event_loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def hang_up(self, reason: str, *, at_once: bool = False, is_full: bool = False) -> None:
        """End the connection; another replaces it, when `ConnectionAttempts` allows."""
        if self._connection is not None:
            self._at_once, self._is_full = at_once, is_full
            self._connection.end(reason)

    def close(self) -> None:
        """End all work, and wait until the connection is closed, FAREWELL_S at most. Nothing can be run afterwards."""
        if self._connection is not None:
            last_end = self.last_end
            self._connection.end("the feed ended")
            self.last_end = last_end
        for task in (*self._tasks, *filter(None, [self._connecting])):
            task.cancel()
        self.event_loop.run_until_complete(self._farewell())
        self.event_loop.close()

    async def _farewell(self) -> None:
        tasks = [*self._tasks, *filter(None, [self._connecting])]
        await asyncio.gather(*tasks, return_exceptions=True)
        for connection in self._leaving:
            try:
                await asyncio.wait_for(connection.gone.wait(), FAREWELL_S)
            except TimeoutError:
                connection.abort()
                await connection.gone.wait()
        await self.event_loop.shutdown_default_executor()

    def _watch(self, now_ns: int) -> None:
        """Check every time limit, and begin an attempt to connect if one is due."""
        if self._connection is None and self._connecting is None:
            if self._attempts.is_due(now_ns):
                self._attempts.begin(now_ns)
                self._deadline_ns = now_ns + CONNECT_NS
                self._connecting = self.event_loop.create_task(self._connect())
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
        """Whether nothing came for the whole timeout, and there was enough time for a pong."""
        if not self._open or self._pinged_ns is None:
            return False
        now_ns, pong_ns = self._clock.wall_ns(), self.timeout_ns - self.timeout_ns // PING_PART
        return now_ns - self.proof_ns >= self.timeout_ns and now_ns - self._pinged_ns >= pong_ns

    async def _connect(self) -> None:
        """Make one attempt. Every exception (names that cannot be encoded, TLS, sockets) is a failed attempt."""
        uri = self._uri
        try:
            tls = ssl.create_default_context() if uri.secure else None
            await self.event_loop.create_connection(self._new_connection, uri.host, uri.port, ssl=tls)
        except Exception as error:  # noqa: BLE001 - reported as the end of the attempt, which is repeated
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
        """End an attempt to connect. If TLS fails, there is a connection without a transport, which ends too."""
        reason += unused_proxy(self._uri)
        if self._connection is not None:
            self._connection.end(reason)
        else:
            self.on_end(reason, None)

    def on_bytes(self) -> None:
        """Take the time: everything in this read was received at it."""
        self.read_ns = self._clock.wall_ns()

    def on_open(self) -> None:
        """Reset the protocol for a new connection."""
        self.message_ns = self.proof_ns = self.read_ns
        self._pinged_ns = None
        self.reconnects += self._ever_open
        self._open = self._ever_open = True
        self._awaited = ""
        self._protocol.connected()

    def on_message(self, message: bytes | bytearray, *, text: bool) -> None:
        """Pass a message to the protocol, unless it has decided to end the connection."""
        self.message_ns = self.proof_ns = self.read_ns
        self._pinged_ns = None
        if self._protocol.verdict is None:
            self._protocol.receive(message, self.read_ns, text=text)

    def on_pong(self) -> None:
        """Note that the venue answers."""
        self.proof_ns = self.read_ns
        self._pinged_ns = None

    def on_read(self) -> None:
        """Send the protocol's answers, apply its verdict, and take no more input in this turn."""
        protocol = self._protocol
        if self._open:
            if protocol.ticks:
                self._attempts.delivered(self.read_ns)
            verdict = protocol.verdict
            if isinstance(verdict, DeskError):
                self.fault = verdict
                self.hang_up(str(verdict))
            elif verdict is not None:
                at_once = verdict.at_once and protocol.settled
                self.hang_up(verdict.reason, at_once=at_once, is_full=verdict.is_full)
            else:
                self._send_requests()
        self._selector.end_input()

    def on_end(self, reason: str, status: int | None) -> None:
        """Report the end of a connection or of an attempt, and set the time of the next attempt."""
        self._leaving = {connection for connection in self._leaving if not connection.gone.is_set()}
        if self._connection is not None:
            self._leaving.add(self._connection)
        was_open, self._open, self._connection = self._open, False, None
        self.last_end = reason = from_outside(reason)
        at_once, self._at_once = self._at_once, False
        is_full, self._is_full = self._is_full, False
        self._attempts.ended(self._clock.wall_ns(), at_once=at_once, is_full=is_full)
        if status is not None and status < 500 and status not in RETRIED_BELOW_500:
            self.fault = _refused(self._protocol.place, status)
        self._ends.append(ConnectionEnd(reason, was_open))
        self._selector.end_input()

    def _send_requests(self) -> None:
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
