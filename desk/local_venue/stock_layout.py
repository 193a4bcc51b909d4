"""Messages of the stock stream.

Keys: docs.alpaca.markets, "Real-time Stock Data", sections "Trades", "Quotes", "Trade Corrections", "Trade
Cancels/Errors", "Trading Status" and "LULDs".

Tests: tests/desk/local_venue/test_local_venue_messages.py
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from desk.local_venue.byte_fields import Field
from desk.local_venue.column_encoders import Wire
from desk.local_venue.message_layout import MessageKind, MessageLayout
from desk.model.blocks import CANCEL, CORRECTION, LULD, QUOTE, STATUS, TRADE, Block, Originals
from desk.model.notices import Notice, PriceBands, TradingStatus

REGULAR_QUOTE: Final = "R"
SHORT_SYMBOL: Final = 3
CANCELED: Final = "C"
"""The action of a cancel; "E" would be an error, which a tape does not distinguish."""


def _trade(trades: Block, wire: Wire, fresh_ids: bool) -> list[tuple[str, Field]]:
    return [
        ("T", same(wire, "t")),
        ("S", wire.texts(trades.symbols, trades.symbol)),
        ("i", wire.place_holder("i") if fresh_ids else wire.ids(trades.trade_id)),
        ("x", wire.texts((*trades.exchanges, ""), trades.exchange)),
        ("p", wire.floats(trades.price)),
        ("s", wire.floats(trades.size)),
        ("c", wire.texts([list(code) for code in (*trades.condition_codes, "")], trades.conditions)),
        ("z", _tapes(trades, wire)),
        ("t", wire.place_holder("t")),
    ]


def _correction(corrections: Block, wire: Wire, _fresh_ids: bool) -> list[tuple[str, Field]]:
    codes = [list(code) for code in (*corrections.condition_codes, "")]
    originals = _originals(corrections)
    return [
        ("T", same(wire, "c")),
        ("S", wire.texts(corrections.symbols, corrections.symbol)),
        ("x", wire.texts((*corrections.exchanges, ""), corrections.exchange)),
        ("oi", wire.ids(originals.trade_id)),
        ("op", wire.floats(np.nan_to_num(originals.price))),
        ("os", wire.floats(np.nan_to_num(originals.size))),
        ("oc", wire.texts(codes, originals.conditions)),
        ("ci", wire.ids(corrections.trade_id)),
        ("cp", wire.floats(corrections.price)),
        ("cs", wire.floats(corrections.size)),
        ("cc", wire.texts(codes, corrections.conditions)),
        ("z", _tapes(corrections, wire)),
        ("t", wire.place_holder("t")),
    ]


def _cancel(cancels: Block, wire: Wire, _fresh_ids: bool) -> list[tuple[str, Field]]:
    originals = _originals(cancels)
    return [
        ("T", same(wire, "x")),
        ("S", wire.texts(cancels.symbols, cancels.symbol)),
        ("i", wire.ids(originals.trade_id)),
        ("x", wire.texts((*cancels.exchanges, ""), cancels.exchange)),
        ("p", wire.floats(np.nan_to_num(originals.price))),
        ("s", wire.floats(np.nan_to_num(originals.size))),
        ("a", same(wire, CANCELED)),
        ("z", _tapes(cancels, wire)),
        ("t", wire.place_holder("t")),
    ]


def _originals(revisions: Block) -> Originals:
    assert revisions.originals is not None, "a correction or cancel in a block without originals"
    return revisions.originals


def _quote(quotes: Block, wire: Wire, _fresh_ids: bool) -> list[tuple[str, Field]]:
    exchange = wire.texts((*quotes.exchanges, ""), quotes.exchange)
    conditions = [list(code) for code in (*quotes.condition_codes, REGULAR_QUOTE)]
    return [
        ("T", same(wire, "q")),
        ("S", wire.texts(quotes.symbols, quotes.symbol)),
        ("bx", exchange),
        ("bp", wire.floats(quotes.bid)),
        ("bs", wire.floats(quotes.bid_size)),
        ("ax", exchange),
        ("ap", wire.floats(quotes.ask)),
        ("as", wire.floats(quotes.ask_size)),
        ("c", wire.texts(conditions, quotes.conditions)),
        ("z", _tapes(quotes, wire)),
        ("t", wire.place_holder("t")),
    ]


def _status(statuses: Block, wire: Wire, _fresh_ids: bool) -> list[tuple[str, Field]]:
    found = [notice for notice in block_notices(statuses) if isinstance(notice, TradingStatus)]
    rows = np.arange(len(found))
    return [
        ("T", same(wire, "s")),
        ("S", wire.texts(statuses.symbols, statuses.symbol)),
        ("sc", wire.texts([status.code for status in found], rows)),
        ("sm", wire.texts([status.message for status in found], rows)),
        ("rc", wire.texts([status.reason_code for status in found], rows)),
        ("rm", wire.texts([status.reason for status in found], rows)),
        ("z", _tapes(statuses, wire)),
        ("t", wire.place_holder("t")),
    ]


def _bands(bands: Block, wire: Wire, _fresh_ids: bool) -> list[tuple[str, Field]]:
    found = [notice for notice in block_notices(bands) if isinstance(notice, PriceBands)]
    return [
        ("T", same(wire, "l")),
        ("S", wire.texts(bands.symbols, bands.symbol)),
        ("u", wire.floats(np.array([each.up for each in found]))),
        ("d", wire.floats(np.array([each.down for each in found]))),
        ("i", wire.texts([each.indicator for each in found], np.arange(len(found)))),
        ("z", _tapes(bands, wire)),
        ("t", wire.place_holder("t")),
    ]


def block_notices(block: Block) -> list[Notice]:
    """The notices of a block of them."""
    assert block.notices is not None, "a notice in a block without notices"
    notices: list[Notice] = block.notices.tolist()
    return notices


def same(wire: Wire, text: str) -> Field:
    """The same text in every message."""
    return wire.texts((text,), np.zeros(1, np.intp))


def _tapes(events: Block, wire: Wire) -> Field:
    return wire.texts(*tape_names(events))


def tape_names(events: Block) -> tuple[Sequence[str], NDArray[np.int32]]:
    """A table of SIP tapes, and the index of each event's.

    A block without tapes gets one by length: NYSE symbols are short, Nasdaq symbols are not.
    """
    if events.tape is not None:
        return (*events.tapes, ""), events.tape
    return ["A" if len(symbol) <= SHORT_SYMBOL else "C" for symbol in events.symbols], events.symbol


STOCKS: Final = MessageLayout(
    (
        MessageKind(TRADE, "trades", _trade),
        MessageKind(QUOTE, "quotes", _quote),
        # Corrections and cancels follow the trades, as the acknowledgement says.
        MessageKind(CORRECTION, "trades", _correction),
        MessageKind(CANCEL, "trades", _cancel),
        MessageKind(STATUS, "statuses", _status, is_uneven=True),
        MessageKind(LULD, "lulds", _bands, is_uneven=True),
    )
)
