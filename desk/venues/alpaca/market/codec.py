"""Decodes frames into ticks and control messages, and encodes requests."""

from collections import Counter
from collections.abc import Callable, Sequence
from functools import reduce
from operator import attrgetter, or_
from typing import Any, Final, Literal

import msgspec
from msgspec.msgpack import Ext

from desk.model.block_rows import BlockFeedCounts
from desk.model.notices import PriceBands, TradingStatus, VenueBar
from desk.model.ticks import Cancel, Correction, Event, EventClass, Quote, Trade
from desk.streams.limits import MAX_MALFORMED, SymbolBound
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
from desk.venues.timestamps import exts_ns, texts_ns

Encoding = Literal["msgpack", "json"]
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
MAX_TIME_NS: Final = 2**63 - 1
MALFORMED: Final = (msgspec.MsgspecError, ValueError, RecursionError)
"""What decoding raises for malformed messages; RecursionError is for one that is nested too deeply."""
MAX_CONDITIONS: Final = 4096
MAX_KINDS: Final = 64
MAX_KIND_CHARS: Final = 20
KNOWN_KINDS: Final = frozenset(["b", "u", "d", "c", "x", "s", "l", "i", "n", "o"])
"""Kinds never reported as unknown: bars, corrections, cancels, statuses, bands, imbalances, news, order books."""

_stamp = attrgetter("stamp")
_symbol = attrgetter("symbol")


class SymbolError(ValueError):
    """A symbol that is rejected, with its `cause`."""

    def __init__(self, cause: str) -> None:
        super().__init__(cause)
        self.cause = cause


class Codec:
    """Decodes a frame in one call; only a frame with malformed messages is decoded message by message.

    `counts` has the malformed ticks and notices by cause, with the first few as examples. A frame that is not an array
    of messages counts as one trade, with the cause "frame". `ignored` counts messages of unused kinds. `fault` is set
    when a frame has reached MAX_MALFORMED malformed messages: the rest of it is skipped.
    `ordinal` is that of the last tick or notice; the next one has the next number.
    """

    def __init__(self, encoding: Encoding, place: str, counts: BlockFeedCounts, first_ordinal: int = 1) -> None:
        codec: Any = msgspec.msgpack if encoding == "msgpack" else msgspec.json
        stamp: Any = Ext if encoding == "msgpack" else str
        message = reduce(or_, (*(kind[stamp] for kind in EVENT_TYPES), *CONTROL_TYPES, *UNUSED_MESSAGES))
        self.encoding = encoding
        self.encode: Callable[[object], bytes] = codec.Encoder().encode
        self.ordinal = first_ordinal - 1
        self.ignored: Counter[str] = Counter()
        self._place = place
        self._counts = counts
        self._frame = codec.Decoder(list[message]).decode  # type: ignore[valid-type]
        self._parts = codec.Decoder(list[msgspec.Raw]).decode
        self._message = codec.Decoder(message).decode
        self._kind = codec.Decoder(Kind).decode
        self._times_ns: Callable[[Sequence[Any]], list[int]] = exts_ns if encoding == "msgpack" else texts_ns
        self._large_ids = encoding == "json"
        self._conditions = _ConditionCache()
        self.symbols = SymbolBound()
        self.fault = ""
        self.frames = 0

    def continue_from(self, other: "Codec") -> None:
        """Take over ordinal and counts from another codec of the same stream."""
        self.ordinal, self.ignored, self.frames = other.ordinal, other.ignored, other.frames
        self.symbols = other.symbols

    @property
    def unknown(self) -> dict[str, int]:
        """Message counts of kinds that the venue's documents do not name."""
        return {kind: count for kind, count in self.ignored.items() if kind not in KNOWN_KINDS}

    def decode(self, frame: bytes | bytearray, received_ns: int, ticks: list[Event]) -> list[Control]:
        """Append the frame's ticks and notices to `ticks`, in order; return its control messages."""
        self.frames += 1
        try:
            messages = self._frame(frame)
            kinds = list(map(type, messages))
            trades, quotes = kinds.count(WireTrade), kinds.count(WireQuote)
            if trades + quotes == len(messages):
                controls: list[Control] = []
                decoded = self._ticks(messages, received_ns)
            else:
                controls = [message for message in messages if isinstance(message, CONTROL_TYPES)]
                decoded = self._ticks([m for m in messages if isinstance(m, EVENT_TYPES)], received_ns)
                notices = sum(map(kinds.count, NOTICE_TYPES))
                trades = len(decoded) - quotes - notices
                self._counts.received["notices"] += notices
                self.ignored.update(_kind_of(message) for message in messages if isinstance(message, UnusedMessage))
        except MALFORMED:
            return self._decode_singly(frame, received_ns, ticks)
        ticks += decoded
        self._counts.received["trades"] += trades
        self._counts.received["quotes"] += quotes
        return controls

    def _ticks(self, messages: Sequence[WireEvent], received_ns: int) -> list[Event]:
        """The hot loop: positional arguments, because keywords take twice the time."""
        if not messages:
            return []
        times_ns = self._times_ns(list(map(_stamp, messages)))
        if min(times_ns) <= 0 or max(times_ns) > MAX_TIME_NS:
            raise ValueError("a time before 1970, or beyond 64 bits")
        if cause := self.symbols.cause(set(map(_symbol, messages))):
            raise SymbolError(cause)
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

    def _decode_singly(self, frame: bytes | bytearray, received_ns: int, ticks: list[Event]) -> list[Control]:
        """Decode a frame with malformed messages message by message."""
        try:
            parts = self._parts(frame)
        except MALFORMED:
            self._counts.reject("trades", "frame", f"{self._place}: frame {self.frames}")
            return []
        controls: list[Control] = []
        malformed = 0
        for number, part in enumerate(parts, 1):
            if malformed >= MAX_MALFORMED:
                self.fault = f"a frame has {malformed:,} malformed messages or more: the rest of it was skipped"
                break
            try:
                message = self._message(part)
                if isinstance(message, UnusedMessage):
                    self._ignore(_kind_of(message))
                elif isinstance(message, CONTROL_TYPES):
                    controls.append(message)
                else:
                    ticks += self._ticks([message], received_ns)
                    self._counts.received[CLASS_OF_KIND[_kind_of(message)]] += 1
            except MALFORMED as error:
                malformed += self._reject(part, number, error)
        return controls

    def _reject(self, part: msgspec.Raw, number: int, error: Exception) -> bool:
        """Count a malformed message by class and cause, and return True; one of an unused kind is ignored (False)."""
        try:
            kind = self._kind(part).kind
        except MALFORMED:
            kind = None
        place = f"{self._place}: frame {self.frames}, message {number}"
        if not isinstance(kind, str):
            self._counts.reject("trades", "kind", place)
        elif kind in CLASS_OF_KIND:
            self._counts.reject(CLASS_OF_KIND[kind], _cause(error), place)
        else:
            self._ignore(kind)
            return False
        return True

    def _ignore(self, kind: str) -> None:
        kind = kind[:MAX_KIND_CHARS]
        if kind not in self.ignored and len(self.ignored) >= MAX_KINDS:
            kind = "…"
        self.ignored[kind] += 1


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


def _kind_of(message: Any) -> str:
    """The `T` of a decoded message."""
    return str(message.__struct_config__.tag)


def _cause(error: Exception) -> str:
    """The cause, by the key in the decoder's message: "… - at `$.bp`", "… missing required field `t`"."""
    if isinstance(error, SymbolError):
        return error.cause
    if isinstance(error, RecursionError):
        return "message"
    if not isinstance(error, msgspec.MsgspecError):
        return "time"
    key = str(error).rstrip("`").rpartition("`")[2].removeprefix("$.")
    if key == "$":
        key = str(error).partition("field `")[2].partition("`")[0]
    return CAUSE_OF_KEY.get(key, "message")
