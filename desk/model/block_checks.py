"""Checks of a block's rows: the cause of each rejection, and the class under which a row is counted."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from desk.model.blocks import CANCEL, CORRECTION, TRADE, UNKNOWN, Block, are_notices
from desk.model.notices import notice_fault
from desk.model.ticks import CLASSES
from desk.model.units import DAY_NS

CAUSES: Final = ("", "size", "price", "time", "symbol", "kind", "code")
_TRADES, _QUOTES, _NOTICES = range(len(CLASSES))


def rejection_causes(block: Block) -> NDArray[np.int8]:
    """Per row an index into CAUSES, 0 for a sound row; of several faults the last one in CAUSES.

    kind: unknown. symbol: null or empty. time: the venue's time is null, zero, negative or more than a day after the
    row was received. price: a trade's is not above 0, a quote's bid or ask is below 0. size: likewise. Null and
    infinite numbers are faults; 0 means that the side of a quote is empty. A correction is checked by the corrected
    trade; a cancel needs neither price nor size; notices by `desk.model.notices.notice_fault`.
    """
    trade = (block.kind == TRADE) | (block.kind == CORRECTION)
    good_price = np.where(trade, _within(block.price) & (block.price > 0), _within(block.bid) & _within(block.ask))
    sound_sides = _within(block.bid_size) & _within(block.ask_size)
    good_size = np.where(trade, _within(block.size) & (block.size > 0), sound_sides)
    bare = block.kind == CANCEL
    if block.notices is not None:
        bare |= are_notices(block.kind)
    named = np.array([bool(name) for name in block.symbols] + [False])
    cause = np.zeros(len(block), np.int8)
    cause[~(good_size | bare)] = 1
    cause[~(good_price | bare)] = 2
    if block.notices is not None:
        for row in np.flatnonzero(are_notices(block.kind)).tolist():
            cause[row] = CAUSES.index(notice_fault(block.notices[row]))
    cause[(block.ts_ns <= 0) | (block.ts_ns > block.recv_ns + DAY_NS)] = 3
    cause[~named[block.symbol]] = 4
    cause[block.kind == UNKNOWN] = 5
    return cause


def row_classes(block: Block) -> NDArray[np.int8]:
    """The class of each row, as an index into CLASSES: an unknown kind is a trade if it has a price, else a quote."""
    return classes_of(block.kind, block.price)


def classes_of(kind: NDArray[np.int8], price: NDArray[np.float64]) -> NDArray[np.int8]:
    """`row_classes` from the kind and price columns."""
    classes = np.full(len(kind), _QUOTES, np.int8)
    classes[np.isin(kind, (TRADE, CORRECTION, CANCEL)) | ((kind == UNKNOWN) & ~np.isnan(price))] = _TRADES
    classes[are_notices(kind)] = _NOTICES
    return classes


def _within(values: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether each value is finite and not negative."""
    mask: NDArray[np.bool_] = (values >= 0) & (values < np.inf)
    return mask
