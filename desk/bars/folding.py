"""Fold one trade into one minute: the step shared by every fold of trades.

Tests: tests/desk/bars/test_builder.py
"""

from typing import Final

from desk.bars.sale_conditions import Eligibility, eligibility
from desk.model.bars import NO_TIME, BarFields, WorkingBar
from desk.model.ticks import Trade

CONTENT: Final = (
    "open",
    "high",
    "low",
    "close",
    "volume",
    "notional",
    "trades",
    "open_ns",
    "open_ordinal",
    "close_ns",
    "close_ordinal",
)
"""The fields of a bar that trades set."""


def fold(bar: WorkingBar, trade: Trade, sets: Eligibility) -> None:
    """Fold a trade that counts for volume into the bar of its minute; `sets` names the fields that it may set."""
    price = trade.price
    size = trade.size
    bar.volume += size
    bar.notional += price * size
    bar.trades += 1
    if sets.high_low:
        if price > bar.high:
            bar.high = price
        if price < bar.low:
            bar.low = price
    if sets.open_close:
        ts_ns = trade.ts_ns
        key_ns = bar.close_ns
        if ts_ns > key_ns or (ts_ns == key_ns and trade.ordinal > bar.close_ordinal):
            bar.close = price
            bar.close_ns = ts_ns
            bar.close_ordinal = trade.ordinal
        key_ns = bar.open_ns
        if key_ns == NO_TIME or ts_ns < key_ns or (ts_ns == key_ns and trade.ordinal < bar.open_ordinal):
            bar.open = price
            bar.open_ns = ts_ns
            bar.open_ordinal = trade.ordinal


def count_in(bar: WorkingBar, trade: Trade) -> None:
    """Fold a trade into the bar of its minute, if it counts for volume."""
    sets = eligibility(trade.conditions)
    if sets.volume:
        fold(bar, trade, sets)


def take_content(bar: WorkingBar, other: BarFields) -> None:
    """Copy to `bar` the fields that trades set in `other`."""
    for name in CONTENT:
        setattr(bar, name, getattr(other, name))
