"""Encodes events as message templates: complete except for the times, and for the ids if those are fresh.

Tests: tests/desk/local_venue/test_local_venue_messages.py
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from desk.local_venue.byte_fields import Bytes, Field, Ints, chosen, constant, lay_out, scatter
from desk.local_venue.column_encoders import Wire
from desk.local_venue.events import taken
from desk.local_venue.message_layout import MessageLayout
from desk.model.blocks import Block


@dataclass(slots=True)
class MessageTemplates:
    """Encoded events: event i is buffer[edges[i]:edges[i + 1]].

    Either bare messages, each followed by the separator of an array; or, if `framed`, complete websocket frames with an
    array of one message each, so that consecutive ones can be sent unchanged. An event that the layout does not have is
    empty; `_rows` are the others, None for all.
    """

    wire: Wire
    framed: bool
    buffer: Bytes
    edges: Ints
    _rows: NDArray[np.intp] | None
    _stamps_at: Ints | None
    _ids_at: Ints | None

    def stamp(self, ts_ns: Ints) -> None:
        """Write the times of all events."""
        if self._stamps_at is not None:
            stamps = self.wire.stamp_items(ts_ns if self._rows is None else ts_ns[self._rows])
            scatter(self.buffer, self._stamps_at, stamps)

    def number(self, ids: Ints) -> None:
        """Write fresh ids of all trades, in order; does nothing if the events keep the source's ids."""
        if self._ids_at is not None:
            scatter(self.buffer, self._ids_at, self.wire.id_items(ids))


def encode(events: Block, wire: Wire, framed: bool, fresh_ids: bool, layout: MessageLayout) -> MessageTemplates:
    """Encode the events; `stamp` writes the times later, and `number` the ids of trades with `fresh_ids`."""
    groups = []
    for kind in layout.kinds:
        of_kind = np.flatnonzero(events.kind == kind.number)
        parts = np.split(of_kind, len(of_kind)) if kind.is_uneven and len(of_kind) else [of_kind]
        for rows in filter(len, parts):
            message = wire.keyed(kind.columns(taken(events, rows), wire, fresh_ids))
            groups.append((rows, _framed(message, wire, len(rows)) if framed else [*message, *_bytes(wire.separator)]))
    known = [rows for rows, _ in groups]
    partial = sum(map(len, known)) < len(events)
    result = lay_out(groups, len(events))
    at = result.marks
    rows_or_all = np.sort(np.concatenate(known)) if partial and known else None
    return MessageTemplates(wire, framed, result.buffer, result.edges, rows_or_all, at.get("t"), at.get("i"))


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
