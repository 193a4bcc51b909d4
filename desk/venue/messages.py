"""From events to message templates: everything encoded but the times, and the ids where those are fresh.

Keys: docs.alpaca.markets, "Real-time Stock Data", sections "Trades" and "Quotes".
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from desk.market.blocks import QUOTE, TRADE, Block
from desk.venue.events import taken
from desk.venue.fields import Bytes, Field, Ints, chosen, constant, lay_out, scatter
from desk.venue.wire import Wire

REGULAR_QUOTE: Final = "R"
SHORT_SYMBOL: Final = 3


@dataclass(slots=True)
class Templates:
    """Encoded events: event i is buffer[edges[i]:edges[i + 1]].

    Bare messages, each with the separator of an array behind it; or, `framed`, each a whole websocket frame
    with an array of one, so that any run of them can be sent as it is.
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
        """Write fresh ids of all trades, in order; nothing where the events bear the source's own."""
        if self._ids_at is not None:
            scatter(self.buffer, self._ids_at, self.wire.id_items(ids))


def encode(events: Block, wire: Wire, framed: bool, fresh_ids: bool) -> Templates:
    """Encode the events; times, and with `fresh_ids` the ids of trades, are still to be written."""
    groups = []
    for kind, columns in ((TRADE, _trade), (QUOTE, _quote)):
        rows = np.flatnonzero(events.kind == kind)
        if len(rows):
            message = wire.keyed(columns(taken(events, rows), wire, fresh_ids))
            groups.append((rows, _framed(message, wire, len(rows)) if framed else [*message, *_bytes(wire.separator)]))
    layout = lay_out(groups)
    return Templates(wire, framed, layout.buffer, layout.edges, layout.marks["t"], layout.marks.get("i"))


def _trade(trades: Block, wire: Wire, fresh_ids: bool) -> list[tuple[str, Field]]:
    return [
        ("T", _same(wire, "t")),
        ("S", wire.texts(trades.symbols, trades.symbol)),
        ("i", wire.place_holder("i") if fresh_ids else wire.ids(trades.trade_id)),
        ("x", wire.texts((*trades.exchanges, ""), trades.exchange)),
        ("p", wire.floats(trades.price)),
        ("s", wire.floats(trades.size)),
        ("c", wire.texts([list(code) for code in (*trades.condition_codes, "")], trades.conditions)),
        ("z", wire.texts([_tape(symbol) for symbol in trades.symbols], trades.symbol)),
        ("t", wire.place_holder("t")),
    ]


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
        ("z", wire.texts([_tape(symbol) for symbol in quotes.symbols], quotes.symbol)),
        ("t", wire.place_holder("t")),
    ]


def _same(wire: Wire, text: str) -> Field:
    return wire.texts((text,), np.zeros(1, np.intp))


def _tape(symbol: str) -> str:
    """The SIP tape, which blocks do not name: symbols of New York's lists are short, those of Nasdaq's are not."""
    return "A" if len(symbol) <= SHORT_SYMBOL else "C"


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
    """The header of a whole, unmasked frame with `size` bytes of payload (RFC 6455, section 5.2)."""
    first = 0x80 | opcode
    if size < 126:
        return bytes((first, size))
    if size < 65_536:
        return bytes((first, 126)) + size.to_bytes(2, "big")
    return bytes((first, 127)) + size.to_bytes(8, "big")
