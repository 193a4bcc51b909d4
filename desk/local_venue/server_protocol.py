"""The protocol of one connection, without a socket: messages in, messages out.

Codes and texts: docs.alpaca.markets, "WebSocket Stream", section "Errors"; the greeting, authentication and
subscription flow from the same page.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final, Literal, NamedTuple

import msgspec
from msgspec.msgpack import Ext

from desk.local_venue.client_subscription import ALL, CRYPTO_CHANNELS, STOCK_CHANNELS, ClientSubscription
from desk.local_venue.column_encoders import JSON, MSGPACK, Wire
from desk.local_venue.crypto_layout import BOOKS, CRYPTO
from desk.local_venue.message_layout import MessageLayout
from desk.local_venue.stock_layout import STOCKS
from desk.local_venue.venue_settings import CRYPTO_ENDPOINT, AccessRules
from desk.model.units import SECOND_NS

ERRORS: Final = {
    400: "invalid syntax",
    401: "not authenticated",
    402: "auth failed",
    403: "already authenticated",
    404: "auth timeout",
    405: "symbol limit exceeded",
    406: "connection limit exceeded",
    407: "slow client",
    409: "insufficient subscription",
    410: "invalid subscribe action for this feed",
    500: "internal error",
}
ENDING: Final = frozenset({402, 404, 406, 407, 409})
"""Codes after which the venue closes the connection."""

Step = Literal["greeting", "auth", "subscribe", "data"]
Symbols = dict[str, list[str]]
"""Symbols by channel."""


class Reply(NamedTuple):
    """An encoded control message, b"" for none; if `ends`, the connection is closed after it."""

    data: bytes
    ends: bool = False


class ServerProtocol:
    """The state of one connection: fresh, authenticated, with a subscription.

    `binary` is MessagePack, chosen by the connect header, else JSON. `admit` is called after correct credentials; it
    takes one of the endpoint's connections, or returns False if none is left. `grant` returns the part of a
    subscription that is granted. `layouts` are those of its events.
    """

    def __init__(self, rules: AccessRules, endpoint: str, binary: bool, admit: Callable[[], bool]) -> None:
        self.binary = binary
        self.endpoint = endpoint
        self.authenticated = False
        self.subscription = ClientSubscription(CRYPTO_CHANNELS if endpoint == CRYPTO_ENDPOINT else STOCK_CHANNELS)
        self.layouts: tuple[MessageLayout, ...] = (CRYPTO, BOOKS) if endpoint == CRYPTO_ENDPOINT else (STOCKS,)
        self.grant: Callable[[Symbols], Symbols] = lambda asked: asked
        self._rules = rules
        self._admit = admit
        self._asked_binary = binary

    @property
    def wire(self) -> Wire:
        """The encoding of its events."""
        return MSGPACK if self.binary else JSON

    @property
    def step(self) -> Step:
        """The step that the client's next message belongs to."""
        return "subscribe" if self.authenticated else "auth"

    def encode(self, messages: list[dict[str, Any]]) -> bytes:
        """The messages as the payload of one frame."""
        return msgspec.msgpack.encode(messages) if self.binary else msgspec.json.encode(messages)

    def encode_stamped(self, messages: list[dict[str, Any]]) -> bytes:
        """Likewise, for messages whose `t` is in ns since the epoch."""
        return self.encode([{**message, "t": _stamp(message["t"], self.binary)} for message in messages])

    def greeting(self) -> Reply:
        """The first message of the venue."""
        return self._success("connected")

    def error(self, code: int) -> Reply:
        """An error that the server detects: a timeout, a slow client."""
        return Reply(self.encode([{"T": "error", "code": code, "msg": ERRORS[code]}]), code in ENDING)

    def receive(self, message: str | bytes) -> Reply:
        """Handle one message of the client; every message gets one answer."""
        try:
            request = _decode(message, self._asked_binary)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return self.error(400)
        action = request.pop("action", None)
        if action == "auth":
            return self._authenticate(request)
        if action != "subscribe" and action != "unsubscribe":  # noqa: PLR1714  it may be unhashable
            return self.error(400)
        if not self.authenticated:
            return self.error(401)
        return self._change(request, adding=action == "subscribe")

    def _authenticate(self, request: dict[str, Any]) -> Reply:
        if self.authenticated:
            return self.error(403)
        key, secret = request.get("key"), request.get("secret")
        if not (isinstance(key, str) and isinstance(secret, str)):
            return self.error(400)
        if self._rules.key not in {None, key} or self._rules.secret not in {None, secret}:
            return self.error(402)
        if self.endpoint not in self._rules.entitled:
            return self.error(409)
        if not self._admit():
            return self.error(406)
        self.authenticated = True
        return self._success("authenticated")

    def _change(self, request: dict[str, Any], adding: bool) -> Reply:
        known = self.subscription.channel_set
        if any(request.get(channel) for channel in known.foreign):
            return self.error(410)
        requested = [channel for channel in (*known.channels, *known.following_trades) if channel in request]
        if not requested or not all(_symbols(request[channel]) for channel in requested):
            return self.error(400)
        asked = {channel: request[channel] for channel in known.channels if channel in request}
        if adding and self._beyond_limit(asked):
            return self.error(405)
        return self.apply(asked, adding=adding)

    def apply(self, asked: Symbols, *, adding: bool) -> Reply:
        """Change the subscription; returns the acknowledgement."""
        if adding:
            self.subscription.add(self.grant(asked))
        else:
            self.subscription.remove(asked)
        return Reply(self.encode([self.subscription.acknowledgement()]))

    def _beyond_limit(self, asked: Symbols) -> bool:
        limit = self._rules.symbol_limit
        if limit is None:
            return False
        everything = any(ALL in asked.get(channel, ()) for channel in ("trades", "quotes"))
        return everything or self.subscription.limited_with(asked) > limit

    def _success(self, text: str) -> Reply:
        return Reply(self.encode([{"T": "success", "msg": text}]))


def _decode(message: str | bytes, binary: bool) -> dict[str, Any]:
    if binary and isinstance(message, bytes):
        return msgspec.msgpack.decode(message, type=dict[str, Any])
    return msgspec.json.decode(message, type=dict[str, Any])


def _symbols(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(symbol, str) for symbol in value)


def _stamp(ts_ns: int, binary: bool) -> Ext | str:
    """A time: the timestamp extension of MessagePack in its 8-byte form, or RFC 3339 text."""
    seconds, nanos = divmod(ts_ns, SECOND_NS)
    if binary:
        return Ext(-1, (nanos << 34 | seconds).to_bytes(8))
    fraction = f".{nanos:09d}" if nanos else ""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}{fraction}Z"
