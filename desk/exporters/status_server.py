"""The HTTP server of `/metrics` and `/healthz`: GET only, always with a bearer token, few connections at a time."""

import hmac
import logging
import socket
import sys
import threading
import time
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler
from socketserver import TCPServer, ThreadingMixIn
from typing import Any, Final, NamedTuple

from desk.model.errors import PlanError

MAX_CONNECTIONS: Final = 16
"""More connections at a time are closed at once."""
CONNECTION_S: Final = 10.0
"""A connection that lasts longer is closed, also if its client still sends or reads."""
POLL_S: Final = 0.1


class Answer(NamedTuple):
    """A page's answer."""

    status: int
    content_type: str
    body: bytes


Page = Callable[[str], Answer]
"""Makes the answer of one page; the argument is the request's Accept header."""


class StatusServer:
    """Serves pages by path on one port, in threads of its own.

    Raises PlanError, which names `key` of [telemetry], if the port cannot be opened.
    """

    def __init__(self, host: str, port: int, key: str, pages: Mapping[str, Page], token: str) -> None:
        handler = type("Handler", (_Handler,), {"pages": dict(pages), "token": token})
        try:
            self._server = _Server(host, port, handler)
        except OSError as error:
            raise PlanError(
                f"[telemetry] {key}",
                f"port {port} of {host} cannot be opened: {error.strerror or error}",
                "a free port on an address of this machine, or 0",
                "Choose another port, or end the program that listens there.",
            ) from error
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": POLL_S}, name="status-server", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Close the port and all connections."""
        self._server.shutdown()
        self._server.server_close()
        self._server.end_connections()
        self._thread.join()


class _Server(ThreadingMixIn, TCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = MAX_CONNECTIONS

    def __init__(self, host: str, port: int, handler: type[BaseHTTPRequestHandler]) -> None:
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._open: dict[socket.socket, float] = {}
        self._lock = threading.Lock()
        super().__init__((host, port), handler)

    def verify_request(self, request: Any, client_address: Any) -> bool:  # noqa: ARG002 - as TCPServer has it
        with self._lock:
            if len(self._open) >= MAX_CONNECTIONS:
                return False
            self._open[request] = time.monotonic()
            return True

    def close_request(self, request: Any) -> None:
        with self._lock:
            self._open.pop(request, None)
        super().close_request(request)

    def service_actions(self) -> None:
        """Called every POLL_S."""
        self.end_connections(CONNECTION_S)

    def end_connections(self, older_s: float = 0.0) -> None:
        """Shut down the connections that are older: their threads end with an error of the socket."""
        now_s = time.monotonic()
        with self._lock:
            for request, since_s in self._open.items():
                if now_s - since_s >= older_s:
                    _shut_down(request)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002 - as BaseServer has it
        fault = sys.exc_info()[1]
        if not isinstance(fault, OSError):  # an OSError is a client that has left
            logging.getLogger("raydesk").error("the status server failed", exc_info=fault)


class _Handler(BaseHTTPRequestHandler):
    timeout = CONNECTION_S
    pages: Mapping[str, Page]
    token: str

    def do_GET(self) -> None:
        if not self._authorized():
            self._send(Answer(401, "text/plain", b"a bearer token is required\n"))
            return
        page = self.pages.get(self.path.partition("?")[0])
        if page is None:
            self._send(Answer(404, "text/plain", b"no such page\n"))
            return
        self._send(page(self.headers.get("Accept", "")))

    def version_string(self) -> str:
        return "raydesk"

    def log_message(self, *args: object) -> None:
        """Requests are not logged."""

    def _authorized(self) -> bool:
        scheme, _, given = self.headers.get("Authorization", "").partition(" ")
        same = hmac.compare_digest(given.strip().encode("latin-1", "replace"), self.token.encode())
        return same and scheme.lower() == "bearer"

    def _send(self, answer: Answer) -> None:
        self.send_response(answer.status)
        if answer.status == 401:
            self.send_header("WWW-Authenticate", "Bearer")
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(answer.body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(answer.body)


def _shut_down(request: socket.socket) -> None:
    try:
        request.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # closed by its client
