"""The Alpaca stream as a state machine: greeting, authentication, subscription, data. No socket inside."""

from collections.abc import Iterable
from typing import Final

from desk.model.block_rows import BlockFeedCounts
from desk.model.errors import DeskError
from desk.model.notes import Note
from desk.model.plain_text import from_outside
from desk.model.ticks import Quote, Tick
from desk.streams.limits import MAX_SYMBOL_CHARS, MAX_SYMBOLS, MAX_TEXT_CHARS
from desk.streams.stream_protocol import HangUp
from desk.venues.alpaca.market.codec import Codec, Control, Encoding
from desk.venues.alpaca.market.encoding import encoding_of
from desk.venues.alpaca.market.subscription import Subscription
from desk.venues.alpaca.market.venue_errors import SLOW_CLIENT, error_meaning
from desk.venues.alpaca.market.wire import Acknowledgement, Success, VenueError

NAMES: Final[dict[Encoding, str]] = {"msgpack": "MessagePack", "json": "JSON"}


class AlpacaProtocol:
    """Data bytes in, ticks out; wishes in, bytes out.

    A venue that answers in another encoding than was asked for is followed: its messages are read in the encoding that
    they are in, and answered in the same, in frames of the same kind.
    `slow_clients` counts how often the venue hung up because the desk read too slowly (407). Key and secret
    are in nothing that is printed; the venue's own words are searched for them.
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
        self.asked: Encoding = encoding
        self.binary = encoding == "msgpack"
        self.encoding = ""
        self.headers = {"Content-Type": "application/msgpack"} if self.binary else {}
        self.codec = Codec(encoding, place, counts, first_ordinal)
        self._codecs: dict[Encoding, Codec] = {encoding: self.codec}
        self._notes: list[Note] = []
        self._known_kinds = 0
        self._named: set[str] = set()
        self.counts = counts
        self.subscription = Subscription(channels)
        self.ticks: list[Tick] = []
        self.verdict: HangUp | DeskError | None = None
        self.slow_clients = 0
        self.ready = False
        self._key = key
        self._secret = secret
        self._requests = 0
        self._greeted = False
        self._authenticating = False
        self._is_full = False

    def __repr__(self) -> str:
        return f"AlpacaProtocol({self.place!r}, ready={self.ready})"

    @property
    def awaiting(self) -> str:
        """What the venue owes now; "" when nothing."""
        if not self._greeted:
            return "the greeting"
        if not self.ready:
            return "the answer to the authentication"
        return f"the answer to subscription request {self._requests}" if self.subscription.pending else ""

    @property
    def settled(self) -> bool:
        """Whether the venue has acknowledged the first subscription of this connection, as far as it grants it."""
        return self.ready and self.subscription.acknowledged

    @property
    def listening(self) -> bool:
        """Whether anything is wanted at all."""
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
        """The encoding that had to be followed, kinds that came for the first time and are unknown."""
        if len(self.codec.ignored) != self._known_kinds:
            self._known_kinds = len(self.codec.ignored)
            new = [kind for kind in self.unknown if kind not in self._named]
            self._named.update(new)
            self._notes += [Note(f"{self.place}: messages of an unknown kind, {kind!r}, are not read") for kind in new]
        notes, self._notes = self._notes, []
        return notes

    def subscribe(self, symbols: Iterable[str]) -> None:
        """Want these symbols; "*" is all of them."""
        self.subscription.want(symbols)

    def unsubscribe(self, symbols: Iterable[str]) -> None:
        """Want these no more: what still arrives of them is skipped."""
        self.subscription.forget(symbols)

    def drop_quotes(self, symbols: Iterable[str]) -> None:
        """Ask the venue to send no quotes of these for now."""
        self.subscription.without_quotes(symbols)

    def restore_quotes(self, symbols: Iterable[str]) -> None:
        """Ask for them again."""
        self.subscription.with_quotes(symbols)

    def connected(self) -> None:
        """Begin anew on a new connection."""
        self.ready = self._greeted = self._authenticating = False
        self.verdict = None
        for codec in self._codecs.values():
            codec.fault = ""
        self._use(self.asked)
        self.binary = self.asked == "msgpack"
        self.subscription.connected()

    def receive(self, message: bytes | bytearray, received_ns: int, *, text: bool = False) -> None:
        """Take one message of the socket in."""
        first = len(self.ticks)
        encoding = encoding_of(message, text=text)
        if encoding is not None:
            self.binary = not text
            if encoding != self.codec.encoding:
                self._follow(encoding, text=text)
        for control in self.codec.decode(message, received_ns, self.ticks):
            self._on_control(control)
        if self.codec.fault and self.verdict is None:
            self.verdict = HangUp(self.codec.fault)
        if self.codec.symbols.is_full and not self._is_full:
            self._is_full = True
            why = f"more than {MAX_SYMBOLS:,} different symbols came: ticks of others are rejected as `symbols`"
            self._notes.append(Note(f"{self.place}: {why}", "error"))
        if not self.subscription.exact:
            self._skip_unwanted(first)

    def data_to_send(self) -> list[bytes]:
        """What has to go out now: the authentication, or the next subscription request."""
        if self._greeted and not self._authenticating:
            self._authenticating = True
            return [self.codec.encode({"action": "auth", "key": self._key, "secret": self._secret})]
        if self.ready and (request := self.subscription.request()) is not None:
            self._requests += 1
            return [self.codec.encode(request)]
        return []

    def _follow(self, encoding: Encoding, *, text: bool) -> None:
        """Read and write another encoding from now on; reported once."""
        self._use(encoding)
        if encoding != self.asked and not self.encoding:
            self.encoding = f"{NAMES[encoding]} in {'text' if text else 'binary'} frames"
            asked = NAMES[self.asked]
            self._notes.append(
                Note(f"{self.place}: the venue sends {self.encoding}, though {asked} was asked for: it is followed")
            )

    def _use(self, encoding: Encoding) -> None:
        if encoding != self.codec.encoding:
            codec = self._codecs.get(encoding)
            if codec is None:
                codec = self._codecs[encoding] = Codec(encoding, self.place, self.counts)
            codec.follow(self.codec)
            self.codec = codec

    def _on_control(self, message: Control) -> None:
        if isinstance(message, Acknowledgement):
            self._acknowledge(message)
        elif isinstance(message, VenueError):
            self.slow_clients += message.code == SLOW_CLIENT
            self.verdict = error_meaning(message.code, self._shown(message.msg), self.place)
        elif isinstance(message, Success):
            self._greeted = self._greeted or message.msg == "connected"
            self.ready = self.ready or message.msg == "authenticated"

    def _acknowledge(self, message: Acknowledgement) -> None:
        """Take an acknowledgement in; one that names more than any venue has would never come to an end."""
        for symbols in (message.trades or [], message.quotes or []):
            if len(symbols) > MAX_SYMBOLS or any(len(symbol) > MAX_SYMBOL_CHARS for symbol in symbols):
                self.verdict = HangUp(f"it acknowledges {len(symbols):,} symbols, or such as are none")
                return
        self.subscription.acknowledge(message)

    def _skip_unwanted(self, first: int) -> None:
        """Take out what was not asked for, or not any more."""
        takes = self.subscription.takes
        kept: list[Tick] = []
        for tick in self.ticks[first:]:
            channel = "quotes" if isinstance(tick, Quote) else "trades"
            if channel in self.subscription.wanted and takes(channel, tick.symbol):
                kept.append(tick)
            else:
                self.counts.received[channel] -= 1
                self.counts.skipped[channel] += 1
        self.ticks[first:] = kept

    def _shown(self, text: str) -> str:
        """The venue's own words, without key and secret."""
        for secret in (self._key, self._secret):
            if secret:
                text = text.replace(secret, "*****")
        return from_outside(text, MAX_TEXT_CHARS)
