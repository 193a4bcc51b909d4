"""Decodes frames into ticks and control messages, and encodes requests."""

from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any, Final

import msgspec
from msgspec.msgpack import Ext

from desk.model.block_rows import BlockFeedCounts
from desk.model.notices import PriceBands, TradingStatus, VenueBar
from desk.model.ticks import Cancel, Correction, Event, EventClass, Quote, Trade
from desk.venues.alpaca.market.wire import (
    UNUSED_MESSAGES,
    Acknowledgement,
    Kind,
    Success,
    UnusedMessage,
    VenueError,
    WireBands,
    WireBar,
    WireCancel,
    WireCorrection,
    WireQuote,
    WireStatus,
    WireTrade,
    WireUpdatedBar,
)
from desk.venues.frame_codec import Encoding, FrameCodec, MessageTypes, times_of
from desk.venues.timestamps import exts_ns, texts_ns

Control = Success | VenueError | Acknowledgement
CONTROL_TYPES: Final = (Success, VenueError, Acknowledgement)
CAUSE_OF_KEY: Final = (
    {"S": "symbol", "t": "time"}
    | dict.fromkeys(("p", "bp", "ap", "cp"), "price")
    | dict.fromkeys(("s", "bs", "as", "cs"), "size")
)
CLASS_OF_KIND: Final[dict[str, EventClass]] = {
    "t": "trades",
    "q": "quotes",
    "c": "trades",
    "x": "trades",
    "s": "notices",
    "l": "notices",
    "b": "notices",
    "u": "notices",
}
NOTICE_TYPES: Final = (WireStatus, WireBands, WireBar, WireUpdatedBar)
EVENT_TYPES: Final = (WireTrade, WireQuote, WireCorrection, WireCancel, *NOTICE_TYPES)
WireTick = WireTrade[Any] | WireQuote[Any] | WireCorrection[Any] | WireCancel[Any]
WireNotice = WireStatus[Any] | WireBands[Any] | WireBar[Any]
WireEvent = WireTick | WireNotice
MAX_ID: Final = 2**64 - 1
MAX_CONDITIONS: Final = 4096
KNOWN_KINDS: Final = frozenset(["b", "u", "d", "c", "x", "s", "l", "i", "n", "o"])
"""Kinds never reported as unknown: bars, corrections, cancels, statuses, bands, imbalances, news, order books."""

_stamp = attrgetter("stamp")
_symbol = attrgetter("symbol")


class Codec(FrameCodec):
    """Decodes ticks and notices; a frame of trades and quotes alone takes the shortest way."""

    def __init__(self, encoding: Encoding, place: str, counts: BlockFeedCounts, first_ordinal: int = 1) -> None:
        stamp: Any = Ext if encoding == "msgpack" else str
        types = MessageTypes(
            data=(*(kind[stamp] for kind in EVENT_TYPES), *UNUSED_MESSAGES),
            controls=CONTROL_TYPES,
            kind=Kind,
            classes=CLASS_OF_KIND,
            causes=CAUSE_OF_KEY,
            unused=KNOWN_KINDS,
        )
        super().__init__(types, encoding, place, counts, first_ordinal)
        self._times_ns: Callable[[Sequence[Any]], list[int]] = exts_ns if encoding == "msgpack" else texts_ns
        self._large_ids = encoding == "json"
        self._conditions = _ConditionCache()

    def _take(self, messages: Sequence[Any], received_ns: int, events: list[Event]) -> list[Control]:
        kinds = list(map(type, messages))
        trades, quotes = kinds.count(WireTrade), kinds.count(WireQuote)
        if trades + quotes < len(messages):
            return super()._take(messages, received_ns, events)
        events += self._ticks(messages, received_ns)
        self._counts.received["trades"] += trades
        self._counts.received["quotes"] += quotes
        return []

    def _events(self, messages: Sequence[Any], received_ns: int) -> list[Event]:
        events = self._ticks([m for m in messages if not isinstance(m, UnusedMessage)], received_ns)
        for message in messages:
            if isinstance(message, UnusedMessage):
                self._ignore(str(message.__struct_config__.tag))
        return events

    def _ticks(self, messages: Sequence[WireEvent], received_ns: int) -> list[Event]:
        """The hot loop: positional arguments, because keywords take twice the time."""
        if not messages:
            return []
        times_ns = times_of(list(map(_stamp, messages)), self._times_ns)
        self._require_symbols(set(map(_symbol, messages)))
        if self._large_ids:
            _reject_large_ids(messages)
        conditions = self._conditions
        trade, quote = WireTrade, WireQuote
        ordinals = range(self.ordinal + 1, self.ordinal + 1 + len(messages))
        self.ordinal += len(messages)
        return [
            Trade(
                n,
                m.symbol,
                ts_ns,
                received_ns,
                m.price,
                m.size,
                conditions[m.conditions],
                m.exchange,
                m.trade_id or 0,
                m.tape,
            )
            if type(m) is trade
            else _quote(n, m, ts_ns, received_ns, conditions[m.conditions])
            if type(m) is quote
            else _other(n, m, ts_ns, received_ns, conditions)
            for n, m, ts_ns in zip(ordinals, messages, times_ns, strict=True)
        ]


def _reject_large_ids(messages: Sequence[WireEvent]) -> None:
    """Raise msgspec.ValidationError for an id beyond 64 bits: JSON allows integers of any size."""
    for message in messages:
        ids = (
            ()
            if isinstance(message, (WireQuote, *NOTICE_TYPES))
            else (getattr(message, name, 0) for name in ("trade_id", "original_id"))
        )
        if any((each or 0) > MAX_ID for each in ids):
            raise msgspec.ValidationError("Expected at most 64 bits - at `$.i`")


def _quote(ordinal: int, m: Any, ts_ns: int, received_ns: int, conditions: str) -> Quote:
    exchange = m.bid_exchange
    if exchange != m.ask_exchange:
        exchange = f"{exchange}/{m.ask_exchange}"
    return Quote(ordinal, m.symbol, ts_ns, received_ns, m.bid, m.bid_size, m.ask, m.ask_size, exchange, conditions)


def _other(n: int, m: Any, ts_ns: int, received_ns: int, conditions: "_ConditionCache") -> Event:
    """A message that is rarer than trades and quotes."""
    if isinstance(m, WireBar):
        vwap = float("nan") if m.vwap is None else m.vwap
        prices = (m.open, m.high, m.low, m.close)
        return VenueBar(n, m.symbol, ts_ns, received_ns, *prices, m.volume, m.trades, vwap, type(m) is WireUpdatedBar)
    if isinstance(m, WireStatus):
        texts = (m.code, m.message, m.reason_code, m.reason)
        return TradingStatus(n, m.symbol, ts_ns, received_ns, *texts, m.tape)
    if isinstance(m, WireBands):
        return PriceBands(n, m.symbol, ts_ns, received_ns, m.down, m.up, m.indicator, m.tape)
    return _revision(n, m, ts_ns, received_ns, conditions)


def _revision(ordinal: int, m: Any, ts_ns: int, received_ns: int, conditions: "_ConditionCache") -> Correction | Cancel:
    head = (ordinal, m.symbol, ts_ns, received_ns, m.original_id or 0)
    if type(m) is WireCancel:
        return Cancel(*head, m.exchange, m.tape, m.price, m.size)
    original = (m.original_price, m.original_size, conditions[m.original_conditions])
    letters = conditions[m.conditions]
    return Correction(*head, m.price, m.size, letters, m.exchange, m.trade_id or 0, m.tape, *original)


class _ConditionCache(dict[tuple[str, ...] | None, str]):
    """A cache of joined condition letters, without " ", which means a regular trade."""

    def __missing__(self, letters: tuple[str, ...] | None) -> str:
        if len(self) >= MAX_CONDITIONS:
            self.clear()
        joined = self[letters] = "".join(letters or ()).replace(" ", "")
        return joined
