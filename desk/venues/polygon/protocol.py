"""The Polygon stream as a state machine: greeting, authentication, subscription, data. No socket inside."""

from collections.abc import Iterable
from typing import Final

import msgspec

from desk.model.block_rows import BlockFeedCounts
from desk.model.errors import CredentialsError, DeskError
from desk.streams.stream_protocol import HangUp
from desk.venues.polygon.codec import PolygonCodec
from desk.venues.polygon.subscription import Action, TopicSubscription
from desk.venues.polygon.wire import PolygonStatus
from desk.venues.venue_protocol import VenueProtocol

PREFIXES: Final = {"trades": "T", "quotes": "Q", "bars": "AM", "lulds": "LULD"}
"""The prefixes of topics, by channel."""
HELPERS: Final = frozenset({"bars", "lulds"})
CONSENT: Final[dict[str, Action]] = {"subscribed to:": "subscribe", "unsubscribed to:": "unsubscribe"}
RETRIED: Final = {
    "auth_timeout": "it waited too long for the authentication",
    "max_connections": "another connection of this account is open; each account has one for each cluster",
    "force_disconnect": "it ends the connection",
}
SLOW: Final = "slow_consumer"
_encode: Final = msgspec.json.Encoder().encode


class PolygonProtocol(VenueProtocol):
    """Turns received text into ticks and notices, and subscriptions into messages to send.

    `channels` are those of the plan. The desk adds HELPERS, which it can do without: minute bars, and price bands with
    halts.
    """

    def __init__(
        self, key: str, *, place: str, channels: Iterable[str], counts: BlockFeedCounts, first_ordinal: int = 1
    ) -> None:
        named = tuple(channels)
        super().__init__(place, counts, (*named, *sorted(HELPERS.difference(named))), [key])
        self.codec = PolygonCodec(place, counts, first_ordinal)
        self.subscription = TopicSubscription(self.wanted, PREFIXES, HELPERS.difference(named))
        self._key = key
        self._requests = 0
        self._greeted = False
        self._authenticating = False

    @property
    def awaiting(self) -> str:
        """The message that the venue has to send next; "" if none."""
        if not self._greeted:
            return "the greeting"
        if not self.ready:
            return "the answer to the authentication"
        pending = self.subscription.pending
        return "" if pending is None or pending.is_helper else f"the answer to subscription request {self._requests}"

    @property
    def settled(self) -> bool:
        """Whether the first subscription of this connection is answered."""
        return self.ready and self.subscription.acknowledged

    @property
    def listening(self) -> bool:
        """Whether anything is subscribed, so that silence is a fault."""
        return self.settled and self.wanted.any

    @property
    def refused(self) -> dict[str, list[str]]:
        """The symbols that the venue does not grant, by channel."""
        return self.subscription.refused

    @property
    def unknown(self) -> dict[str, int]:
        """Messages of unknown kinds, by kind."""
        return self.codec.unknown

    @property
    def unmapped(self) -> dict[str, int]:
        """Numbers of conditions, exchanges, tapes and bands without a letter, by name."""
        return dict(self.codec.codes.unmapped)

    def connected(self) -> None:
        """Reset for a new connection."""
        self.ready = self._greeted = self._authenticating = False
        self.verdict = None
        self.codec.fault = ""
        self.subscription.connected()

    def data_to_send(self) -> list[bytes]:
        """The messages to send now: the authentication, or the next subscription request."""
        if self._greeted and not self._authenticating:
            self._authenticating = True
            return [_encode({"action": "auth", "params": self._key})]
        if self.ready and (request := self.subscription.request()) is not None:
            self._requests += 1
            return [_encode({"action": request.action, "params": ",".join(sorted(request.topics))})]
        return []

    def receive(self, message: bytes | bytearray, received_ns: int, *, text: bool = False) -> None:  # noqa: ARG002
        """Decode one message of the socket; its ticks and notices are appended to `ticks`."""
        first = len(self.ticks)
        for control in self.codec.decode(message, received_ns, self.ticks):
            self._on_status(control)
        if self.codec.fault and self.verdict is None:
            self.verdict = HangUp(self.codec.fault)
        self.skip_unwanted(first, self.codec.symbols)

    def _on_status(self, answer: PolygonStatus) -> None:
        status = answer.status
        if status == "connected":
            self._greeted = True
        elif status == "auth_success":
            self.ready = True
        elif status == "success":
            self._consent(answer.message)
        elif status == "error" and self.ready:
            is_helper = self.subscription.reject(answer.message)
            self.note_once(f"the venue refuses: {self.shown(answer.message)}", "warning" if is_helper else "error")
        else:
            self.slow_clients += status == SLOW
            self.verdict = self._verdict(status, self.shown(f"{status} {answer.message}".rstrip()))

    def _consent(self, text: str) -> None:
        for words, action in CONSENT.items():
            if text.startswith(words):
                self.subscription.answered(action, {topic.strip() for topic in text.removeprefix(words).split(",")})

    def _verdict(self, status: str, said: str) -> DeskError | HangUp:
        """A DeskError if a retry cannot help, else a HangUp with the reason; unknown statuses are retried."""
        found = f"the venue says {said}"
        if status in {"auth_failed", "error"}:
            return CredentialsError(
                self.place,
                found,
                "a key that the venue accepts, of an account with this stream",
                "Set POLYGON_API_KEY to a key of this account; [feed] name chooses the delayed stream.",
            )
        why = RETRIED.get(status)
        return HangUp(f"{found}: {why}" if why else found, at_once=status == SLOW)
