"""Ticks that a shard does not receive, and the minutes that are partial because of them."""

from collections import deque
from collections.abc import Iterable, Mapping
from typing import Final

from desk.consumer.engine.open_minutes import OpenMinutes
from desk.consumer.engine.symbol_state import SymbolState
from desk.model.items import GapItem, LostTrades

MAX_GAPS: Final = 64


class LostTicks:
    """Marks minutes as partial whose trades were dropped in the lane, or which overlap a gap.

    `gaps` are the last MAX_GAPS gaps, so that a replayed gap does not count twice. A grown open gap replaces its
    earlier version.
    """

    def __init__(self, symbols: Mapping[str, SymbolState], minutes: OpenMinutes) -> None:
        self.gaps: deque[GapItem] = deque(maxlen=MAX_GAPS)
        self._symbols = symbols
        self._minutes = minutes

    def lost(self, lost: LostTrades) -> None:
        """Mark the minutes of dropped trades as partial, except those that can no longer be revised."""
        for symbol, minute_ns in lost.minutes:
            state = self._symbols.get(symbol)
            if state is not None and minute_ns >= self._minutes.revisable_from_ns:
                state.bars.spoil(minute_ns, self._minutes.closed_to_ns)

    def gap(self, gap: GapItem) -> list[str] | None:
        """Mark the minutes that overlap the gap as partial, also those without a bar yet; returns the symbols affected.

        None for a known gap, or one that has grown.
        """
        if gap in self.gaps:
            return None
        before = self._before(gap) if gap.is_open else None
        if before is not None and before.to_ns >= gap.to_ns:
            return None
        grown = before if before is not None and before.is_open else None
        if grown is not None:
            self.gaps.remove(grown)
        from_ns = gap.from_ns if grown is None else grown.to_ns
        self.gaps.append(gap)
        states = self._symbols.values()
        if gap.symbols is None:
            touched = [state for state in states if state.watched]
        else:
            touched = [self._symbols[symbol] for symbol in gap.symbols if symbol in self._symbols]
            if not (gap.trades or gap.quotes):
                _refuse(touched, gap)
        for state in touched:
            for minute_ns in self._minutes.touched(from_ns, gap.to_ns):
                state.bars.spoil(minute_ns, self._minutes.closed_to_ns)
        return None if grown is not None else [state.symbol for state in touched]

    def _before(self, gap: GapItem) -> GapItem | None:
        """The known version of this gap that reaches furthest; None for a new gap."""
        same = [known for known in self.gaps if (known.from_ns, known.symbols) == (gap.from_ns, gap.symbols)]
        return max(same, key=lambda known: known.to_ns, default=None)


def _refuse(states: Iterable[SymbolState], gap: GapItem) -> None:
    """Record since when the venue refuses these symbols, or that it grants them again."""
    for state in states:
        state.refused_ns = (state.refused_ns or gap.from_ns) if gap.is_open else None
