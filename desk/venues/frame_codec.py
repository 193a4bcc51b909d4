"""Decodes frames that are arrays of messages, each with its kind: a malformed message affects no other message.

Tests: tests/desk/venues/test_hostile_frames.py
"""

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from operator import or_
from typing import Any, Final, Literal, NamedTuple

import msgspec

from desk.model.block_rows import BlockFeedCounts
from desk.model.ticks import Event
from desk.streams.limits import MAX_MALFORMED, SymbolBound
from desk.venues.received_events import count_received

Encoding = Literal["msgpack", "json"]
MALFORMED: Final = (msgspec.MsgspecError, ValueError, RecursionError)
"""What decoding raises for malformed messages; RecursionError is for one that is nested too deeply."""
MAX_TIME_NS: Final = 2**63 - 1
MAX_KINDS: Final = 64
MAX_KIND_CHARS: Final = 20
MORE: Final = "…"


class FieldError(ValueError):
    """A message that is rejected for one of its fields: `cause` is what the rejection is counted under."""

    def __init__(self, cause: str) -> None:
        super().__init__(cause)
        self.cause = cause


class MessageTypes(NamedTuple):
    """The messages of a venue.

    `data` are the types that become ticks and notices, `controls` those that `decode` returns. `kind` has one field,
    `kind`, which distinguishes malformed messages: `classes` is the class that a malformed message of a kind counts
    under. `causes` is the cause by the name of the field. Kinds in `unused` are known, and ignored.
    """

    data: tuple[Any, ...]
    controls: tuple[Any, ...]
    kind: type
    classes: Mapping[str, str]
    causes: Mapping[str, str]
    unused: frozenset[str]


class FrameCodec(ABC):
    """Decodes a frame in one call; only a frame with malformed or unused messages is decoded message by message.

    `counts` has the malformed messages by cause, with the first few as examples. A frame that is not an array of
    messages counts as one trade, with the cause "frame". `ignored` counts messages of unused and unknown kinds. `fault`
    is set when a frame has reached MAX_MALFORMED malformed messages: the rest of it is skipped. `ordinal` is that of
    the last tick; the next tick has the next number.
    """

    def __init__(
        self, types: MessageTypes, encoding: Encoding, place: str, counts: BlockFeedCounts, first_ordinal: int = 1
    ) -> None:
        codec: Any = msgspec.msgpack if encoding == "msgpack" else msgspec.json
        message = reduce(or_, (*types.data, *types.controls))
        self.encoding = encoding
        self.encode: Callable[[object], bytes] = codec.Encoder().encode
        self.ordinal = first_ordinal - 1
        self.ignored: Counter[str] = Counter()
        self.symbols = SymbolBound()
        self.fault = ""
        self.frames = 0
        self._types = types
        self._place = place
        self._counts = counts
        self._frame = codec.Decoder(list[message]).decode  # type: ignore[valid-type]
        self._parts = codec.Decoder(list[msgspec.Raw]).decode
        self._message = codec.Decoder(message).decode
        self._kind = codec.Decoder(types.kind).decode

    def continue_from(self, other: "FrameCodec") -> None:
        """Take over ordinal and counts from another codec of the same stream."""
        self.ordinal, self.ignored, self.frames = other.ordinal, other.ignored, other.frames
        self.symbols = other.symbols

    @property
    def unknown(self) -> dict[str, int]:
        """Message counts of kinds that the venue's documents do not name."""
        return {kind: count for kind, count in self.ignored.items() if kind not in self._types.unused}

    def decode(self, frame: bytes | bytearray, received_ns: int, events: list[Event]) -> list[Any]:
        """Append the frame's ticks and notices to `events`, in order; return its control messages."""
        self.frames += 1
        try:
            return self._take(self._frame(frame), received_ns, events)
        except MALFORMED:
            return self._decode_singly(frame, received_ns, events)

    def _take(self, messages: Sequence[Any], received_ns: int, events: list[Event]) -> list[Any]:
        """Append the ticks and notices of a frame's messages; return the control messages.

        Raises one of MALFORMED if one of the messages is malformed, before any state is changed.
        """
        controls = self._types.controls
        found = self._events([message for message in messages if type(message) not in controls], received_ns)
        events += found
        count_received(self._counts, found)
        return [message for message in messages if type(message) in controls]

    @abstractmethod
    def _events(self, messages: Sequence[Any], received_ns: int) -> list[Event]:
        """The ticks and notices of these messages, with the next ordinals.

        Raises one of MALFORMED if one of the messages is malformed, before any state is changed.
        """

    def _require_symbols(self, symbols: set[str]) -> None:
        """Accept these symbols. Raises FieldError."""
        if cause := self.symbols.cause(symbols):
            raise FieldError(cause)

    def _decode_singly(self, frame: bytes | bytearray, received_ns: int, events: list[Event]) -> list[Any]:
        """Decode a frame message by message."""
        try:
            parts = self._parts(frame)
        except MALFORMED:
            self._counts.reject("trades", "frame", f"{self._place}: frame {self.frames}")
            return []
        controls: list[Any] = []
        malformed = 0
        for number, part in enumerate(parts, 1):
            if malformed >= MAX_MALFORMED:
                self.fault = f"a frame has {malformed:,} malformed messages or more: the rest of it was skipped"
                break
            try:
                message = self._message(part)
                if type(message) in self._types.controls:
                    controls.append(message)
                else:
                    found = self._events([message], received_ns)
                    events += found
                    count_received(self._counts, found)
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
        elif kind in self._types.classes:
            self._counts.reject(self._types.classes[kind], cause_of(error, self._types.causes), place)
        else:
            self._ignore(kind)
            return False
        return True

    def _ignore(self, kind: str) -> None:
        kind = kind[:MAX_KIND_CHARS]
        if kind not in self.ignored and len(self.ignored) >= MAX_KINDS:
            kind = MORE
        self.ignored[kind] += 1


def times_of(stamps: Sequence[Any], times_ns: Callable[[Sequence[Any]], list[int]]) -> list[int]:
    """The times that `times_ns` reads from the venue's stamps. Raises FieldError for a time that cannot be."""
    try:
        times = times_ns(stamps)
    except MALFORMED:
        raise FieldError("time") from None
    if times and not 0 < min(times) <= max(times) <= MAX_TIME_NS:
        raise FieldError("time")
    return times


def cause_of(error: Exception, causes: Mapping[str, str]) -> str:
    """The cause, by the key in the decoder's message: "… - at `$.bp`", "… missing required field `t`"."""
    if isinstance(error, FieldError):
        return error.cause
    if not isinstance(error, msgspec.MsgspecError):
        return "message"
    key = str(error).rstrip("`").rpartition("`")[2].removeprefix("$.")
    if key == "$":
        key = str(error).partition("field `")[2].partition("`")[0]
    return causes.get(key, "message")
