"""The Alpaca stream as a state machine: greeting, authentication, subscription, data. No socket inside."""

from collections.abc import Callable, Collection, Iterable
from typing import Final

from desk.model.block_rows import BlockFeedCounts
from desk.model.notes import Level
from desk.model.notices import PriceBands, TradingStatus, VenueBar
from desk.model.ticks import Cancel, Correction, Event, Quote, Trade
from desk.streams.limits import MAX_SYMBOL_CHARS, MAX_SYMBOLS
from desk.streams.stream_protocol import HangUp
from desk.telemetry import formatting
from desk.venues.alpaca.market.codec import Codec, Control
from desk.venues.alpaca.market.encoding import encoding_of
from desk.venues.alpaca.market.subscription import TICK_CHANNELS, Subscription
from desk.venues.alpaca.market.venue_errors import (
    INVALID_ACTION,
    SLOW_CLIENT,
    SYMBOL_LIMIT,
    error_meaning,
    found_error,
)
from desk.venues.alpaca.market.wire import Acknowledgement, Success, VenueError
from desk.venues.frame_codec import Encoding, FrameCodec
from desk.venues.received_events import skip_unwanted
from desk.venues.venue_protocol import ProtocolBase

ENCODING_NAMES: Final[dict[Encoding, str]] = {"msgpack": "MessagePack", "json": "JSON"}
CHANNEL_OF: Final[dict[type, str]] = {
    Trade: "trades",
    Quote: "quotes",
    Correction: "trades",
    Cancel: "trades",
    VenueBar: "bars",
    TradingStatus: "statuses",
    PriceBands: "lulds",
}


class AlpacaProtocol(ProtocolBase):
    """Turns received bytes into ticks, and subscriptions into bytes to send.

    `channels` are those of the plan, `helpers` those that the desk adds and can do without. Notices are in `ticks`, in
    order. If the venue uses another encoding or kind of frame than requested, the protocol switches to it.
    `dropped` and `dropped_helpers` are the channels that the venue refuses (410), with the reason. `slow_clients`
    counts how often the venue closed the connection because the desk read too slowly (407). Key and secret are never
    printed, and are removed from the venue's texts.
    """

    def __init__(
        self,
        key: str,
        secret: str,
        *,
        place: str,
        channels: Collection[str],
        helpers: Collection[str] = (),
        counts: BlockFeedCounts,
        encoding: Encoding = "msgpack",
        first_ordinal: int = 1,
        make_codec: Callable[..., FrameCodec] = Codec,
    ) -> None:
        super().__init__(place, counts, (key, secret))
        self.requested: Encoding = encoding
        self.binary = encoding == "msgpack"
        self.encoding = ""
        self.headers = {"Content-Type": "application/msgpack"} if self.binary else {}
        self._make_codec = make_codec
        self.codec = make_codec(encoding, place, counts, first_ordinal)
        self._codecs: dict[Encoding, FrameCodec] = {encoding: self.codec}
        self.subscription = Subscription(channels, helpers)
        self.dropped: dict[str, str] = {}
        self.dropped_helpers: dict[str, str] = {}
        self._was_subscribed = False
        self._beyond_limit: set[str] = set()
        self._limit_found = ""
        self._key = key
        self._secret = secret
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
        return f"the answer to subscription request {self._requests}" if self.subscription.pending else ""

    @property
    def settled(self) -> bool:
        """Whether the first subscription of this connection is acknowledged, as far as the venue grants it."""
        return self.ready and self.subscription.acknowledged

    @property
    def listening(self) -> bool:
        """Whether trades or quotes are subscribed, so that silence is a fault."""
        return self.settled and self.subscription.has_ticks

    @property
    def refused(self) -> dict[str, list[str]]:
        """The symbols that the venue does not grant, by channel of the plan."""
        return self.subscription.refused

    @property
    def unknown(self) -> dict[str, int]:
        """Messages of unknown kinds, by kind."""
        return self.codec.unknown

    def subscribe(self, symbols: Iterable[str]) -> None:
        """Subscribe to symbols, most wanted first; "*" means all."""
        self.subscription.add(symbols)

    def unsubscribe(self, symbols: Iterable[str]) -> None:
        """Unsubscribe from symbols; their ticks are skipped from now on."""
        self.subscription.remove(symbols)

    def resubscribe(self, symbols: Iterable[str]) -> None:
        """Unsubscribe the trades and quotes of these symbols, and subscribe them again."""
        self.subscription.resubscribe(symbols)

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
        self.note_full(self.codec.symbols)
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
            self.note(f"the venue uses {self.encoding} instead of {requested}; the desk switched to it")

    def _use_codec(self, encoding: Encoding) -> None:
        if encoding != self.codec.encoding:
            codec = self._codecs.get(encoding)
            if codec is None:
                codec = self._codecs[encoding] = self._make_codec(encoding, self.place, self.counts)
            codec.continue_from(self.codec)
            self.codec = codec

    def _on_control(self, message: Control) -> None:
        if isinstance(message, Acknowledgement):
            self._acknowledge(message)
        elif isinstance(message, VenueError):
            self._on_error(message.code, self.shown(message.msg))
        elif isinstance(message, Success):
            self._greeted = self._greeted or message.msg == "connected"
            self.ready = self.ready or message.msg == "authenticated"

    def _on_error(self, code: int, text: str) -> None:
        """Apply an error: to the pending request, if it is about that, else to the connection."""
        self.slow_clients += code == SLOW_CLIENT
        if code in {SYMBOL_LIMIT, INVALID_ACTION} and self.subscription.pending:
            if self._request_refused(code, found_error(code, text)):
                return
        elif code in {SYMBOL_LIMIT, INVALID_ACTION} and self.settled:
            self.note(f"{found_error(code, text)}, in answer to no request: ignored")
            return
        self.verdict = error_meaning(code, text, self.place, was_subscribed=self._was_subscribed)

    def _request_refused(self, code: int, found: str) -> bool:
        """Apply an error to the pending request; return False if the feed cannot do without what is refused."""
        if code == SYMBOL_LIMIT:
            self._limit_found = found
            can_continue = self.subscription.exceeded()
            if can_continue:
                self._note_limit()
            return can_continue
        channel = self.subscription.invalid()
        if channel and channel not in TICK_CHANNELS:
            self._note_dropped(channel, found)
        return channel not in TICK_CHANNELS

    def _note_limit(self) -> None:
        """Report once the symbols for which the account's limit leaves no room."""
        beyond = set[str]().union(*map(self.subscription.beyond_limit, self.subscription.wanted))
        new, self._beyond_limit = beyond - self._beyond_limit, beyond
        if new:
            which = f"{formatting.some(len(new), 'symbol')}: {formatting.names(new)}"
            text = f"{self._limit_found}: no room for {which}. They are requested again when others leave"
            self.note(text, "error")

    def _note_dropped(self, channel: str, found: str) -> None:
        """Report once that the venue refuses a channel."""
        is_helper = channel in self.subscription.helpers
        (self.dropped_helpers if is_helper else self.dropped)[channel] = found
        level: Level = "warning" if is_helper else "error"
        self.note(f"the channel {channel} is left out: {found}", level)

    def _acknowledge(self, message: Acknowledgement) -> None:
        """Apply an acknowledgement; one with too many or too long symbols ends the connection."""
        for symbols in message.by_channel().values():
            if len(symbols) > MAX_SYMBOLS or any(len(symbol) > MAX_SYMBOL_CHARS for symbol in symbols):
                self.verdict = HangUp(f"it acknowledged {len(symbols):,} symbols, too many or too long")
                return
        self.subscription.acknowledge(message)
        self._was_subscribed = self._was_subscribed or self.subscription.acknowledged
        if self._limit_found:
            self._note_limit()

    def _skip_unwanted(self, first: int) -> None:
        """Remove and count the ticks and notices that are not subscribed."""
        is_wanted = self.subscription.is_wanted
        skip_unwanted(self.ticks, first, self.counts, lambda event: is_wanted(_channel_of(event), event.symbol))


def _channel_of(event: Event) -> str:
    if isinstance(event, VenueBar) and event.updated:
        return "updatedBars"
    return CHANNEL_OF[type(event)]
