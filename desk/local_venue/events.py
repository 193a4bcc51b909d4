"""Events of the source that can be played: sound rows of the wanted kind, in arrival order, in chunks.

Tests: tests/desk/local_venue/test_local_venue_messages.py
"""

from collections.abc import Iterator
from dataclasses import fields, replace
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from desk.local_venue.venue_settings import Mix, PlaySettings
from desk.model.block_checks import rejection_causes
from desk.model.blocks import (
    CANCEL,
    CORRECTION,
    LULD,
    QUOTE,
    STATUS,
    TRADE,
    Block,
    BlockSource,
    Originals,
    are_revisions,
)

EVENTS_PER_CHUNK: Final = 2048

_KINDS: Final = {
    "trades": (TRADE, CORRECTION, CANCEL, STATUS, LULD),
    "quotes": (QUOTE, STATUS, LULD),
    "both": (TRADE, QUOTE, CORRECTION, CANCEL, STATUS, LULD),
}
"""Recorded bars are not played: the venue makes its own."""
_TABLES: Final = frozenset({"first_ordinal", "symbols", "exchanges", "condition_codes", "tapes"})


def playable(source: BlockSource, mix: Mix, limit: int | None) -> Iterator[Block]:
    """The source's events in blocks of at most EVENTS_PER_CHUNK rows; malformed rows are omitted.

    Therefore ordinals no longer follow from `first_ordinal`.
    """
    left = limit
    for block in source.blocks():
        rows = np.flatnonzero((rejection_causes(block) == 0) & np.isin(block.kind, _KINDS[mix]))[:left]
        for start in range(0, len(rows), EVENTS_PER_CHUNK):
            yield taken(block, rows[start : start + EVENTS_PER_CHUNK])
        if left is not None:
            left -= len(rows)
            if not left:
                return


class PlayedEvents(NamedTuple):
    """Events of one chunk; with `fresh_ids` their trades get ids of the venue instead of the source's."""

    events: Block
    fresh_ids: bool


def played(source: BlockSource, play: PlaySettings) -> Iterator[PlayedEvents]:
    """The chunks of one round of the play, in order."""
    for events in playable(source, play.mix, play.limit):
        # The source's ids, which are a trade's identity, would repeat in round two.
        fresh_ids = play.loop or not events.trade_id[events.kind == TRADE].any()
        kept = events
        if play.loop and events.originals is not None:
            # Corrections and cancels name trades by the source's ids, which are replaced here.
            kept = taken(events, np.flatnonzero(~are_revisions(events.kind)))
        if len(kept):
            yield PlayedEvents(kept, fresh_ids)


def taken(block: Block, rows: NDArray[np.intp]) -> Block:
    """A block of some of the rows, with the same tables."""
    columns: dict[str, Any] = {
        field.name: _taken(getattr(block, field.name), rows) for field in fields(block) if field.name not in _TABLES
    }
    return replace(block, **columns)


def with_used_symbols(block: Block) -> Block:
    """The block with only those symbols in its table that its rows have: encoding a small block costs by its tables."""
    used, index = np.unique(block.symbol, return_inverse=True)
    return replace(block, symbols=tuple(block.symbols[number] for number in used), symbol=index.astype(np.int32))


def _taken(column: Any, rows: NDArray[np.intp]) -> Any:
    if column is None:
        return None
    return column.only(rows) if isinstance(column, Originals) else column[rows]
