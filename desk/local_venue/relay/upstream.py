"""The relay's one connection to the venue: connect, authenticate, read; and what an error of the venue means.

Tests: tests/desk/local_venue/test_relay.py
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import msgspec
from pydantic import SecretStr
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus

from desk.local_venue.relay.frame_parts import MALFORMED, MessageHead, MessagePart, split_frame
from desk.local_venue.server_protocol import ERRORS
from desk.model.errors import CredentialsError
from desk.model.plain_text import from_outside

ANSWER_S: Final = 10.0
PING_S: Final = 5.0
PONG_S: Final = 10.0
MAX_BYTES: Final = 16 << 20
FATAL: Final = {
    402: ("keys that the venue accepts", "Set ALPACA_API_KEY and ALPACA_SECRET_KEY to keys of this account."),
    409: ("a feed that the account's plan includes", "Name another --feed, or take a larger plan of the venue."),
}
REFUSED_STATUSES: Final = frozenset({401, 403})
ENDING: Final = frozenset({401, 403, 404, 406, 407, 500, *FATAL})
"""Codes after which the connection is of no use; others answer a request."""


class UpstreamLost(Exception):
    """The connection to the venue ended, or could not be made; a new attempt may help."""


@asynccontextmanager
async def open_upstream(url: str, key: SecretStr, secret: SecretStr) -> AsyncIterator[ClientConnection]:
    """An authenticated connection. Raises UpstreamLost, or CredentialsError if no new attempt would help."""
    try:
        async with connect(
            url,
            additional_headers={"Content-Type": "application/msgpack"},
            compression=None,
            open_timeout=ANSWER_S,
            close_timeout=1.0,
            ping_interval=PING_S,
            ping_timeout=PONG_S,
            max_size=MAX_BYTES,
            proxy=None,
        ) as connection:
            async with asyncio.timeout(ANSWER_S):
                await _authenticate(connection, url, key, secret)
            yield connection
    except InvalidStatus as error:
        status = error.response.status_code
        if status in REFUSED_STATUSES:
            expected = "an endpoint that is open to this account"
            raise CredentialsError(url, f"it answers HTTP {status}", expected, "Check --relay-url and keys.") from None
        raise UpstreamLost(f"it answers HTTP {status}") from error
    except (OSError, TimeoutError, ConnectionClosed, InvalidHandshake) as error:
        raise UpstreamLost(from_outside(str(error)) or type(error).__name__) from error


async def _authenticate(connection: ClientConnection, url: str, key: SecretStr, secret: SecretStr) -> None:
    await _expect(connection, "connected", url)
    await send(connection, action="auth", key=key.get_secret_value(), secret=secret.get_secret_value())
    await _expect(connection, "authenticated", url)


async def _expect(connection: ClientConnection, text: str, url: str) -> None:
    for part in read_frame(await connection.recv()):
        if part.head.kind == "success" and part.head.msg == text:
            return
        check_error(part.head, url)
    raise UpstreamLost(f"it did not answer {text!r}")


async def send(connection: ClientConnection, **request: Any) -> None:
    """Send a request. Raises ConnectionClosed."""
    await connection.send(msgspec.msgpack.encode(request))


def read_frame(frame: str | bytes) -> list[MessagePart]:
    """The messages of a frame. Raises UpstreamLost if it is not MessagePack."""
    if isinstance(frame, str):
        raise UpstreamLost("it answers in text frames, not in MessagePack")
    try:
        return split_frame(frame)
    except MALFORMED as error:
        raise UpstreamLost(f"a frame cannot be decoded: {from_outside(str(error), 80)}") from error


def check_error(head: MessageHead, url: str) -> None:
    """Raise what an error message means for the connection; nothing if it answers a request."""
    if head.kind != "error" or head.code not in ENDING:
        return
    found = f"the venue says {head.code} {ERRORS.get(head.code, '')}"  # its own text may repeat the key
    if head.code in FATAL:
        raise CredentialsError(url, found, *FATAL[head.code])
    raise UpstreamLost(found)
