"""Applies the bars of before a symbol's subscription.

Tests: tests/desk/consumer/engine/test_symbol_history.py
"""

from desk.bars.series import REPAIRED, rows_of
from desk.consumer.engine.engine_clock import EngineClock
from desk.consumer.engine.open_minutes import OpenMinutes
from desk.consumer.engine.symbol_state import SymbolState
from desk.consumer.engine.symbols import ShardSymbols
from desk.model.items import History
from desk.telemetry.audit import Audit


class SymbolHistories:
    """Puts the items `History` into the states of their symbols, and lets waiting strategies start."""

    def __init__(self, symbols: ShardSymbols, minutes: OpenMinutes, now: EngineClock, audit: Audit) -> None:
        self._symbols = symbols
        self._minutes = minutes
        self._now = now
        self._audit = audit

    def apply(self, history: History) -> None:
        """Apply a history that is newer than the last one of its symbol."""
        state = self._symbols.get_or_create(history.symbol, history.at_ns)
        if history.at_ns <= state.history_ns:
            return
        state.history_ns = history.at_ns
        self._put_bars(state, history)
        state.has_history = history.warm
        state.warm = state.warm or history.warm
        if history.problem:
            self._audit.without_history.append((history.symbol, history.problem))
        if state.awaits_history:
            state.awaits_history = False
            self._symbols.refresh(state.symbol)

    def _put_bars(self, state: SymbolState, history: History) -> None:
        day_start_ns = self._now.grid.day_start_ns
        today = [bar for bar in history.bars.get("1m", ()) if bar.minute_ns >= day_start_ns]
        state.bars.put_earlier(today, self._minutes.closed_to_ns, whole=history.warm)
        for timeframe, bars in history.bars.items():
            earlier = {bar.minute_ns: bar for bar in bars if bar.minute_ns < day_start_ns}
            rows = rows_of(earlier[minute_ns] for minute_ns in sorted(earlier))
            rows["flags"] = REPAIRED
            state.past[timeframe] = rows.tobytes()
        state.longer = None
