"""Real websocket servers on loopback that speak the streams of Polygon, Alpaca's crypto, and a generic JSON feed.

Each sends a trade and a quote of every subscribed symbol, again and again, until the client leaves.
"""

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus
from typing import Any, Self

import msgspec
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.sync.server import ServerConnection, serve

PAUSE_S = 0.01
MS_NS = 1_000_000


def iso(time_ns: int) -> str:
    seconds, nanos = divmod(time_ns, 10**9)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{nanos:09}Z"


class Dialogue:
    """One connection, as the speaker of a protocol sees it."""

    def __init__(self, server: "VendorServer", connection: ServerConnection) -> None:
        self.server = server
        self._connection = connection
        self.symbols: set[str] = set()

    def send(self, message: Any) -> None:
        self._connection.send(msgspec.json.encode(message).decode())

    def receive(self, timeout_s: float | None = None) -> Any:
        """The client's next message; None if none comes in time."""
        try:
            message = msgspec.json.decode(self._connection.recv(timeout_s))
        except TimeoutError:
            return None
        self.server.heard.append(message)
        return message

    def sent(self, ticks: int) -> None:
        self.server.ticks += ticks


def speak_polygon(client: Dialogue) -> None:
    client.send([{"ev": "status", "status": "connected", "message": "Connected Successfully"}])
    is_key = client.receive()["params"] == client.server.key
    client.send([{"ev": "status", "status": "auth_success" if is_key else "auth_failed", "message": "authentication"}])
    topics: set[str] = set()
    while is_key:
        if request := client.receive(PAUSE_S):
            named = set(request["params"].split(","))
            topics = topics | named if request["action"] == "subscribe" else topics - named
            for topic in named:
                client.send([{"ev": "status", "status": "success", "message": f"{request['action']}d to: {topic}"}])
        now_ms = time.time_ns() // MS_NS
        frame: list[dict[str, Any]] = []
        for topic in sorted(topics):
            prefix, _, symbol = topic.partition(".")
            client.server.number += 1
            if prefix == "T":
                frame.append({"ev": "T", "sym": symbol, "x": 12, "i": f"id-{client.server.number}", "z": 3, "p": 10.0,
                              "s": 100, "c": [14], "t": now_ms})  # fmt: skip
            elif prefix == "Q":
                frame.append({"ev": "Q", "sym": symbol, "bx": 12, "bp": 9.9, "bs": 100, "ax": 12, "ap": 10.1, "as": 100,
                              "c": 1, "t": now_ms, "z": 3})  # fmt: skip
        if frame:
            client.send(frame)
            client.sent(len(frame))


def speak_crypto(client: Dialogue) -> None:
    client.send([{"T": "success", "msg": "connected"}])
    client.receive()
    client.send([{"T": "success", "msg": "authenticated"}])
    granted: dict[str, list[str]] = {"trades": [], "quotes": [], "orderbooks": []}
    while True:
        if request := client.receive(PAUSE_S):
            for channel, symbols in granted.items():
                symbols += [symbol for symbol in request.get(channel, ()) if symbol not in symbols]
            client.send([{"T": "subscription", **granted}])
        at = iso(time.time_ns())
        client.server.number += 1
        frame: list[dict[str, Any]] = [
            {"T": "t", "S": symbol, "p": 10.0, "s": 0.25, "t": at, "i": client.server.number, "tks": "B"}
            for symbol in granted["trades"]
        ]
        frame += [
            {"T": "q", "S": symbol, "bp": 9.9, "bs": 1.5, "ap": 10.1, "as": 2.5, "t": at}
            for symbol in granted["quotes"]
        ]
        frame += [
            {"T": "o", "S": symbol, "t": at, "r": True, "b": [{"p": 9.9, "s": 1.0 + client.server.number % 7}], "a": []}
            for symbol in granted["orderbooks"]
        ]
        if frame:
            client.send(frame)
            client.sent(len(frame))


def speak_json(client: Dialogue) -> None:
    symbols: list[str] = []
    while True:
        if request := client.receive(PAUSE_S):
            symbols += request["params"]["symbols"]
            client.send({"id": request["id"], "result": "ok"})
        client.server.number += 1
        for symbol in symbols:
            client.send({"symbol": symbol, "timestamp": iso(time.time_ns()), "bid": 9.9, "ask": 10.1, "bid_size": 100,
                         "ask_size": 200, "volume": 1_000 * client.server.number})  # fmt: skip
            client.sent(1)


class VendorServer:
    """Serves one protocol at `url`; `heard` are the clients' messages, `ticks` counts what was sent.

    With `header`, a client without this header of value `key` gets 401.
    """

    def __init__(self, speak: Callable[[Dialogue], None], key: str, path: str = "/", header: str = "") -> None:
        self.key = key
        self.heard: list[Any] = []
        self.ticks = 0
        self.number = 0
        self._speak = speak
        self._path = path
        self._header = header

    def __enter__(self) -> Self:
        self._server = serve(self._converse, "127.0.0.1", 0, process_request=self._admit)
        self.url = f"ws://127.0.0.1:{self._server.socket.getsockname()[1]}{self._path}"
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()

    def _admit(self, connection: ServerConnection, request: Request) -> Response | None:
        if self._header and request.headers.get(self._header) != self.key:
            return connection.respond(HTTPStatus.UNAUTHORIZED, "no key")
        return None

    def _converse(self, connection: ServerConnection) -> None:
        with suppress(ConnectionClosed):
            self._speak(Dialogue(self, connection))
