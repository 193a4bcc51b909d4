"""A chunk of the play: some thousand events, encoded once per encoding, and cut into frames.

Tests: tests/desk/local_venue/test_local_venue_server.py
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from desk.local_venue.byte_fields import Bytes, Ints
from desk.local_venue.column_encoders import FIRST_FRESH_ID, Wire
from desk.local_venue.events import taken
from desk.local_venue.message_layout import MessageLayout
from desk.local_venue.messages import MessageTemplates, encode, frame_header
from desk.local_venue.selection import Selection
from desk.model.blocks import TRADE, Block


@dataclass(slots=True)
class EncodedChunk:
    """A chunk encoded for clients of one encoding and selection.

    Frame g has the bytes edges[g]:edges[g + 1] and counts[g + 1] - counts[g] events, possibly none.
    """

    wire: Wire
    framed: bool
    buffer: Bytes
    edges: list[int]
    counts: list[int]

    def payloads(self, first: int, last: int) -> list[bytes]:
        """The payloads of the frames [first, last) that have events; only for bare messages."""
        wire, trailing = self.wire, len(self.wire.separator)
        out = []
        for at in range(first, last):
            count = self.counts[at + 1] - self.counts[at]
            if count:
                body = self.buffer[self.edges[at] : self.edges[at + 1] - trailing].tobytes()
                out.append(wire.array_open(count) + body + wire.array_close)
        return out

    def frames(self, first: int, last: int) -> bytes:
        """The frames [first, last) as concatenated websocket frames."""
        if self.framed:
            return self.buffer[self.edges[first] : self.edges[last]].tobytes()
        parts = []
        for payload in self.payloads(first, last):
            parts += [frame_header(self.wire.opcode, len(payload)), payload]
        return b"".join(parts)


class Chunk:
    """Consecutive events with their templates; played once, or again in every loop.

    `framed`: one event per frame. Templates and runs are made for the first client that needs them.
    """

    def __init__(self, events: Block, framed: bool, fresh_ids: bool) -> None:
        self.events = events
        self.release_ns: list[int] = []
        self._framed = framed
        self._fresh_ids = fresh_ids
        self._trades = np.flatnonzero(events.kind == TRADE)
        self._templates: dict[tuple[Wire, bool, MessageLayout], MessageTemplates] = {}
        self._begin(np.zeros(0, np.int64), np.zeros(0, np.int64), 0)

    def __len__(self) -> int:
        return len(self.events)

    @property
    def ts_ns(self) -> Ints:
        """The times of its events in this play."""
        return self._ts_ns

    def begin(self, due_ns: Ints, ts_ns: Ints, frame_ns: int, first_number: int) -> None:
        """Start a play: events are due at `due_ns` with times `ts_ns`; `first_number` counts the play's events so far.

        Sets `release_ns`, the time at which each frame goes out: once all of its events are due.
        """
        if self._framed:
            bounds = np.arange(1, len(due_ns) + 1)
            self.release_ns = due_ns.tolist()
        else:
            slots = due_ns // frame_ns
            bounds = np.append(np.flatnonzero(np.diff(slots)) + 1, len(slots))
            self.release_ns = ((slots[bounds - 1] + 1) * frame_ns).tolist()
        self._begin(np.insert(bounds, 0, 0), ts_ns, first_number)

    def _begin(self, bounds: Ints, ts_ns: Ints, first_number: int) -> None:
        self.bounds: list[int] = bounds.tolist()
        self._bounds = bounds
        self._ts_ns = ts_ns
        self._first_number = first_number
        self._playing: Block | None = None
        self._written: set[int] = set()
        self._runs: dict[tuple[Wire, bool, Selection | MessageLayout], EncodedChunk] = {}

    def prepare(self, wire: Wire, framed: bool, layout: MessageLayout) -> MessageTemplates:
        """The templates in this encoding and layout, created if necessary."""
        key = (wire, framed, layout)
        if key not in self._templates:
            self._templates[key] = encode(self.events, wire, framed, self._fresh_ids, layout)
        return self._templates[key]

    def rows(self, selection: Selection, first: int, last: int) -> tuple[Block, Ints]:
        """The selected events of the frames [first, last), with the times and ids of this play, and their numbers."""
        start, stop = self.bounds[first], self.bounds[last]
        rows = np.flatnonzero(selection.mask(self.events, start, stop)) + start
        return taken(self._played, rows), self._first_number + rows

    def played(self) -> tuple[Block, Ints]:
        """All events with the times and ids of this play, and their numbers."""
        return self._played, self._first_number + np.arange(len(self))

    @property
    def _played(self) -> Block:
        if self._playing is None:
            changed: dict[str, Any] = {"ts_ns": self._ts_ns}
            if self._fresh_ids:
                ids = np.zeros(len(self.events), np.uint64)
                ids[self._trades] = FIRST_FRESH_ID + self._first_number + self._trades
                changed["trade_id"] = ids
            self._playing = replace(self.events, **changed)
        return self._playing

    def run(self, wire: Wire, framed: bool, selection: Selection) -> EncodedChunk:
        """The encoded chunk for clients with this encoding and selection."""
        key = (wire, framed, selection)
        if key not in self._runs:
            mask = selection.mask(self.events)
            if not mask.all():
                self._runs[key] = self._filtered(self._whole(wire, framed, selection.layout), mask)
            else:
                self._runs[key] = self._shared(wire, framed, selection.layout)
        return self._runs[key]

    def _shared(self, wire: Wire, framed: bool, layout: MessageLayout) -> EncodedChunk:
        key = (wire, framed, layout)
        if key not in self._runs:
            templates = self._whole(wire, framed, layout)
            self._runs[key] = EncodedChunk(
                wire, framed, templates.buffer, templates.edges[self._bounds].tolist(), self.bounds
            )
        return self._runs[key]

    def _filtered(self, templates: MessageTemplates, mask: NDArray[np.bool_]) -> EncodedChunk:
        widths = np.diff(templates.edges)
        buffer = templates.buffer[: int(templates.edges[-1])][np.repeat(mask, widths)]
        edges = np.concatenate((np.zeros(1, np.int64), np.cumsum(widths * mask)))
        counts = np.concatenate((np.zeros(1, np.int64), np.cumsum(mask)))
        bounds = self._bounds
        return EncodedChunk(templates.wire, templates.framed, buffer, edges[bounds].tolist(), counts[bounds].tolist())

    def _whole(self, wire: Wire, framed: bool, layout: MessageLayout) -> MessageTemplates:
        """The templates with this play's times and ids."""
        templates = self.prepare(wire, framed, layout)
        if id(templates) not in self._written:
            templates.stamp(self._ts_ns)
            if self._fresh_ids:
                templates.number(FIRST_FRESH_ID + self._first_number + self._trades)
            self._written.add(id(templates))
        return templates
