"""Decodes the crypto stream's frames into ticks, and encodes requests.

Tests: tests/desk/venues/alpaca/test_crypto_codec.py
"""

from collections.abc import Callable, Sequence
from typing import Any, Final

from msgspec.msgpack import Ext

from desk.model.block_rows import BlockFeedCounts
from desk.model.ticks import Event, Quote, Trade
from desk.venues.alpaca.crypto.order_book import BookTop, OrderBook
from desk.venues.alpaca.crypto.wire import CryptoAcknowledgement, CryptoKind, WireBook
from desk.venues.alpaca.market.wire import Acknowledgement, Success, VenueError, WireQuote, WireTrade
from desk.venues.frame_codec import Encoding, FieldError, FrameCodec, MessageTypes, times_of
from desk.venues.timestamps import exts_ns, texts_ns

MAX_ID: Final = 2**64 - 1
CAUSES: Final = (
    {"S": "symbol", "t": "time"}
    | dict.fromkeys(("p", "bp", "ap"), "price")
    | dict.fromkeys(("s", "bs", "as"), "size")
    | dict.fromkeys(("b", "a", "r"), "book")
)
UNUSED: Final = frozenset({"b", "u", "d"})
"""Bars."""


class CryptoCodec(FrameCodec):
    """Decodes trades, quotes, and order books, whose top becomes a quote when it changes.

    With `uses_books` the quotes of a subscription are the order books' tops: requests and answers name that channel.
    """

    def __init__(
        self, encoding: Encoding, place: str, counts: BlockFeedCounts, first_ordinal: int = 1, *, uses_books: bool
    ) -> None:
        stamp: Any = Ext if encoding == "msgpack" else str
        types = MessageTypes(
            data=(WireTrade[stamp], WireQuote[stamp], WireBook[stamp]),
            controls=(Success, VenueError, CryptoAcknowledgement),
            kind=CryptoKind,
            classes={"t": "trades", "q": "quotes", "o": "quotes"},
            causes=CAUSES,
            unused=UNUSED,
        )
        super().__init__(types, encoding, place, counts, first_ordinal)
        self.uses_books = uses_books
        self.books: dict[str, OrderBook] = {}
        self._tops: dict[str, BookTop] = {}
        self._times_ns: Callable[[Sequence[Any]], list[int]] = exts_ns if encoding == "msgpack" else texts_ns
        self._encode = self.encode
        self.encode = self._encode_request

    def continue_from(self, other: FrameCodec) -> None:
        """Take over ordinal, counts and books from another codec of the same stream."""
        super().continue_from(other)
        if isinstance(other, CryptoCodec):
            self.books, self._tops = other.books, other._tops  # noqa: SLF001 - of the same class

    def forget_books(self) -> None:
        """Forget the order books: a new connection sends them anew."""
        self.books.clear()
        self._tops.clear()

    def decode(self, frame: bytes | bytearray, received_ns: int, events: list[Event]) -> list[Any]:
        """Append the frame's ticks; return its control messages, with the books' subscription as that of quotes."""
        return [
            Acknowledgement(trades=each.trades, quotes=each.orderbooks if self.uses_books else each.quotes)
            if isinstance(each, CryptoAcknowledgement)
            else each
            for each in super().decode(frame, received_ns, events)
        ]

    def _encode_request(self, request: Any) -> bytes:
        if self.uses_books and isinstance(request, dict) and "quotes" in request:
            request = {("orderbooks" if name == "quotes" else name): value for name, value in request.items()}
        return self._encode(request)

    def _events(self, messages: Sequence[Any], received_ns: int) -> list[Event]:
        times_ns = self._checked_times_ns(messages)
        self._require_symbols({message.symbol for message in messages})
        events: list[Event] = []
        for message, ts_ns in zip(messages, times_ns, strict=True):
            head = (self.ordinal + 1, message.symbol, ts_ns, received_ns)
            found: Event | None
            if isinstance(message, WireTrade):
                found = Trade(*head, message.price, message.size, trade_id=message.trade_id or 0)
            elif isinstance(message, WireQuote):
                found = Quote(*head, message.bid, message.bid_size, message.ask, message.ask_size)
            else:
                found = self._quote_of_book(message, head)
            if found is not None:
                self.ordinal += 1
                events.append(found)
        return events

    def _checked_times_ns(self, messages: Sequence[Any]) -> list[int]:
        """The times of the messages. Raises FieldError for a time or an id that cannot be."""
        times_ns = times_of([message.stamp for message in messages], self._times_ns)
        if any((message.trade_id or 0) > MAX_ID for message in messages if isinstance(message, WireTrade)):
            raise FieldError("id")
        return times_ns

    def _quote_of_book(self, message: WireBook[Any], head: tuple[int, str, int, int]) -> Quote | None:
        """The book's top as a quote; None if it is the same as before."""
        symbol = message.symbol
        book = self.books.setdefault(symbol, OrderBook())
        top = book.apply(message.bids or (), message.asks or (), reset=message.reset)
        if top == self._tops.get(symbol):
            return None
        self._tops[symbol] = top
        return Quote(*head, *top)
