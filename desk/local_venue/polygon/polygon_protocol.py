"""The protocol of one connection of Polygon's stream, without a socket: messages in, messages out.

Source: massive.com/docs, "WebSocket Quickstart": status messages, authentication, subscription; and the sources of the
client `massive` 2.9 for the statuses that it knows.

Tests: tests/desk/local_venue/test_venue_polygon_protocol.py
"""

from collections.abc import Callable
from typing import Any, Final

import msgspec

from desk.local_venue.client_subscription import ChannelSet, ClientSubscription
from desk.local_venue.column_encoders import Wire
from desk.local_venue.polygon.polygon_layout import POLYGON, POLYGON_JSON
from desk.local_venue.server_protocol import Reply, ServerProtocol, Symbols
from desk.local_venue.venue_settings import AccessRules
from desk.model.units import MINUTE_NS, MS_NS, SECOND_NS

CHANNELS: Final = {"T": "trades", "Q": "quotes", "AM": "bars", "A": "seconds", "LULD": "lulds"}
"""The venue's channels by the prefix of a topic."""
POLYGON_CHANNELS: Final = ChannelSet(tuple(CHANNELS.values()), (), ())
AGGREGATES: Final = {"b": ("AM", MINUTE_NS), "a": ("A", SECOND_NS)}
"""Event and length of bars, by the kind of the venue's message."""
STATUSES: Final = {
    400: ("error", "invalid message"),
    401: ("auth_required", "not authorized"),
    402: ("auth_failed", "authentication failed"),
    404: ("auth_timeout", "authentication timed out"),
    406: ("max_connections", "Maximum number of websocket connections exceeded."),
    407: ("slow_consumer", "the connection does not read fast enough"),
}
"""Status and message by Alpaca's code of the same fault."""
ENDING_STATUSES: Final = frozenset({"auth_failed", "auth_timeout", "max_connections", "slow_consumer"})


class PolygonServerProtocol(ServerProtocol):
    """The state of one connection; the key alone is checked. A topic is answered by one status message each."""

    def __init__(self, rules: AccessRules, endpoint: str, admit: Callable[[], bool]) -> None:
        super().__init__(rules, endpoint, False, admit)
        self.subscription = ClientSubscription(POLYGON_CHANNELS)
        self.layouts = (POLYGON,)
        self._days: dict[str, tuple[float, float, float]] = {}

    @property
    def wire(self) -> Wire:
        """The encoding of events."""
        return POLYGON_JSON

    def encode(self, messages: list[dict[str, Any]]) -> bytes:
        """The messages as the payload of one frame."""
        return msgspec.json.encode(messages)

    def encode_stamped(self, messages: list[dict[str, Any]]) -> bytes:
        """Likewise, for messages whose `t` is in ns since the epoch; bars become aggregates."""
        return self.encode([self._stamped(message) for message in messages])

    def greeting(self) -> Reply:
        """The first message of the venue."""
        return self._status("connected", "Connected Successfully")

    def error(self, code: int) -> Reply:
        """An error that the server detects: a timeout, a slow client."""
        status, text = STATUSES.get(code, ("error", f"error {code}"))
        return self._status(status, text)

    def receive(self, message: str | bytes) -> Reply:
        """Handle one message of the client; every message gets one answer."""
        try:
            request = msgspec.json.decode(message, type=dict[str, Any])
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return self.error(400)
        action, params = request.get("action"), request.get("params")
        if action not in ("auth", "subscribe", "unsubscribe") or not isinstance(params, str):
            return self.error(400)
        if action == "auth":
            return self._enter(params)
        if not self.authenticated:
            return self.error(401)
        return self._change_topics(params, adding=action == "subscribe")

    def _enter(self, key: str) -> Reply:
        if self._rules.key not in {None, key}:
            return self.error(402)
        if not self.authenticated and not self._admit():
            return self.error(406)
        self.authenticated = True
        return self._status("auth_success", "authenticated")

    def _change_topics(self, params: str, *, adding: bool) -> Reply:
        topics = [topic.strip() for topic in params.split(",") if topic.strip()]
        asked: Symbols = {}
        for topic in topics:
            prefix, _, symbol = topic.partition(".")
            if prefix in CHANNELS and symbol:
                asked.setdefault(CHANNELS[prefix], []).append(symbol)
        granted = self.grant(asked) if adding else asked
        if adding:
            self.subscription.add(granted)
        else:
            self.subscription.remove(granted)
        words = "subscribed to:" if adding else "unsubscribed to:"
        answers = []
        for topic in topics:
            prefix, _, symbol = topic.partition(".")
            if symbol in granted.get(CHANNELS.get(prefix, ""), ()):
                answers.append(_status_message("success", f"{words} {topic}"))
            elif symbol not in asked.get(CHANNELS.get(prefix, ""), ()):
                answers.append(_status_message("error", f"invalid topic: {topic}"))
        return Reply(self.encode(answers) if answers else b"")

    def _stamped(self, message: dict[str, Any]) -> dict[str, Any]:
        event = AGGREGATES.get(message["T"])
        if event is None:
            return {**message, "t": message["t"] // MS_NS}
        name, length_ns = event
        symbol, volume, vwap = message["S"], message["v"], message["vw"]
        # The day's figures start with this connection's first bar.
        opened, day_volume, notional = self._days.get(symbol, (message["o"], 0.0, 0.0))
        if name == "AM":
            day_volume, notional = day_volume + volume, notional + volume * vwap
            self._days[symbol] = (opened, day_volume, notional)
        return {
            "ev": name,
            "sym": symbol,
            "v": volume,
            "av": day_volume,
            "op": opened,
            "vw": vwap,
            "o": message["o"],
            "c": message["c"],
            "h": message["h"],
            "l": message["l"],
            "a": notional / day_volume if day_volume else vwap,
            "z": round(volume / message["n"]),
            "s": message["t"] // MS_NS,
            "e": (message["t"] + length_ns) // MS_NS,
        }

    def _status(self, status: str, text: str) -> Reply:
        return Reply(self.encode([_status_message(status, text)]), status in ENDING_STATUSES)


def _status_message(status: str, text: str) -> dict[str, str]:
    return {"ev": "status", "status": status, "message": text}
