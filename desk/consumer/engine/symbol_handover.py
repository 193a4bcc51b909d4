"""The state that is handed over with slots.

A move hands over the whole state of a symbol: the engine's snapshot of the moved symbols, and their closed minutes,
which a checkpoint leaves to the keeper.
"""

from collections.abc import Iterable, Mapping

from desk.consumer.engine.guard import Guard
from desk.consumer.engine.snapshot import SymbolSnapshot, pack_symbol
from desk.consumer.engine.symbol_state import SymbolState
from desk.flow.routing_table import slot_of
from desk.model.items import Adopt, Item, Release, Settle, decode_items


def symbols_in_slots(slots: Iterable[int], symbols: Mapping[str, SymbolState]) -> list[SymbolState]:
    """The symbols that belong to these slots."""
    moving = frozenset(slots)
    return [state for symbol, state in symbols.items() if slot_of(symbol) in moving]


def pack_whole(state: SymbolState, guard: Guard) -> SymbolSnapshot:
    """The symbol with its closed minutes and its remembered trades."""
    kept = pack_symbol(state, guard)
    kept.series = state.bars.rows.packed()
    if state.bars.memory is not None:
        kept.memory = state.bars.memory.state(whole=True)
    return kept


def held_items(adopt: Adopt) -> list[Item]:
    """The items held for the moved slots. Raises ValueError if another move is among them."""
    items = decode_items(adopt.items)
    if any(isinstance(item, Release | Adopt | Settle) for item in items):
        raise ValueError(f"move {adopt.move} has another move among the items held for it")
    return items
