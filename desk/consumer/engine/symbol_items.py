"""The items about symbols as such: their subscription, their history, and what is missing of their ticks.

Tests: tests/desk/consumer/engine/test_engine_watching.py
"""

from desk.consumer.engine.engine_state import EngineState
from desk.model.items import GapItem, History, LostTrades, QuotesLost, Stop, Unwatch, Watch
from desk.strategy import Gap as GapSeen


class SymbolItems:
    """Applies these items to the state of an engine. Repeated items, and those of released symbols, change nothing."""

    def __init__(self, state: EngineState) -> None:
        self._state = state

    def watch(self, watch: Watch) -> None:
        """Start a subscription, or change the scanners that want the symbol."""
        state = self._state
        if watch.since_ns >= state.mark_ns and not state.moves.has_left(watch.symbol):
            state.instances.watch(watch)

    def unwatch(self, unwatch: Unwatch) -> None:
        """End a subscription."""
        if unwatch.at_ns >= self._state.mark_ns:
            self._state.instances.unwatch(unwatch)

    def history(self, history: History) -> None:
        """Add bars of before a subscription."""
        state = self._state
        if not state.moves.has_left(history.symbol):
            state.histories.apply(history)

    def stop(self, stop: Stop) -> None:
        """Stop a strategy for the symbol, or for all."""
        state = self._state
        if not stop.strategy:
            state.guard.note_stopped_everywhere("of no known name", stop.why)
        elif not state.moves.has_left(stop.symbol):
            state.instances.stop(stop, state.mark_ns)

    def lost(self, lost: LostTrades) -> None:
        """Mark the minutes of dropped trades as partial."""
        self._state.losses.lost(lost)

    def unquoted(self, unquoted: QuotesLost) -> None:
        """Discard the symbol's quotes: they are out of date."""
        state = self._state
        if not state.moves.has_left(unquoted.symbol):
            state.symbols.get_or_create(unquoted.symbol, state.mark_ns).pricing.unquote(unquoted.at_ns)

    def gap(self, gap: GapItem) -> None:
        """Mark the gap's minutes as partial, discard quotes, and call on_gap."""
        state = self._state
        symbols = state.losses.gap(gap)
        if symbols is None:
            return
        state.now.degraded = state.now.degraded or (gap.is_open and gap.symbols is None)
        state.audit.lost_trades += gap.trades
        state.audit.lost_quotes += gap.quotes
        for symbol in symbols:
            state.symbols.known[symbol].pricing.clear_quotes()
        state.notices.on_gap(symbols, gap.from_ns)
        instances = [instance for instance in state.symbols.active(symbols) if hasattr(instance.strategy, "on_gap")]
        state.guard.call_hook(instances, "on_gap", GapSeen(gap.from_ns, gap.to_ns, gap.why, gap.is_open), gap.from_ns)
