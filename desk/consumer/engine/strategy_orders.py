"""The orders of a shard's strategies: order events, simulated matching, and the symbols with positions.

Tests: tests/desk/consumer/engine/test_engine_hours.py
"""

from desk.consumer.engine.engine_clock import EngineClock
from desk.consumer.engine.guard import Guard
from desk.consumer.engine.instance import Instance
from desk.consumer.engine.outbox import EngineOutbox
from desk.consumer.engine.symbol_state import SymbolState
from desk.consumer.engine.symbols import ShardSymbols
from desk.consumer.matching import Matcher, MatchingRules
from desk.model.orders import OrderEvent


class StrategyOrders:
    """Tracks orders by their events. The simulated venue's matchers write their reports to the outbox.

    In a `live` session the ticks are not replayed after a restart: a restored instance recovers its later orders from
    their events. A replayable feed repeats the decisions, each with its old id.
    """

    def __init__(
        self,
        symbols: ShardSymbols,
        guard: Guard,
        now: EngineClock,
        outbox: EngineOutbox,
        rules: MatchingRules,
        *,
        live: bool,
    ) -> None:
        self._symbols = symbols
        self._guard = guard
        self._now = now
        self._outbox = outbox
        self._rules = rules
        self._live = live
        self._held: set[str] = set()
        self._matched: set[str] = set()

    def on_event(self, state: SymbolState, event: OrderEvent) -> None:
        """Apply an event that is not a repeat, and call the hooks of the strategy that owns the order."""
        if event.simulated:
            self._match(state, event)
        for instance in state.instances:
            if instance.entry.name == event.strategy:
                self._tell(instance, event)
        self.note(state)

    def on_mark(self, mark_ns: int) -> None:
        """Open and expire orders whose hours begin and end, by symbol."""
        for symbol in sorted(self._matched):
            state = self._symbols.known[symbol]
            if state.matcher is not None:
                self._outbox.reports += state.matcher.on_mark(mark_ns, state.pricing, state.trading)

    def prices(self) -> dict[str, float]:
        """Reference prices of the symbols with a position."""
        last = ((symbol, self._symbols.known[symbol].pricing.price) for symbol in sorted(self._held))
        return {symbol: price for symbol, price in last if price is not None}

    def expire(self, session_ns: int) -> None:
        """End the session: day orders expire, by symbol."""
        for _, state in sorted(self._symbols.known.items()):
            if state.matcher is not None:
                self._outbox.reports += state.matcher.expire(session_ns)

    def note(self, state: SymbolState) -> None:
        """Recompute whether the symbol has a position, and whether it has a matcher."""
        held = any(instance.position.quantity for instance in state.instances)
        for symbols, is_in in ((self._held, held), (self._matched, state.matcher is not None)):
            if is_in:
                symbols.add(state.symbol)
            else:
                symbols.discard(state.symbol)

    def forget(self, symbol: str) -> None:
        """Remove the symbol."""
        self._held.discard(symbol)
        self._matched.discard(symbol)

    def _match(self, state: SymbolState, event: OrderEvent) -> None:
        if event.status == "accepted":
            if state.matcher is None:
                state.matcher = Matcher(self._rules)
            self._outbox.reports += state.matcher.open(event, self._now.session_ns, state.pricing, state.trading)
        elif event.status == "pending_cancel" and state.matcher is not None:
            self._outbox.reports += state.matcher.cancel(event.client_order_id, self._now.session_ns)
        if state.matcher is not None and state.matcher.is_idle(state.pricing):
            state.matcher = None

    def _tell(self, instance: Instance, event: OrderEvent) -> None:
        active = instance.active
        if self._live:
            instance.recover_order(event)
        fill = instance.on_event(event)
        if fill is not None and hasattr(instance.strategy, "on_fill"):
            self._guard.call_hook([instance], "on_fill", fill, event.number)
        if instance.active != active:
            self._symbols.refresh(instance.symbol)
