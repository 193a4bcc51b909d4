"""Messages of Polygon's stock stream: trades, quotes, price bands and halts. Bars are written by the protocol.

Keys: massive.com/docs, "WebSocket", section "Stocks": Trades (T), Quotes (Q), LULD. Times are in milliseconds.

Tests: tests/desk/local_venue/test_polygon_stream.py
"""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from desk.local_venue.byte_fields import Field, Ints, chosen, constant
from desk.local_venue.column_encoders import ID_DIGITS, JsonWire, Wire, digits
from desk.local_venue.message_layout import MessageKind, MessageLayout
from desk.local_venue.polygon.codes import BANDS, EXCHANGES, HALTED, RESUMED, TAPES, UNKNOWN, condition_numbers
from desk.local_venue.stock_layout import block_notices, same, tape_names
from desk.model.blocks import LULD, QUOTE, STATUS, TRADE, Block
from desk.model.notices import PriceBands, TradingStatus
from desk.model.units import DAY_NS, MS_NS

MS_DIGITS: Final = 13
"""Digits of a time in ms, from 2001 to 2286."""
REGULAR: Final = 0
"""The number of a regular quote."""


class PolygonWire(JsonWire):
    """JSON text; ids are strings, times are milliseconds."""

    def ids(self, values: NDArray[np.uint64]) -> Field:
        return chosen([b'"%d"' % value for value in values.tolist()], np.arange(len(values)))

    def id_items(self, values: Ints) -> NDArray[Any]:
        out = np.full((len(values), ID_DIGITS + 2), ord('"'), np.uint8)
        out[:, 1:-1] = digits(values, ID_DIGITS)
        return out.view(f"V{ID_DIGITS + 2}").ravel()

    def stamp_items(self, ts_ns: Ints) -> NDArray[Any]:
        return digits(ts_ns // MS_NS, MS_DIGITS).view(f"V{MS_DIGITS}").ravel()

    def place_holder(self, mark: str) -> Field:
        return constant(b" " * (ID_DIGITS + 2 if mark == "i" else MS_DIGITS), mark)


def _trade(trades: Block, wire: Wire, fresh_ids: bool) -> list[tuple[str, Field]]:
    return [
        ("ev", same(wire, "T")),
        ("sym", wire.texts(trades.symbols, trades.symbol)),
        ("c", wire.texts([condition_numbers(code) for code in (*trades.condition_codes, "")], trades.conditions)),
        ("x", _exchanges(trades, wire)),
        ("z", _tapes(trades, wire)),
        ("p", wire.floats(trades.price)),
        ("s", wire.floats(trades.size)),
        ("q", _sequence(trades)),
        ("i", wire.place_holder("i") if fresh_ids else wire.ids(trades.trade_id)),
        ("t", wire.place_holder("t")),
    ]


def _quote(quotes: Block, wire: Wire, _fresh_ids: bool) -> list[tuple[str, Field]]:
    exchange = _exchanges(quotes, wire)
    return [
        ("ev", same(wire, "Q")),
        ("sym", wire.texts(quotes.symbols, quotes.symbol)),
        ("bx", exchange),
        ("bp", wire.floats(quotes.bid)),
        ("bs", wire.floats(quotes.bid_size)),
        ("ax", exchange),
        ("ap", wire.floats(quotes.ask)),
        ("as", wire.floats(quotes.ask_size)),
        ("c", wire.texts((REGULAR,), np.zeros(1, np.intp))),
        ("z", _tapes(quotes, wire)),
        ("q", _sequence(quotes)),
        ("t", wire.place_holder("t")),
    ]


def _bands(bands: Block, wire: Wire, _fresh_ids: bool) -> list[tuple[str, Field]]:
    found = [notice for notice in block_notices(bands) if isinstance(notice, PriceBands)]
    indicators = [[BANDS[each.indicator]] if each.indicator in BANDS else [] for each in found]
    return [
        ("ev", same(wire, "LULD")),
        ("T", wire.texts(bands.symbols, bands.symbol)),
        ("h", wire.floats(np.array([each.up for each in found]))),
        ("l", wire.floats(np.array([each.down for each in found]))),
        ("i", wire.texts(indicators, np.arange(len(found)))),
        ("z", _tapes(bands, wire)),
        ("q", _sequence(bands)),
        ("t", wire.place_holder("t")),
    ]


def _halt(statuses: Block, wire: Wire, _fresh_ids: bool) -> list[tuple[str, Field]]:
    found = [notice for notice in block_notices(statuses) if isinstance(notice, TradingStatus)]
    indicators = [[HALTED] * each.halted + [RESUMED] * each.resumed for each in found]
    return [
        ("ev", same(wire, "LULD")),
        ("T", wire.texts(statuses.symbols, statuses.symbol)),
        ("i", wire.texts(indicators, np.arange(len(found)))),
        ("z", _tapes(statuses, wire)),
        ("q", _sequence(statuses)),
        ("t", wire.place_holder("t")),
    ]


def _exchanges(events: Block, wire: Wire) -> Field:
    return wire.texts([EXCHANGES.get(name, UNKNOWN) for name in (*events.exchanges, "")], events.exchange)


def _tapes(events: Block, wire: Wire) -> Field:
    names, index = tape_names(events)
    return wire.texts([TAPES.get(name, UNKNOWN) for name in names], index)


def _sequence(events: Block) -> Field:
    """A number that does not fall within a day, as the vendor's: the microsecond of the receipt."""
    numbers = events.recv_ns % DAY_NS // 1000
    return chosen([b"%d" % number for number in numbers.tolist()], np.arange(len(numbers)))


POLYGON: Final = MessageLayout(
    (
        MessageKind(TRADE, "trades", _trade),
        MessageKind(QUOTE, "quotes", _quote),
        MessageKind(LULD, "lulds", _bands, is_uneven=True),
        MessageKind(STATUS, "lulds", _halt, is_uneven=True),
    )
)
POLYGON_JSON: Final[Wire] = PolygonWire()
