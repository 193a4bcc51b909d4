"""The symbols of a shard: known, watched, and with active strategies.

Tests: tests/desk/consumer/engine/test_engine_watching.py
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from desk.consumer.engine.instance import Instance
from desk.consumer.engine.outbox import EngineOutbox
from desk.consumer.engine.strategy_entry import StrategyEntry
from desk.consumer.engine.symbol_state import SymbolState
from desk.strategy import Context

SecondHook = tuple[Instance, Callable[[Context], None]]
"""An instance and its `on_second`."""


class SecondHooks(NamedTuple):
    """The `on_second` hooks of the active instances, in canonical order, and the name of each one's strategy."""

    calls: Sequence[SecondHook]
    strategies: Sequence[str]


class ShardSymbols:
    """The symbol states of a shard: `known` are all of them, `watched` the subscribed ones.

    Their builders write closed minutes to the outbox.
    """

    def __init__(self, entries: Sequence[StrategyEntry], outbox: EngineOutbox) -> None:
        self.known: dict[str, SymbolState] = {}
        self.watched: dict[str, SymbolState] = {}
        self._entries = entries
        self._outbox = outbox
        self._second_hooks: SecondHooks | None = None

    def get_or_create(self, symbol: str, since_ns: int) -> SymbolState:
        """The symbol's state; created if the symbol is unknown."""
        state = self.known.get(symbol)
        if state is None:
            state = SymbolState(symbol, since_ns, watched=False)
            self.add(state)
        return state

    def add(self, state: SymbolState) -> None:
        """Add a symbol's state."""
        self.known[state.symbol] = state
        state.bars.changed = self._outbox.bars
        if state.watched:
            self.watched[state.symbol] = state

    def watch(self, state: SymbolState, *, on: bool) -> None:
        """Mark a known symbol as subscribed or not."""
        state.watched = on
        if on:
            self.watched[state.symbol] = state
        else:
            del self.watched[state.symbol]

    def remove(self, symbol: str) -> None:
        """Remove a symbol with its strategies."""
        del self.known[symbol]
        self.watched.pop(symbol, None)
        self._second_hooks = None

    def refresh(self, symbol: str) -> None:
        """Recompute which hooks run, after an instance of this symbol became active or inactive."""
        self.known[symbol].refresh()
        self._second_hooks = None

    def active(self, symbols: Iterable[str]) -> Iterator[Instance]:
        """The active instances on these symbols, in canonical order: by the plan's strategies, then by symbol."""
        states = [self.known[symbol] for symbol in sorted(symbols)]
        for entry in self._entries:
            for state in states:
                yield from (each for each in state.instances if each.entry is entry and each.active)

    def second_hooks(self) -> SecondHooks:
        """The `on_second` hooks of the active instances; the same object until an instance starts or stops."""
        if self._second_hooks is None:
            calls = [
                (instance, instance.strategy.on_second)
                for instance in self.active(self.known)
                if hasattr(instance.strategy, "on_second")
            ]
            self._second_hooks = SecondHooks(calls, [instance.entry.name for instance, _ in calls])
        return self._second_hooks
