"""A JSON stream as a state machine: the key in a header, requests by the plan's text, ticks. No socket inside."""

from collections.abc import Iterable
from typing import Any, Final

import msgspec

from desk.config import FeedPlan
from desk.config.json_plan import KEY, SYMBOLS
from desk.model.block_rows import BlockFeedCounts
from desk.streams.stream_protocol import HangUp
from desk.venues.json.codec import JsonCodec
from desk.venues.venue_protocol import VenueProtocol

MAX_PER_REQUEST: Final = 500
NO_SYMBOL: Final = "without a symbol"
_encode: Final = msgspec.json.Encoder().encode


class JsonProtocol(VenueProtocol):
    """Turns received text into ticks, and subscriptions into messages to send.

    Nothing is known about the answers to subscriptions: as many objects without a symbol as there were requests are
    taken for answers, and a subscription counts as granted once it is requested.
    """

    def __init__(
        self, feed: FeedPlan, key: str, *, place: str, counts: BlockFeedCounts, first_ordinal: int = 1
    ) -> None:
        super().__init__(place, counts, feed.channels, [key])
        self.headers = {name: value.replace(KEY, key) for name, value in feed.headers.items()}
        self.codec = JsonCodec(feed.map, place, counts, first_ordinal)
        self._requests = {"subscribe": feed.subscribe, "unsubscribe": feed.unsubscribe}
        self._key = key
        self._asked: set[str] = set()
        self._owed = 0
        self._others = 0
        self._sent = False

    @property
    def awaiting(self) -> str:
        """Nothing: see above."""
        return ""

    @property
    def settled(self) -> bool:
        """Whether the first subscription of this connection was requested."""
        return self._sent

    @property
    def listening(self) -> bool:
        """Whether anything is subscribed, so that silence is a fault."""
        return self._sent and self.wanted.any

    @property
    def unknown(self) -> dict[str, int]:
        """Objects that are neither ticks nor answers."""
        return {NO_SYMBOL: self._others} if self._others else {}

    def connected(self) -> None:
        """Reset for a new connection."""
        self.verdict = None
        self.ready = True
        self._sent = False
        self._owed = 0
        self._asked.clear()
        self.codec.fault = ""
        self.codec.forget_volumes()

    def data_to_send(self) -> list[bytes]:
        """The requests that make the subscription the wanted one."""
        if not self.ready:
            return []
        self._sent = True
        wanted = set().union(*(self.wanted.of(channel) for channel in self.wanted.channels))
        changes = {"unsubscribe": self._asked - wanted, "subscribe": wanted - self._asked}
        self._asked = wanted
        return [
            message
            for action, symbols in changes.items()
            if self._requests[action]
            for message in self._messages(self._requests[action], sorted(symbols))
        ]

    def receive(self, message: bytes | bytearray, received_ns: int, *, text: bool = False) -> None:  # noqa: ARG002
        """Decode one message of the socket; its ticks are appended to `ticks`."""
        first = len(self.ticks)
        for other in self.codec.decode(message, received_ns, self.ticks):
            self._on_other(other)
        if self.codec.fault and self.verdict is None:
            self.verdict = HangUp(self.codec.fault)
        if self.codec.activity:
            self.note_once("the volume has no price: its increase is activity only, bars have none", "info")
        self.skip_unwanted(first, self.codec.symbols)

    def _messages(self, request: str, symbols: list[str]) -> Iterable[bytes]:
        for start in range(0, len(symbols), MAX_PER_REQUEST):
            self._owed += 1
            listed = _encode(symbols[start : start + MAX_PER_REQUEST]).decode()
            yield request.replace(SYMBOLS, listed).replace(KEY, _encode(self._key).decode()[1:-1]).encode()

    def _on_other(self, message: dict[str, Any]) -> None:
        """Note an error, and count what is no answer to a request."""
        if message.get("error"):
            said = self.shown(_encode(message).decode())
            self.note_once(f"the venue reports an error: {said}", "error")
        if self._owed:
            self._owed -= 1
        else:
            self._others += 1
