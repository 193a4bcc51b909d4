"""Encodes events as message templates: complete except for the times, and for the ids if those are fresh.

Keys: docs.alpaca.markets, "Real-time Stock Data", sections "Trades", "Quotes", "Trade Corrections" and "Trade
Cancels/Errors".
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from desk.local_venue.byte_fields import Bytes, Field, Ints, chosen, constant, lay_out, scatter
from desk.local_venue.column_encoders import Wire
from desk.local_venue.events import taken
from desk.model.blocks import CANCEL, CORRECTION, QUOTE, TRADE, Block, Originals

REGULAR_QUOTE: Final = "R"
SHORT_SYMBOL: Final = 3
CANCELED: Final = "C"
"""The action of a cancel; "E" would be an error, which a tape does not distinguish."""


@dataclass(slots=True)
class MessageTemplates:
    """Encoded events: event i is buffer[edges[i]:edges[i + 1]].

    Either bare messages, each followed by the separator of an array; or, if `framed`, complete websocket frames with an
    array of one message each, so that consecutive ones can be sent unchanged.
    """

    wire: Wire
    framed: bool
    buffer: Bytes
    edges: Ints
    _stamps_at: Ints
    _ids_at: Ints | None

    def stamp(self, ts_ns: Ints) -> None:
        """Write the times of all events."""
        scatter(self.buffer, self._stamps_at, self.wire.stamp_items(ts_ns))

    def number(self, ids: Ints) -> None:
        """Write fresh ids of all trades, in order; does nothing if the events keep the source's ids."""
        if self._ids_at is not None:
            scatter(self.buffer, self._ids_at, self.wire.id_items(ids))


def encode(events: Block, wire: Wire, framed: bool, fresh_ids: bool) -> MessageTemplates:
    """Encode the events; `stamp` writes the times later, and `number` the ids of trades with `fresh_ids`."""
    groups = []
    for kind, columns in ((TRADE, _trade), (QUOTE, _quote), (CORRECTION, _correction), (CANCEL, _cancel)):
        rows = np.flatnonzero(events.kind == kind)
        if len(rows):
            message = wire.keyed(columns(taken(events, rows), wire, fresh_ids))
            groups.append((rows, _framed(message, wire, len(rows)) if framed else [*message, *_bytes(wire.separator)]))
    layout = lay_out(groups)
    return MessageTemplates(wire, framed, layout.buffer, layout.edges, layout.marks["t"], layout.marks.get("i"))


def _trade(trades: Block, wire: Wire, fresh_ids: bool) -> list[tuple[str, Field]]:
    return [
        ("T", _same(wire, "t")),
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
        ("T", _same(wire, "c")),
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
        ("T", _same(wire, "x")),
        ("S", wire.texts(cancels.symbols, cancels.symbol)),
        ("i", wire.ids(originals.trade_id)),
        ("x", wire.texts((*cancels.exchanges, ""), cancels.exchange)),
        ("p", wire.floats(np.nan_to_num(originals.price))),
        ("s", wire.floats(np.nan_to_num(originals.size))),
        ("a", _same(wire, CANCELED)),
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
        ("T", _same(wire, "q")),
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


def _same(wire: Wire, text: str) -> Field:
    return wire.texts((text,), np.zeros(1, np.intp))


def _tapes(events: Block, wire: Wire) -> Field:
    """The SIP tape; a block without tapes gets one by length: NYSE symbols are short, Nasdaq symbols are not."""
    if events.tape is not None:
        return wire.texts((*events.tapes, ""), events.tape)
    return wire.texts(["A" if len(symbol) <= SHORT_SYMBOL else "C" for symbol in events.symbols], events.symbol)


def _bytes(text: bytes) -> list[Field]:
    return [constant(text)] if text else []


def _framed(message: Sequence[Field], wire: Wire, count: int) -> list[Field]:
    body = [*_bytes(wire.array_open(1)), *message, *_bytes(wire.array_close)]
    widths: NDArray[np.int64] = np.zeros(count, np.int64)
    for field in body:
        widths += field.lengths
    distinct, index = np.unique(widths, return_inverse=True)
    return [chosen([frame_header(wire.opcode, int(width)) for width in distinct], index), *body]


def frame_header(opcode: int, size: int) -> bytes:
    """The header of a complete, unmasked frame with `size` bytes of payload (RFC 6455, section 5.2)."""
    first = 0x80 | opcode
    if size < 126:
        return bytes((first, size))
    if size < 65_536:
        return bytes((first, 126)) + size.to_bytes(2, "big")
    return bytes((first, 127)) + size.to_bytes(8, "big")
