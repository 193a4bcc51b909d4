"""A venue on loopback that speaks Alpaca's stream protocol by a script for each connection."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Self

import msgspec
from msgspec.msgpack import Ext
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

Script = Callable[["Client"], Awaitable[None]]
NS = 1_000_000_000


def stamp(ts_ns: int) -> Ext:
    """A time as a MessagePack timestamp of 8 bytes."""
    seconds, nanos = divmod(ts_ns, NS)
    return Ext(-1, (nanos << 34 | seconds).to_bytes(8))


def trade(symbol: str, ts_ns: int, price: float = 10.0, **more: Any) -> dict[str, Any]:
    """A trade as the venue sends it."""
    return {
        "T": "t",
        "S": symbol,
        "i": 1,
        "x": "V",
        "p": price,
        "s": 100,
        "c": ["@"],
        "z": "C",
        "t": stamp(ts_ns),
        **more,
    }


def quote(symbol: str, ts_ns: int, **more: Any) -> dict[str, Any]:
    """A quote as the venue sends it."""
    sides = {"bx": "V", "bp": 9.9, "bs": 100, "ax": "V", "ap": 10.1, "as": 200}
    return {"T": "q", "S": symbol, **sides, "c": ["R"], "z": "C", "t": stamp(ts_ns), **more}


class Client:
    """One connected client, as the script of the connection sees it."""

    def __init__(self, server: "AlpacaServer", websocket: ServerConnection) -> None:
        self.server = server
        self.websocket = websocket
        self.subscribed: dict[str, list[str]] = {"trades": [], "quotes": []}

    async def send(self, *messages: dict[str, Any]) -> None:
        """Send the messages in one frame."""
        await self.websocket.send(msgspec.msgpack.encode(list(messages)))

    async def receive(self) -> dict[str, Any]:
        """Receive the client's next message."""
        message = msgspec.msgpack.decode(await self.websocket.recv())
        self.server.received.append(message)
        return message

    async def greet(self) -> None:
        """Greet the client and authenticate it."""
        await self.send({"T": "success", "msg": "connected"})
        await self.receive()
        await self.send({"T": "success", "msg": "authenticated"})

    async def acknowledge(self, leave_out: Iterable[str] = ()) -> dict[str, Any]:
        """Receive one subscription request and answer with the whole subscription, without `leave_out`."""
        request = await self.receive()
        for channel, symbols in self.subscribed.items():
            requested = request.get(channel, [])
            if request["action"] == "subscribe":
                symbols += [symbol for symbol in requested if symbol not in {*leave_out, *symbols}]
            else:
                symbols[:] = [symbol for symbol in symbols if symbol not in requested]
        await self.send({"T": "subscription", **self.subscribed, "bars": [], "statuses": []})
        return request

    async def stay(self) -> None:
        """Keep the connection open until the client closes it."""
        await self.websocket.wait_closed()


class TrackedConnection(ServerConnection):
    """A connection whose transport is in `transports` while it is open."""

    transports: set[asyncio.BaseTransport]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transports.add(transport)
        super().connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self.transports.discard(self.transport)
        super().connection_lost(exc)


async def wait_for_accepts() -> None:
    """Wait until each accepted socket has its transport: a server that closes earlier leaks sockets."""
    while tasks := [task for task in asyncio.all_tasks() if "_accept_connection2" in repr(task.get_coro())]:
        await asyncio.wait(tasks)


class AlpacaServer:
    """A context manager with its own thread. Connection n follows script n, later connections the last script."""

    def __init__(
        self,
        *scripts: Script,
        clock: Callable[[], dict[str, Any]] | None = None,
        statuses: dict[str, int] | None = None,
    ) -> None:
        self.received: list[dict[str, Any]] = []
        self.connections = 0
        self.headers: list[str | None] = []
        self.errors: list[Exception] = []
        self.url = ""
        self.redirect = ""
        self._scripts = scripts
        self._clock = clock
        self._statuses = statuses or {}
        self._ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    async def pause(self) -> None:
        """Wait 2 ms between two steps of a script's loop."""
        await asyncio.sleep(0.002)

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        self._stop = asyncio.Event()
        transports: set[asyncio.BaseTransport] = set()
        async with serve(
            self._follow,
            "127.0.0.1",
            0,
            compression=None,
            process_request=self._page,
            ping_interval=None,
            close_timeout=0.1,
            create_connection=type("TrackedConnection", (TrackedConnection,), {"transports": transports}),
        ) as server:
            port = server.sockets[0].getsockname()[1]
            self.url = f"ws://127.0.0.1:{port}/v2/test"
            self._ready.set()
            await self._stop.wait()
            for listening in server.sockets:
                self._loop.remove_reader(listening.fileno())
            await wait_for_accepts()
            server.close(close_connections=True)
        while transports:  # on a slow machine some are still closing
            for transport in tuple(transports):
                transport.abort()  # type: ignore[attr-defined]
            await asyncio.sleep(0)

    async def _follow(self, websocket: ServerConnection) -> None:
        script = self._scripts[min(self.connections, len(self._scripts) - 1)]
        self.connections += 1
        self.headers.append(websocket.request.headers.get("Content-Type"))
        try:
            await script(Client(self, websocket))
        except ConnectionClosed:
            pass
        except Exception as error:  # noqa: BLE001  the test reads it
            self.errors.append(error)

    def _page(self, connection: ServerConnection, request: Request) -> Response | None:
        if request.path in self._statuses:
            return connection.respond(self._statuses[request.path], "no")
        if self.redirect:
            answer = connection.respond(302, "")
            answer.headers["Location"] = self.redirect
            return answer
        if request.path != "/clock":
            return None
        return connection.respond(200, msgspec.json.encode(self._clock()).decode())
