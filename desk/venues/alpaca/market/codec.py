"""Frames of the stream into ticks and control messages, and wishes into bytes."""

from collections import Counter
from collections.abc import Callable, Sequence
from functools import reduce
from operator import attrgetter, or_
from typing import Any, Final, Literal

import msgspec
from msgspec.msgpack import Ext

from desk.model.block_rows import BlockFeedCounts
from desk.model.ticks import Cancel, Correction, Quote, Tick, Trade
from desk.streams.limits import MAX_MALFORMED, SymbolBound
from desk.venues.alpaca.market.timestamps import exts_ns, texts_ns
from desk.venues.alpaca.market.wire import (
    OTHERS,
    Acknowledgement,
    Kind,
    Other,
    Success,
    VenueError,
    WireCancel,
    WireCorrection,
    WireQuote,
    WireTrade,
)

Encoding = Literal["msgpack", "json"]
Control = Success | VenueError | Acknowledgement
CONTROLS: Final = (Success, VenueError, Acknowledgement)
CAUSE_OF_KEY: Final = (
    {"S": "symbol", "t": "time"}
    | dict.fromkeys(("p", "bp", "ap", "cp"), "price")
    | dict.fromkeys(("s", "bs", "as", "cs"), "size")
)
CLASS_OF_KIND: Final = {"t": "trades", "q": "quotes", "c": "trades", "x": "trades"}
TICKS: Final = (WireTrade, WireQuote, WireCorrection, WireCancel)
WireTick = WireTrade[Any] | WireQuote[Any] | WireCorrection[Any] | WireCancel[Any]
MOST_ID: Final = 2**64 - 1
MOST_NS: Final = 2**63 - 1
MALFORMED: Final = (msgspec.MsgspecError, ValueError, RecursionError)
"""What decoding raises; a message that is nested too deeply is one more that is malformed."""
MAX_CONDITIONS: Final = 4096
MAX_KINDS: Final = 64
MAX_KIND_CHARS: Final = 20
KNOWN: Final = frozenset(["b", "u", "d", "c", "x", "s", "l", "i", "n", "o"])
"""Kinds that are no news to the desk, read or not: bars, corrections, cancels, statuses, bands, imbalances, news,
order books."""

_stamp = attrgetter("stamp")
_symbol = attrgetter("symbol")


class SymbolError(ValueError):
    """A symbol that cannot be taken; `cause` says why."""

    def __init__(self, cause: str) -> None:
        super().__init__(cause)
        self.cause = cause


class Codec:
    """Decodes whole frames at once; only a frame that holds something malformed is taken apart.

    Malformed ticks are counted in `counts` by cause, with the first few as examples, and so is a frame that
    is no array of messages (as one trade, cause "frame"). Kinds that are not read are counted in `ignored`.
    `fault` is set where a frame holds so much that is malformed that the rest of it is not read.
    Ordinals rise by one from `ordinal`, which is that of the last tick.
    """

    def __init__(self, encoding: Encoding, place: str, counts: BlockFeedCounts, first_ordinal: int = 1) -> None:
        codec: Any = msgspec.msgpack if encoding == "msgpack" else msgspec.json
        stamp: Any = Ext if encoding == "msgpack" else str
        message = reduce(or_, (*(kind[stamp] for kind in TICKS), *CONTROLS, *OTHERS))
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
        self._conditions = _Conditions()
        self.symbols = SymbolBound()
        self.fault = ""
        self.frames = 0

    def follow(self, other: "Codec") -> None:
        """Go on where another codec of the same stream has come to."""
        self.ordinal, self.ignored, self.frames = other.ordinal, other.ignored, other.frames
        self.symbols = other.symbols

    @property
    def unknown(self) -> dict[str, int]:
        """How many messages were of kinds that the venue's documents do not name."""
        return {kind: count for kind, count in self.ignored.items() if kind not in KNOWN}

    def decode(self, frame: bytes | bytearray, received_ns: int, ticks: list[Tick]) -> list[Control]:
        """Append the frame's ticks to `ticks`, in order; the control messages in it."""
        self.frames += 1
        try:
            messages = self._frame(frame)
            kinds = list(map(type, messages))
            trades, quotes = kinds.count(WireTrade), kinds.count(WireQuote)
            if trades + quotes == len(messages):
                controls: list[Control] = []
                made = self._ticks(messages, received_ns)
            else:
                controls = [message for message in messages if isinstance(message, CONTROLS)]
                made = self._ticks([m for m in messages if isinstance(m, TICKS)], received_ns)
                trades = len(made) - quotes
                self.ignored.update(_tag(message) for message in messages if isinstance(message, Other))
        except MALFORMED:
            return self._one_by_one(frame, received_ns, ticks)
        ticks += made
        self._counts.received["trades"] += trades
        self._counts.received["quotes"] += quotes
        return controls

    def _ticks(self, messages: Sequence[WireTick], received_ns: int) -> list[Tick]:
        """The hot loop: one struct per message, positional because keywords cost twice as much."""
        if not messages:
            return []
        times_ns = self._times_ns(list(map(_stamp, messages)))
        if min(times_ns) <= 0 or max(times_ns) > MOST_NS:
            raise ValueError("a time before 1970, or beyond 64 bits")
        if cause := self.symbols.cause(set(map(_symbol, messages))):
            raise SymbolError(cause)
        if self._large_ids:
            _refuse_large_ids(messages)
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
            else _revision(n, m, ts_ns, received_ns, conditions)
            for n, m, ts_ns in zip(ordinals, messages, times_ns, strict=True)
        ]

    def _one_by_one(self, frame: bytes | bytearray, received_ns: int, ticks: list[Tick]) -> list[Control]:
        """Take a frame apart that has something malformed in it."""
        try:
            parts = self._parts(frame)
        except MALFORMED:
            self._counts.reject("trades", "frame", f"{self._place}: frame {self.frames}")
            return []
        controls: list[Control] = []
        malformed = 0
        for number, part in enumerate(parts, 1):
            if malformed >= MAX_MALFORMED:
                self.fault = f"a frame holds {malformed:,} malformed messages and more: the rest is not read"
                break
            try:
                message = self._message(part)
                if isinstance(message, Other):
                    self._ignore(_tag(message))
                elif isinstance(message, CONTROLS):
                    controls.append(message)
                else:
                    ticks += self._ticks([message], received_ns)
                    self._counts.received["quotes" if type(message) is WireQuote else "trades"] += 1
            except MALFORMED as error:
                malformed += self._reject(part, number, error)
        return controls

    def _reject(self, part: msgspec.Raw, number: int, error: Exception) -> bool:
        """Count a message that cannot be used: under its class and cause, or as of a kind that is not read (False)."""
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


def _refuse_large_ids(messages: Sequence[WireTick]) -> None:
    """JSON has whole numbers of any size; what is no 64-bit number is no id. Raises msgspec.ValidationError."""
    for message in messages:
        ids = (
            ()
            if isinstance(message, WireQuote)
            else (getattr(message, name, 0) for name in ("trade_id", "original_id"))
        )
        if any((each or 0) > MOST_ID for each in ids):
            raise msgspec.ValidationError("Expected at most 64 bits - at `$.i`")


def _quote(ordinal: int, m: Any, ts_ns: int, received_ns: int, conditions: str) -> Quote:
    exchange = m.bid_exchange
    if exchange != m.ask_exchange:
        exchange = f"{exchange}/{m.ask_exchange}"
    return Quote(ordinal, m.symbol, ts_ns, received_ns, m.bid, m.bid_size, m.ask, m.ask_size, exchange, conditions)


def _revision(ordinal: int, m: Any, ts_ns: int, received_ns: int, conditions: "_Conditions") -> Correction | Cancel:
    head = (ordinal, m.symbol, ts_ns, received_ns, m.original_id or 0)
    if type(m) is WireCancel:
        return Cancel(*head, m.exchange, m.tape, m.price, m.size)
    original = (m.original_price, m.original_size, conditions[m.original_conditions])
    letters = conditions[m.conditions]
    return Correction(*head, m.price, m.size, letters, m.exchange, m.trade_id or 0, m.tape, *original)


class _Conditions(dict[tuple[str, ...] | None, str]):
    """Condition letters joined, remembered; " " means regular and stands for nothing."""

    def __missing__(self, letters: tuple[str, ...] | None) -> str:
        if len(self) >= MAX_CONDITIONS:
            self.clear()
        joined = self[letters] = "".join(letters or ()).replace(" ", "")
        return joined


def _tag(message: Other) -> str:
    return str(message.__struct_config__.tag)


def _cause(error: Exception) -> str:
    """The cause by the key at which decoding failed: "… - at `$.bp`", "… missing required field `t`"."""
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
