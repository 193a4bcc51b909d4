"""Decodes the stream's frames into ticks and notices."""

from collections.abc import Sequence
from math import isfinite
from typing import Final

from desk.model.block_rows import BlockFeedCounts
from desk.model.notices import PriceBands, TradingStatus, VenueBar
from desk.model.ticks import Event, Quote, Trade
from desk.streams.limits import MAX_SIZE
from desk.venues.frame_codec import MAX_TIME_NS, FieldError, FrameCodec
from desk.venues.identities import text_id
from desk.venues.polygon.codes import HALTED, RESUMED, CodeMap
from desk.venues.polygon.wire import (
    TYPES,
    PolygonBands,
    PolygonData,
    PolygonMinute,
    PolygonQuote,
    PolygonSecond,
    PolygonTrade,
)
from desk.venues.timestamps import epoch_ns

HALT: Final = ("H", "trading is halted or paused")
RESUME: Final = ("T", "trading resumes")


class PolygonCodec(FrameCodec):
    """Decodes trades, quotes, minute bars and price bands; `codes` has the numbers without a letter."""

    def __init__(self, place: str, counts: BlockFeedCounts, first_ordinal: int = 1) -> None:
        super().__init__(TYPES, "json", place, counts, first_ordinal)
        self.codes = CodeMap()

    def _events(self, messages: Sequence[PolygonData], received_ns: int) -> list[Event]:
        checked = [(m, _time_ns(m), _size(m)) for m in messages if type(m) is not PolygonSecond]
        self._require_symbols({message.symbol for message in messages})
        events: list[Event] = []
        for m, ts_ns, size in checked:
            if type(m) is PolygonTrade:
                events.append(self._trade(m, ts_ns, received_ns, size))
            elif type(m) is PolygonQuote:
                events.append(self._quote(m, ts_ns, received_ns))
            elif type(m) is PolygonMinute:
                events.append(self._minute(m, ts_ns, received_ns))
            elif type(m) is PolygonBands:
                events += self._bands(m, ts_ns, received_ns)
        return events

    def _next(self) -> int:
        self.ordinal += 1
        return self.ordinal

    def _trade(self, m: PolygonTrade, ts_ns: int, received_ns: int, size: float) -> Trade:
        codes = self.codes
        tape = codes.tape(m.tape)
        conditions = codes.conditions(m.conditions or (), tape)
        exchange, trade_id = codes.exchange(m.exchange), trade_identity(m.trade_id, m.facility)
        return Trade(self._next(), m.symbol, ts_ns, received_ns, m.price, size, conditions, exchange, trade_id, tape)

    def _quote(self, m: PolygonQuote, ts_ns: int, received_ns: int) -> Quote:
        exchange = self.codes.exchange(m.bid_exchange)
        if m.ask_exchange != m.bid_exchange:
            exchange = f"{exchange}/{self.codes.exchange(m.ask_exchange)}"
        condition = self.codes.quote_condition(m.condition)
        return Quote(
            self._next(), m.symbol, ts_ns, received_ns, m.bid, m.bid_size, m.ask, m.ask_size, exchange, condition
        )

    def _minute(self, m: PolygonMinute, ts_ns: int, received_ns: int) -> VenueBar:
        vwap = m.vwap or float("nan")
        return VenueBar(self._next(), m.symbol, ts_ns, received_ns, m.open, m.high, m.low, m.close, m.volume, vwap=vwap)

    def _bands(self, m: PolygonBands, ts_ns: int, received_ns: int) -> list[Event]:
        """A trading status for a halt or a resumption, and the bands, unless the message has none."""
        letters, tape = self.codes.band(m.indicators), self.codes.tape(m.tape)
        events: list[Event] = []
        for number, (code, text) in ((HALTED, HALT), (RESUMED, RESUME)):
            if number in m.indicators:
                events.append(
                    TradingStatus(self._next(), m.symbol, ts_ns, received_ns, code, text, str(number), "LULD", tape)
                )
        if m.up > 0:
            events.append(PriceBands(self._next(), m.symbol, ts_ns, received_ns, m.down, m.up, letters, tape))
        return events


def _time_ns(message: PolygonData) -> int:
    found = epoch_ns(message.start if isinstance(message, PolygonMinute | PolygonSecond) else message.time)
    if found > MAX_TIME_NS:
        raise FieldError("time")
    return found


def _size(message: PolygonData) -> float:
    return trade_size(message.size, message.exact_size) if type(message) is PolygonTrade else 0.0


def trade_identity(text: str, facility: int) -> int:
    """The identity of a trade: ids are unique per symbol, exchange and trade reporting facility."""
    return text_id(f"{facility}/{text}" if text and facility else text)


def trade_size(size: float, exact: str) -> float:
    """The size with its fraction of a share. Raises FieldError if it is not above 0."""
    try:
        found = float(exact) if exact else size
    except ValueError:
        raise FieldError("size") from None
    if not (isfinite(found) and 0 < found <= MAX_SIZE):
        raise FieldError("size")
    return found
