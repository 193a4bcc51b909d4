"""A small complete venue with text frames of JSON and no credentials, the example of docs/how-to/add-a-venue.md.

The client sends {"subscribe": ["A"]}, the venue answers {"type": "subscribed", "symbols": ["A"]}, then sends
one trade a message: {"type": "trade", "symbol": "A", "price": 1.0, "size": 100, "time_ns": 1700000000000000000}.
"""

from collections.abc import Iterable, Sequence
from typing import Annotated

import msgspec
from msgspec import Meta
from pydantic import SecretStr

from desk.config import Plan
from desk.feeds.live.session_clock import RealSession
from desk.feeds.live.socket_feed import SocketFeed
from desk.model.block_rows import BlockFeedCounts
from desk.model.errors import DeskError
from desk.model.feed_position import FeedPosition
from desk.model.notes import Note
from desk.model.ticks import Event, Trade
from desk.streams.limits import MAX_PRICE, MAX_SIZE, MAX_SYMBOL_CHARS
from desk.streams.stream_protocol import HangUp
from desk.venues.feed_factory import LiveFactory, LiveSetup


class WireTrade(msgspec.Struct, tag_field="type", tag="trade"):
    symbol: Annotated[str, Meta(min_length=1, max_length=MAX_SYMBOL_CHARS)]
    price: Annotated[float, Meta(gt=0, le=MAX_PRICE)]
    size: Annotated[float, Meta(gt=0, le=MAX_SIZE)]
    time_ns: Annotated[int, Meta(gt=0, le=2**63 - 1)]


class Subscribed(msgspec.Struct, tag_field="type", tag="subscribed"):
    symbols: list[str]


decode = msgspec.json.Decoder(WireTrade | Subscribed).decode


class TickerProtocol:
    """Bytes in, trades out."""

    binary = False
    slow_clients = 0
    encoding = ""

    def __init__(self, place: str, counts: BlockFeedCounts, first_ordinal: int) -> None:
        self.place = place
        self.headers: dict[str, str] = {}
        self.ticks: list[Event] = []
        self.verdict: HangUp | DeskError | None = None
        self.refused: dict[str, list[str]] = {}
        self.unknown: dict[str, int] = {}
        self._counts = counts
        self._ordinal = first_ordinal
        self._wanted: set[str] = set()
        self._asked: set[str] | None = None
        self._granted: set[str] | None = None

    @property
    def awaiting(self) -> str:
        return "" if self._asked is None else "the answer to the subscription"

    @property
    def ready(self) -> bool:
        return True

    @property
    def settled(self) -> bool:
        return self._granted is not None

    @property
    def listening(self) -> bool:
        return bool(self._granted)

    def subscribe(self, symbols: Iterable[str]) -> None:
        self._wanted.update(symbols)

    def unsubscribe(self, symbols: Iterable[str]) -> None:
        self._wanted.difference_update(symbols)

    def drop_quotes(self, symbols: Iterable[str]) -> None:
        """It has no quotes."""

    def restore_quotes(self, symbols: Iterable[str]) -> None:
        """It has no quotes."""

    def take_notes(self) -> list[Note]:
        return []

    def connected(self) -> None:
        self.verdict = self._asked = self._granted = None

    def data_to_send(self) -> list[bytes]:
        if self._asked is not None or self._wanted == self._granted:
            return []
        self._asked = set(self._wanted)
        return [msgspec.json.encode({"subscribe": sorted(self._asked)})]

    def receive(self, message: bytes | bytearray, received_ns: int, *, text: bool = False) -> None:
        try:
            found = decode(message)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            self._counts.reject("trades", "message", self.place)
            return
        if isinstance(found, Subscribed):
            self._granted, self._asked = set(found.symbols), None
        elif found.symbol in self._wanted:
            self._counts.received["trades"] += 1
            self.ticks.append(
                Trade(self._ordinal, found.symbol, found.time_ns, received_ns, found.price, found.size, "", "", 0, "")
            )
            self._ordinal += 1


class TickerFactory(LiveFactory):
    """Opens the venue's stream for a plan."""

    def url(self, plan: Plan) -> str:
        return plan.feed.url or "wss://ticker.example/stream"

    def open(self, plan: Plan, keys: Sequence[SecretStr], setup: LiveSetup, resume: FeedPosition | None) -> SocketFeed:
        url, counts = self.url(plan), BlockFeedCounts()
        place = f"ticker {url}"
        return SocketFeed(
            url,
            TickerProtocol(place, counts, setup.first_ordinal),
            counts,
            clock=setup.clock,
            session=RealSession(setup.clock, place),
            start_ns=setup.session.start_ns,
            stop_ns=setup.session.stop_ns,
            hours=setup.session.hours,
            is_open=setup.is_open,
            resume=resume,
        )
