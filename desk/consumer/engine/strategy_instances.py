"""The strategy instances of a shard: created, activated, deactivated, and stopped from outside.

Tests: tests/desk/consumer/engine/test_engine_watching.py
"""

from collections.abc import Sequence

from desk.bars.remembered_trades import unpack_trades
from desk.consumer.engine.engine_clock import EngineClock
from desk.consumer.engine.guard import Guard
from desk.consumer.engine.instance import Instance
from desk.consumer.engine.open_minutes import OpenMinutes
from desk.consumer.engine.outbox import EngineOutbox
from desk.consumer.engine.snapshot import SymbolSnapshot, unpack_instance, unpack_symbol
from desk.consumer.engine.strategy_entry import StrategyEntry
from desk.consumer.engine.symbol_state import SymbolState
from desk.consumer.engine.symbols import ShardSymbols
from desk.consumer.engine.venue_bars import VenueBars
from desk.consumer.matching import TradingState
from desk.model.bars import Bar
from desk.model.checkpoint import NO_TRADES, LoggedTrades
from desk.model.items import Stop, Unwatch, Watch
from desk.model.units import MINUTE_NS
from desk.telemetry.breadcrumb_port import EVERYWHERE


class StrategyInstances:
    """Creates instances for watched symbols, in the plan's order, and deactivates those that are no longer wanted.

    A symbol watched since the session's start is warm without history. `stopped_everywhere` are the strategies stopped
    for all symbols.
    """

    def __init__(
        self,
        entries: Sequence[StrategyEntry],
        symbols: ShardSymbols,
        minutes: OpenMinutes,
        guard: Guard,
        session_start_ns: int,
    ) -> None:
        self._entries = {entry.name: entry for entry in entries}
        self._symbols = symbols
        self._minutes = minutes
        self._guard = guard
        self._session_start_ns = session_start_ns
        self.stopped_everywhere: set[str] = set()

    def watch(self, watch: Watch) -> None:
        """Apply a new subscription of the symbol, or a change of the scanners that want it."""
        state = self._symbols.get_or_create(watch.symbol, watch.since_ns)
        if not state.watched:
            since_ns = self._session_start_ns if watch.first else watch.since_ns
            state.bars.since_ns = self._minutes.data_ns(since_ns)
            self._symbols.watch(state, on=True)
            self._warm_up(state, watch)
            state.awaits_history = watch.history_follows
        state.scanners = watch.scanners
        self._seat(state)

    def create_owner(self, state: SymbolState, strategy: str) -> None:
        """Create the instance that owns an order, if it is missing.

        A shard restarted without a checkpoint receives the order's events before its symbol's `Watch`, or without one
        if no scanner wants the symbol any more. The position needs its instance all the same.
        """
        entry = self._entries.get(strategy)
        if entry is None or any(instance.entry is entry for instance in state.instances):
            return
        by_name = {instance.entry.name: instance for instance in state.instances}
        by_name[strategy] = self._created(entry, state)
        state.instances = [by_name[name] for name in self._entries if name in by_name]

    def unwatch(self, unwatch: Unwatch) -> None:
        """Apply the end of a subscription: the symbol's open minutes stay partial."""
        state = self._symbols.watched.get(unwatch.symbol)
        if state is None:
            return
        self._symbols.watch(state, on=False)
        state.pricing.clear_quotes()
        state.trading, state.venue_bars = TradingState(), VenueBars()  # further notices are missing
        for minute_ns in state.bars.open_minutes(self._minutes.closed_to_ns):
            if minute_ns + MINUTE_NS > self._minutes.data_ns(unwatch.at_ns):
                state.bars.spoil(minute_ns, self._minutes.closed_to_ns)
        self._seat(state)

    def stop(self, stop: Stop, mark_ns: int) -> None:
        """Stop the strategy on one symbol, or on all (EVERYWHERE); it is not created there later either."""
        if stop.strategy not in self._entries:
            return
        if stop.symbol == EVERYWHERE:
            self._stop_everywhere(stop)
            return
        state = self._symbols.get_or_create(stop.symbol, mark_ns)
        state.stops.setdefault(stop.strategy, stop.why)
        for instance in state.instances:
            if instance.entry.name == stop.strategy and not instance.stopped:
                self._guard.stop_from_outside(instance, stop.why)

    def _stop_everywhere(self, stop: Stop) -> None:
        self.stopped_everywhere.add(stop.strategy)
        self._guard.note_stopped_everywhere(stop.strategy, stop.why)
        for state in self._symbols.known.values():
            for instance in state.instances:
                if instance.entry.name == stop.strategy:
                    instance.deactivate()
            self._symbols.refresh(state.symbol)

    def restore(self, kept: SymbolSnapshot, closed: list[Bar], trades: LoggedTrades = NO_TRADES) -> SymbolState:
        """Restore a symbol with its instances, its closed minutes and its logged trades."""
        state = unpack_symbol(kept, closed, trades)
        self._add(state)
        for seat in kept.instances:
            instance = self._guard.create_empty(self._entries[seat.entry], state)
            state.instances.append(instance)
            unpack_instance(seat, instance, self._guard)
        self._symbols.refresh(state.symbol)
        return state

    def take_over(self, state: SymbolState, now: EngineClock, outbox: EngineOutbox) -> None:
        """Add a symbol from another engine at the same mark; `now` and `outbox` are this engine's."""
        self._add(state)
        for instance in state.instances:
            instance.use_clock(now, outbox)
        self._symbols.refresh(state.symbol)

    def _add(self, state: SymbolState) -> None:
        self._symbols.add(state)
        for minute_ns in state.bars.open_minutes(self._minutes.closed_to_ns):
            self._minutes.opened(minute_ns, state)

    def _warm_up(self, state: SymbolState, watch: Watch) -> None:
        has_history = state.has_history and state.history_ns >= watch.since_ns
        state.warm = watch.warm or has_history or state.bars.since_ns <= self._session_start_ns
        if watch.warm:
            memory = unpack_trades(watch.remembered)
            for minute_ns in state.bars.warm(watch.bars, self._minutes.closed_to_ns, memory):
                self._minutes.opened(minute_ns, state)

    def _created(self, entry: StrategyEntry, state: SymbolState) -> Instance:
        if entry.name in self.stopped_everywhere:
            instance = self._guard.create_empty(entry, state)
            instance.deactivate()
            return instance
        why = state.stops.get(entry.name)
        return self._guard.create(entry, state) if why is None else self._guard.create_stopped(entry, state, why)

    def _seat(self, state: SymbolState) -> None:
        seated = {instance.entry.name: instance for instance in state.instances}
        state.instances = []
        for entry in self._entries.values():
            wanted = state.watched and entry.wants(state.symbol, state.scanners)
            instance = seated.get(entry.name)
            if instance is None and wanted and entry.name not in self.stopped_everywhere:
                instance = self._created(entry, state)
            if instance is not None:
                instance.wanted = wanted
                state.instances.append(instance)
        self._symbols.refresh(state.symbol)
