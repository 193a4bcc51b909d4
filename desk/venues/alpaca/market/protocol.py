"""The Alpaca stream as a state machine: greeting, authentication, subscription, data. No socket inside."""

from collections.abc import Iterable
from typing import Final

from desk.model.block_rows import BlockFeedCounts
from desk.model.errors import DeskError
from desk.model.notes import Note
from desk.model.plain_text import from_outside
from desk.model.ticks import Event, Quote
from desk.streams.limits import MAX_SYMBOL_CHARS, MAX_SYMBOLS, MAX_TEXT_CHARS
from desk.streams.stream_protocol import HangUp
from desk.venues.alpaca.market.codec import Codec, Control, Encoding
from desk.venues.alpaca.market.encoding import encoding_of
from desk.venues.alpaca.market.subscription import Subscription
from desk.venues.alpaca.market.venue_errors import SLOW_CLIENT, error_meaning
from desk.venues.alpaca.market.wire import Acknowledgement, Success, VenueError

ENCODING_NAMES: Final[dict[Encoding, str]] = {"msgpack": "MessagePack", "json": "JSON"}


class AlpacaProtocol:
    """Turns received bytes into ticks, and subscriptions into bytes to send.

    If the venue uses another encoding or kind of frame than requested, the protocol switches to it.
    `slow_clients` counts how often the venue closed the connection because the desk read too slowly (407). Key and
    secret are never printed, and are removed from the venue's texts.
    """

    def __init__(
        self,
        key: str,
        secret: str,
        *,
        place: str,
        channels: frozenset[str],
        counts: BlockFeedCounts,
        encoding: Encoding = "msgpack",
        first_ordinal: int = 1,
    ) -> None:
        self.place = place
        self.requested: Encoding = encoding
        self.binary = encoding == "msgpack"
        self.encoding = ""
        self.headers = {"Content-Type": "application/msgpack"} if self.binary else {}
        self.codec = Codec(encoding, place, counts, first_ordinal)
        self._codecs: dict[Encoding, Codec] = {encoding: self.codec}
        self._notes: list[Note] = []
        self._known_kinds = 0
        self._reported_kinds: set[str] = set()
        self.counts = counts
        self.subscription = Subscription(channels)
        self.ticks: list[Event] = []
        self.verdict: HangUp | DeskError | None = None
        self.slow_clients = 0
        self.ready = False
        self._key = key
        self._secret = secret
        self._requests = 0
        self._greeted = False
        self._authenticating = False
        self._reported_full = False

    def __repr__(self) -> str:
        return f"AlpacaProtocol({self.place!r}, ready={self.ready})"

    @property
    def awaiting(self) -> str:
        """The message that the venue has to send next; "" if none."""
        if not self._greeted:
            return "the greeting"
        if not self.ready:
            return "the answer to the authentication"
        return f"the answer to subscription request {self._requests}" if self.subscription.pending else ""

    @property
    def settled(self) -> bool:
        """Whether the first subscription of this connection is acknowledged, as far as the venue grants it."""
        return self.ready and self.subscription.acknowledged

    @property
    def listening(self) -> bool:
        """Whether anything is subscribed, so that silence is a fault."""
        return self.settled and any(self.subscription.wanted.values())

    @property
    def refused(self) -> dict[str, list[str]]:
        """The symbols that the venue does not grant, by channel."""
        return {channel: sorted(symbols) for channel, symbols in self.subscription.missing.items() if symbols}

    @property
    def unknown(self) -> dict[str, int]:
        """Messages of unknown kinds, by kind."""
        return self.codec.unknown

    def take_notes(self) -> list[Note]:
        """New notes since the last call: a switch of the encoding, unknown kinds of messages, too many symbols."""
        if len(self.codec.ignored) != self._known_kinds:
            self._known_kinds = len(self.codec.ignored)
            new = [kind for kind in self.unknown if kind not in self._reported_kinds]
            self._reported_kinds.update(new)
            self._notes += [Note(f"{self.place}: messages of the unknown kind {kind!r} are ignored") for kind in new]
        notes, self._notes = self._notes, []
        return notes

    def subscribe(self, symbols: Iterable[str]) -> None:
        """Subscribe to symbols; "*" means all."""
        self.subscription.add(symbols)

    def unsubscribe(self, symbols: Iterable[str]) -> None:
        """Unsubscribe from symbols; their ticks are skipped from now on."""
        self.subscription.remove(symbols)

    def drop_quotes(self, symbols: Iterable[str]) -> None:
        """Unsubscribe from the quotes of these symbols for a time."""
        self.subscription.drop_quotes(symbols)

    def restore_quotes(self, symbols: Iterable[str]) -> None:
        """Subscribe to the quotes of these symbols again."""
        self.subscription.restore_quotes(symbols)

    def connected(self) -> None:
        """Reset for a new connection."""
        self.ready = self._greeted = self._authenticating = False
        self.verdict = None
        for codec in self._codecs.values():
            codec.fault = ""
        self._use_codec(self.requested)
        self.binary = self.requested == "msgpack"
        self.subscription.connected()

    def receive(self, message: bytes | bytearray, received_ns: int, *, text: bool = False) -> None:
        """Decode one message of the socket; its ticks are appended to `ticks`."""
        first = len(self.ticks)
        encoding = encoding_of(message, text=text)
        if encoding is not None:
            self.binary = not text
            if encoding != self.codec.encoding:
                self._switch_encoding(encoding, text=text)
        for control in self.codec.decode(message, received_ns, self.ticks):
            self._on_control(control)
        if self.codec.fault and self.verdict is None:
            self.verdict = HangUp(self.codec.fault)
        if self.codec.symbols.is_full and not self._reported_full:
            self._reported_full = True
            why = f"more than {MAX_SYMBOLS:,} different symbols: ticks of further ones are rejected as `symbols`"
            self._notes.append(Note(f"{self.place}: {why}", "error"))
        if not self.subscription.exact:
            self._skip_unwanted(first)

    def data_to_send(self) -> list[bytes]:
        """The messages to send now: the authentication, or the next subscription request."""
        if self._greeted and not self._authenticating:
            self._authenticating = True
            return [self.codec.encode({"action": "auth", "key": self._key, "secret": self._secret})]
        if self.ready and (request := self.subscription.request()) is not None:
            self._requests += 1
            return [self.codec.encode(request)]
        return []

    def _switch_encoding(self, encoding: Encoding, *, text: bool) -> None:
        """Read and write another encoding from now on, and report it once."""
        self._use_codec(encoding)
        if encoding != self.requested and not self.encoding:
            self.encoding = f"{ENCODING_NAMES[encoding]} in {'text' if text else 'binary'} frames"
            requested = ENCODING_NAMES[self.requested]
            self._notes.append(
                Note(f"{self.place}: the venue uses {self.encoding} instead of {requested}; the desk switched to it")
            )

    def _use_codec(self, encoding: Encoding) -> None:
        if encoding != self.codec.encoding:
            codec = self._codecs.get(encoding)
            if codec is None:
                codec = self._codecs[encoding] = Codec(encoding, self.place, self.counts)
            codec.continue_from(self.codec)
            self.codec = codec

    def _on_control(self, message: Control) -> None:
        if isinstance(message, Acknowledgement):
            self._acknowledge(message)
        elif isinstance(message, VenueError):
            self.slow_clients += message.code == SLOW_CLIENT
            self.verdict = error_meaning(message.code, self._without_secrets(message.msg), self.place)
        elif isinstance(message, Success):
            self._greeted = self._greeted or message.msg == "connected"
            self.ready = self.ready or message.msg == "authenticated"

    def _acknowledge(self, message: Acknowledgement) -> None:
        """Apply an acknowledgement; one with too many or too long symbols ends the connection."""
        for symbols in (message.trades or [], message.quotes or []):
            if len(symbols) > MAX_SYMBOLS or any(len(symbol) > MAX_SYMBOL_CHARS for symbol in symbols):
                self.verdict = HangUp(f"it acknowledged {len(symbols):,} symbols, too many or too long")
                return
        self.subscription.acknowledge(message)

    def _skip_unwanted(self, first: int) -> None:
        """Remove and count the ticks that are not subscribed."""
        is_wanted = self.subscription.is_wanted
        kept: list[Event] = []
        for tick in self.ticks[first:]:
            channel = "quotes" if isinstance(tick, Quote) else "trades"
            if channel in self.subscription.wanted and is_wanted(channel, tick.symbol):
                kept.append(tick)
            else:
                self.counts.received[channel] -= 1
                self.counts.skipped[channel] += 1
        self.ticks[first:] = kept

    def _without_secrets(self, text: str) -> str:
        """The venue's text without key and secret."""
        for secret in (self._key, self._secret):
            if secret:
                text = text.replace(secret, "*****")
        return from_outside(text, MAX_TEXT_CHARS)
