"""Bars of one second of the played events, for clients that subscribe to them.

Tests: tests/desk/local_venue/test_polygon_stream.py
"""

from typing import Any, Final

import numpy as np

from desk.bars.sale_conditions import eligibility
from desk.local_venue.byte_fields import Ints
from desk.local_venue.events import taken
from desk.local_venue.rest.folded_bars import fold_trades
from desk.model.blocks import TRADE, Block
from desk.model.units import SECOND_NS, ceil_to, floor_to

GRACE_NS: Final = SECOND_NS // 2


class SecondBars:
    """Folds played trades into seconds by venue time; a second is published half a second after its end.

    Corrections and later trades change nothing. The first second published is the one that begins after the first
    event, because an earlier one would be incomplete.
    """

    def __init__(self) -> None:
        self._held: list[tuple[Block, Ints]] = []
        self._closed_to_ns = 0
        self._reached_ns = 0

    def take(self, events: Block, ts_ns: Ints, first: int, last: int) -> list[dict[str, Any]]:
        """Apply the events [first, last) with these times; the bars of finished seconds, as the stream's messages."""
        if not self._reached_ns:
            self._closed_to_ns = ceil_to(int(ts_ns[first]), SECOND_NS)
        rows = np.flatnonzero(events.kind[first:last] == TRADE) + first
        rows = rows[ts_ns[rows] >= self._closed_to_ns]
        if len(rows):
            self._held.append((taken(events, rows), ts_ns[rows]))
        self._reached_ns = max(self._reached_ns, int(ts_ns[last - 1]))
        to_ns = floor_to(self._reached_ns - GRACE_NS, SECOND_NS)
        if to_ns <= self._closed_to_ns:
            return []
        self._closed_to_ns = to_ns
        return self._over(to_ns)

    def _over(self, to_ns: int) -> list[dict[str, Any]]:
        trades: dict[str, list[tuple[int, int, float, float, str]]] = {}
        kept: list[tuple[Block, Ints]] = []
        number = 0
        for block, ts_ns in self._held:
            due = ts_ns < to_ns
            codes = (*block.condition_codes, "")
            for row in np.flatnonzero(due).tolist():
                number += 1
                trade = (int(ts_ns[row]), number, float(block.price[row]), float(block.size[row]))
                trades.setdefault(block.symbols[block.symbol[row]], []).append((*trade, codes[block.conditions[row]]))
            later = np.flatnonzero(~due)
            if len(later):
                kept.append((taken(block, later), ts_ns[later]))
        self._held = kept
        return [bar for symbol in sorted(trades) for bar in _bars(symbol, sorted(trades[symbol]))]


def _bars(symbol: str, trades: list[tuple[int, int, float, float, str]]) -> list[dict[str, Any]]:
    """The seconds of one symbol's trades, with prices."""
    sets = [eligibility(trade[4]) for trade in trades]
    counted = [(trade, rule) for trade, rule in zip(trades, sets, strict=True) if rule.volume]
    bars = fold_trades(
        np.array([trade[0] - trade[0] % SECOND_NS for trade, _ in counted], np.int64),
        np.array([trade[2] for trade, _ in counted], np.float64),
        np.array([trade[3] for trade, _ in counted], np.float64),
        np.array([rule.high_low for _, rule in counted], np.bool_),
        np.array([rule.open_close for _, rule in counted], np.bool_),
    )
    bars = bars.only(bars.priced)
    columns = (bars.start_ns, bars.open, bars.high, bars.low, bars.close, bars.volume, bars.trades, bars.vwap)
    keys = ("t", "o", "h", "l", "c", "v", "n", "vw")
    return [
        {"T": "a", "S": symbol, **dict(zip(keys, row, strict=True))}
        for row in zip(*(column.tolist() for column in columns), strict=True)
    ]
