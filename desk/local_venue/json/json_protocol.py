"""The protocol of one connection of the generic JSON feed, without a socket: messages in, messages out.

The key stands in the header X-API-Key of the opening handshake. Requests are {"method": "subscribe" | "unsubscribe",
"params": {"symbols": [...]}, "id": 1} and {"method": "ping", "id": 2}; "*" stands for all symbols.

Tests: tests/desk/local_venue/test_json_feed.py
"""

from collections.abc import Callable
from typing import Any, Final

import msgspec

from desk.local_venue.client_subscription import ChannelSet, ClientSubscription
from desk.local_venue.column_encoders import Wire
from desk.local_venue.json.tick_layout import TICK_JSON, TICKS
from desk.local_venue.server_protocol import ENDING, ERRORS, Reply, ServerProtocol
from desk.local_venue.venue_settings import AccessRules

KEY_HEADER: Final = "X-API-Key"
TICK_CHANNELS: Final = ChannelSet(("quotes",), (), ())


class JsonServerProtocol(ServerProtocol):
    """The state of one connection. The client is authenticated by the handshake."""

    def __init__(self, rules: AccessRules, endpoint: str, admit: Callable[[], bool]) -> None:
        super().__init__(rules, endpoint, False, admit)
        self.subscription = ClientSubscription(TICK_CHANNELS)
        self.layouts = (TICKS,)

    @property
    def wire(self) -> Wire:
        """The encoding of events."""
        return TICK_JSON

    def greeting(self) -> Reply:
        """Take one of the endpoint's connections: no message, or an error if none is left."""
        if not self._admit():
            return self.error(406)
        self.authenticated = True
        return Reply(b"")

    def error(self, code: int) -> Reply:
        """An error that the server detects: a slow client."""
        return self._answer({"error": {"code": code, "message": ERRORS[code]}}, ends=code in ENDING)

    def receive(self, message: str | bytes) -> Reply:
        """Handle one message of the client; every message gets one answer."""
        try:
            request = msgspec.json.decode(message, type=dict[str, Any])
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return self.error(400)
        number = {"id": request["id"]} if "id" in request else {}
        method, params = request.get("method"), request.get("params")
        if method == "ping":
            return self._answer({**number, "method": "pong"})
        symbols: Any = params.get("symbols") if isinstance(params, dict) else None
        is_list = isinstance(symbols, list) and all(isinstance(symbol, str) for symbol in symbols)
        if method not in ("subscribe", "unsubscribe") or not is_list:
            return self._answer({**number, "error": {"code": 400, "message": ERRORS[400]}})
        if method == "subscribe":
            self.subscription.add(self.grant({"quotes": symbols}))
        else:
            self.subscription.remove({"quotes": symbols})
        return self._answer({**number, "result": {"symbols": list(self.subscription.symbols("quotes"))}})

    def _answer(self, content: dict[str, Any], *, ends: bool = False) -> Reply:
        return Reply(msgspec.json.encode(content), ends)
