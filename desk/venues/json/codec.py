"""Decodes a JSON stream's messages into quotes, and into trades where the volume is cumulative."""

from typing import Any, Final

import msgspec

from desk.config import JsonMap
from desk.model.block_rows import BlockFeedCounts
from desk.model.ticks import Event, Quote, Trade
from desk.streams.limits import MAX_MALFORMED, SymbolBound
from desk.venues.frame_codec import MALFORMED, FieldError
from desk.venues.json.fields import FieldReader, number_of, symbol_of, time_reader
from desk.venues.received_events import count_received

UNKNOWN_SIZE: Final = 100.0
"""The size of a side whose size the venue does not send."""
_decode: Final = msgspec.json.Decoder().decode


class JsonCodec:
    """Decodes messages. `ordinal` is that of the last tick; `activity` is the volume that came without a price.

    A malformed tick counts under "quotes" with its cause. `fault` is set when a message has reached MAX_MALFORMED
    malformed ticks: the rest of it is skipped.
    """

    def __init__(self, fields: JsonMap, place: str, counts: BlockFeedCounts, first_ordinal: int = 1) -> None:
        self.ordinal = first_ordinal - 1
        self.activity = 0.0
        self.fault = ""
        self.messages = 0
        self.symbols = SymbolBound()
        self._place = place
        self._counts = counts
        self._fields = fields
        self._ticks, self._symbol = FieldReader(fields.ticks), FieldReader(fields.symbol)
        self._time, self._time_ns = FieldReader(fields.time), time_reader(fields.time_format)
        self._prices = (FieldReader(fields.bid), FieldReader(fields.ask))
        self._sizes = (FieldReader(fields.bid_size), FieldReader(fields.ask_size))
        self._has_sizes = (bool(fields.bid_size), bool(fields.ask_size))
        self._volume, self._price = FieldReader(fields.volume), FieldReader(fields.price)
        self._is_cumulative = fields.volume_is == "cumulative"
        self._volumes: dict[str, float] = {}

    def forget_volumes(self) -> None:
        """Take the next volume of each symbol as its start: what was traded in between belongs to no known minute."""
        self._volumes.clear()

    def decode(self, message: bytes | bytearray, received_ns: int, events: list[Event]) -> list[dict[str, Any]]:
        """Append the message's ticks; return the objects in it that are no ticks: they have no symbol."""
        self.messages += 1
        try:
            whole = _decode(message)
        except MALFORMED:
            self._reject("message", 1)
            return []
        found = self._ticks(whole)
        ticks = found if isinstance(found, list) else [whole if found is None else found]
        others: list[dict[str, Any]] = []
        malformed = 0
        for number, tick in enumerate(ticks, 1):
            if malformed >= MAX_MALFORMED:
                self.fault = f"a message has {malformed:,} malformed ticks or more: the rest of it was skipped"
                break
            if isinstance(tick, dict) and self._symbol(tick) is None:
                others.append(tick)
                continue
            try:
                made = self._events(tick, received_ns)
            except FieldError as error:
                malformed += 1
                self._reject(error.cause, number)
            else:
                events += made
                count_received(self._counts, made)
        return others

    def _events(self, tick: Any, received_ns: int) -> list[Event]:
        """The quote of a tick, and the trade before it. Raises FieldError before anything is changed."""
        symbol, ts_ns = symbol_of(self._symbol(tick)), self._time_ns(self._time(tick))
        bid, ask = (number_of(read(tick), "price") for read in self._prices)
        bid_size, ask_size = (
            number_of(read(tick), "size") if has_size else UNKNOWN_SIZE
            for read, has_size in zip(self._sizes, self._has_sizes, strict=True)
        )
        if not (bid or ask):
            raise FieldError("price")
        volume = number_of(self._volume(tick), "volume") if self._is_cumulative else 0.0
        price = number_of(self._price(tick), "price") if self._is_cumulative and self._fields.price else 0.0
        if cause := self.symbols.cause({symbol}):
            raise FieldError(cause)
        events: list[Event] = []
        head = (symbol, ts_ns, received_ns)
        if traded := self._increase(symbol, volume):
            if price:
                events.append(Trade(self._next(), *head, price, traded))
            else:
                self.activity += traded
        sides = (bid, bid_size if bid else 0.0, ask, ask_size if ask else 0.0)
        events.append(Quote(self._next(), *head, *sides))
        return events

    def _increase(self, symbol: str, volume: float) -> float:
        """How much the symbol's cumulative volume has risen; 0 for the first, and after a fall: it began anew."""
        if not volume:
            return 0.0
        before = self._volumes.get(symbol)
        self._volumes[symbol] = volume
        return 0.0 if before is None or volume < before else volume - before

    def _next(self) -> int:
        self.ordinal += 1
        return self.ordinal

    def _reject(self, cause: str, number: int) -> None:
        self._counts.reject("quotes", cause, f"{self._place}: message {self.messages}, tick {number}")
