"""A small complete venue with text frames of JSON and no credentials, the example of docs/how-to/add-a-venue.md.

The client sends {"subscribe": ["A"]}, the venue answers {"type": "subscribed", "symbols": ["A"]}, then sends
one trade a message: {"type": "trade", "symbol": "A", "price": 1.0, "size": 100, "time_ns": 1700000000000000000}.
"""

from collections.abc import Sequence
from typing import Annotated

import msgspec
from msgspec import Meta
from pydantic import SecretStr

from desk.config import Plan
from desk.feeds.live.socket_feed import SocketFeed
from desk.model.block_rows import BlockFeedCounts
from desk.model.feed_position import FeedPosition
from desk.model.ticks import Trade
from desk.streams.limits import SymbolBound
from desk.venues.feed_factory import LiveFactory, LiveSetup
from desk.venues.received_events import count_received
from desk.venues.socket_feeds import open_socket_feed, stream_place
from desk.venues.venue_protocol import VenueProtocol
from desk.venues.wire_types import Price, Size, Symbol


class TradeMessage(msgspec.Struct, tag_field="type", tag="trade"):
    symbol: Symbol
    price: Price
    size: Size
    time_ns: Annotated[int, Meta(gt=0, le=2**63 - 1)]


class Subscribed(msgspec.Struct, tag_field="type", tag="subscribed"):
    symbols: list[str]


decode = msgspec.json.Decoder(TradeMessage | Subscribed).decode


class TickerProtocol(VenueProtocol):
    """Bytes in, trades out."""

    def __init__(self, place: str, counts: BlockFeedCounts, first_ordinal: int) -> None:
        super().__init__(place, counts, channels=["trades"])
        self.ready = True
        self._symbols = SymbolBound()
        self._ordinal = first_ordinal
        self._asked: set[str] | None = None
        self._granted: set[str] | None = None

    @property
    def awaiting(self) -> str:
        return "" if self._asked is None else "the answer to the subscription"

    @property
    def settled(self) -> bool:
        return self._granted is not None

    @property
    def listening(self) -> bool:
        return bool(self._granted)

    def connected(self) -> None:
        self.verdict = self._asked = self._granted = None

    def data_to_send(self) -> list[bytes]:
        wanted = self.wanted.of("trades")
        if self._asked is not None or wanted == self._granted:
            return []
        self._asked = wanted
        return [msgspec.json.encode({"subscribe": sorted(wanted)})]

    def receive(self, message: bytes | bytearray, received_ns: int, *, text: bool = False) -> None:
        first = len(self.ticks)
        try:
            found = decode(message)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            self.counts.reject("trades", "message", self.place)
            return
        if isinstance(found, Subscribed):
            self._granted, self._asked = set(found.symbols), None
        elif cause := self._symbols.cause({found.symbol}):
            self.counts.reject("trades", cause, self.place)
        else:
            self.ticks.append(Trade(self._ordinal, found.symbol, found.time_ns, received_ns, found.price, found.size))
            self._ordinal += 1
            count_received(self.counts, self.ticks[first:])
            self.skip_unwanted(first, self._symbols)


class TickerFactory(LiveFactory):
    """Opens the venue's stream for a plan."""

    def open(self, plan: Plan, keys: Sequence[SecretStr], setup: LiveSetup, resume: FeedPosition | None) -> SocketFeed:
        url, counts = self.url(plan), BlockFeedCounts()
        protocol = TickerProtocol(stream_place("ticker", url), counts, setup.first_ordinal)
        return open_socket_feed(url, protocol, counts, plan, setup, resume)
