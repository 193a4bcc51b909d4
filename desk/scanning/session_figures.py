"""The session's open, high, low, close and volume of many symbols, revised by corrections and cancels.

Tests: tests/desk/scanning/test_market_view.py
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from desk.bars.columns import BarColumns, MinuteColumns, TradeColumns
from desk.bars.remembered_trades import RememberedTrades
from desk.model.bars import BarFields, WorkingBar
from desk.model.units import MINUTE_NS, floor_to


class SessionFigures:
    """`session` holds the trades whose venue time is `start_ns` or later, `earlier` those before; one row per symbol.

    A revised symbol's row is recomputed from its minutes. If the session starts within a minute, that minute is
    therefore kept in two parts, and `split_ns` is the session's start.
    """

    def __init__(self, symbols: int, start_ns: int) -> None:
        self.session = BarColumns(symbols)
        self.earlier = BarColumns(symbols)
        self._start_ns = start_ns
        self._first_ns = floor_to(start_ns, MINUTE_NS)
        self.split_ns = start_ns if start_ns != self._first_ns else None
        self._parts = None if self.split_ns is None else (BarColumns(symbols), BarColumns(symbols))

    def fold(self, symbol: NDArray[np.int32], trades: TradeColumns) -> None:
        """Fold trades; trade i belongs to the symbol with index `symbol[i]`."""
        in_session = trades.ts_ns >= self._start_ns
        sides = [(self.session, in_session), (self.earlier, ~in_session)]
        if self._parts is not None:
            here = trades.ts_ns // MINUTE_NS == self._first_ns // MINUTE_NS
            sides += [(self._parts[0], here & ~in_session), (self._parts[1], here & in_session)]
        for bars, mask in sides:
            if mask.any():
                bars.fold(symbol[mask].astype(np.intp), trades.only(mask))

    def revise(self, number: int, old_ns: int, memory: RememberedTrades, minutes: MinuteColumns) -> None:
        """Recompute a symbol's row after a trade with this venue time, and its minute, were revised."""
        in_session = old_ns >= self._start_ns
        first_ns = self._first_ns
        if self._parts is not None and floor_to(old_ns, MINUTE_NS) == first_ns:
            self._parts[in_session].put(number, memory.fold_part(in_session=in_session))
        bars: list[BarFields] = [
            bar
            for bar in minutes.of(number, "", "complete")
            if (
                bar.minute_ns > first_ns or (bar.minute_ns == first_ns and self._parts is None)
                if in_session
                else bar.minute_ns < first_ns
            )
        ]
        if self._parts is not None:
            bars.append(self._parts[in_session].bar(number, "", first_ns, "complete"))
        (self.session if in_session else self.earlier).put(number, _together(bars))


def _together(bars: Iterable[BarFields]) -> WorkingBar:
    """The bars of one symbol merged into one."""
    whole = WorkingBar("", 0)
    for bar in bars:
        whole.volume += bar.volume
        whole.notional += bar.notional
        whole.trades += bar.trades
        whole.high = max(whole.high, bar.high)
        whole.low = min(whole.low, bar.low)
        if not bar.priced:
            continue
        if not whole.priced or (bar.open_ns, bar.open_ordinal) < (whole.open_ns, whole.open_ordinal):
            whole.open, whole.open_ns, whole.open_ordinal = bar.open, bar.open_ns, bar.open_ordinal
        if (bar.close_ns, bar.close_ordinal) > (whole.close_ns, whole.close_ordinal):
            whole.close, whole.close_ns, whole.close_ordinal = bar.close, bar.close_ns, bar.close_ordinal
    return whole
