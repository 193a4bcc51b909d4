"""Applies minutes from the venue's history: bars are repaired, prices may move forward, strategies are not called.

Tests: tests/desk/consumer/engine/test_engine_backfill.py
"""

from collections.abc import Mapping, Sequence
from typing import Final

from desk.bars.minute_repair import RepairLimits
from desk.bars.reference_price import is_eligible_print
from desk.consumer.engine.open_minutes import OpenMinutes
from desk.consumer.engine.symbol_state import SymbolState
from desk.model.items import Backfill, decode_trades
from desk.model.ticks import Trade
from desk.model.units import MINUTE_NS
from desk.telemetry.audit import Audit, count_cause

UNDER_WAY_NS: Final = 5 * MINUTE_NS
"""A trade of the history may still arrive from the stream: for so long it is known as a duplicate."""


class Backfills:
    """Applies `Backfill` items. A repeated one changes nothing, because it replaces whole minutes."""

    def __init__(self, symbols: Mapping[str, SymbolState], minutes: OpenMinutes, audit: Audit) -> None:
        self._symbols = symbols
        self._minutes = minutes
        self._audit = audit

    def apply(self, backfill: Backfill, mark_ns: int) -> None:
        """Repair the symbol's minutes. `mark_ns` is the last mark. A symbol that is not known here is ignored."""
        state = self._symbols.get(backfill.symbol)
        if state is None:
            return
        trades = decode_trades(backfill.trades)
        if trades and state.bars.memory is None:
            state.bars.begin_memory(state.last_ordinal + 1, state.trade, state.pricing.last_print)
        minutes = self._minutes
        missed = minutes.data_ns(backfill.gap_ns), minutes.data_ns(backfill.gap_to_ns)
        limits = RepairLimits(minutes.closed_to_ns, minutes.revisable_from_ns, *missed)
        outcome = state.bars.repair(backfill, trades, limits, until_ns=mark_ns + UNDER_WAY_NS)
        self._audit.trades += outcome.added
        self._audit.backfilled += outcome.added
        for minute_ns in outcome.opened:
            self._minutes.opened(minute_ns, state)
        if outcome.refused:
            count_cause(self._audit.unrepaired, str(backfill.gap_ns))
        else:
            _advance(state, trades)


def _advance(state: SymbolState, trades: Sequence[Trade]) -> None:
    """Let last trade and last print be those of the history, if these are newer."""
    if not trades:
        return
    if state.trade is None or trades[-1].ts_ns > state.trade.ts_ns:
        state.trade = trades[-1]
    newest = next((trade for trade in reversed(trades) if is_eligible_print(trade)), None)
    if newest is None:
        return
    held = state.pricing.last_print
    if held is None or newest.ts_ns > held.ts_ns:
        state.pricing.on_trade(newest)
    if state.bars.memory is not None:
        state.bars.memory.saw_print(newest)
