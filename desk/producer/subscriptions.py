"""The subscribed symbols: those of the plan, those that scanners want, and those with an open order or position."""

from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from desk.model.orders import TERMINAL, OrderEvent
from desk.trading.order_life import DUST

PLAN = ""
ALL = "*"


class SubscriptionChange(NamedTuple):
    """Symbols that are new, that other scanners want than before, and that are removed."""

    new: list[str]
    changed: list[str]
    removed: list[str]


class _State(msgspec.Struct, array_like=True):
    """The state of `Subscriptions`; `subscribed` keeps its order, `always` and `wanted` are best first."""

    always: list[str]
    wanted: dict[str, list[str]]
    subscribed: dict[str, list[str]]
    held: list[tuple[str, str, float]]
    open_orders: dict[str, str]
    last_event: dict[str, int]


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_State).decode


class Subscriptions:
    """Symbols with the names of the scanners that want them; the plan has the name "".

    A symbol with an open order or position stays subscribed, and is subscribed again if an order event arrives late.
    """

    def __init__(self, always: Iterable[str]) -> None:
        self._plan = list(dict.fromkeys(always))
        self._always = frozenset(self._plan)
        self._wanted: dict[str, dict[str, int]] = {}
        self._subscribed: dict[str, list[str]] = {symbol: [PLAN] for symbol in sorted(self._always)}
        self._held: dict[tuple[str, str], float] = {}
        self._open_orders: dict[str, str] = {}
        self._last_event: dict[str, int] = {}

    @property
    def symbols(self) -> list[str]:
        """The subscribed symbols."""
        return list(self._subscribed)

    @property
    def count(self) -> int:
        """The number of subscribed symbols, without "*"."""
        return len(self._subscribed) - (ALL in self._subscribed)

    @property
    def wanted_by_scanners(self) -> int:
        """The number of symbols that scanners want."""
        return len(frozenset().union(*self._wanted.values()))

    @property
    def open_positions(self) -> int:
        """The number of open positions by strategy and symbol."""
        return sum(quantity != 0 for quantity in self._held.values())

    def scanners_of(self, symbol: str) -> list[str]:
        """The names of the scanners that want the symbol, with "" for the plan."""
        scanners = [name for name in sorted(self._wanted) if symbol in self._wanted[name]]
        return [PLAN, *scanners] if symbol in self._always or ALL in self._always else scanners

    def add_if_new(self, symbol: str) -> bool:
        """If all symbols are subscribed, add this one; return whether it is new."""
        if ALL not in self._always or symbol in self._subscribed:
            return False
        self._subscribed[symbol] = [PLAN]
        return True

    def set_wanted(self, scanner: str, symbols: Iterable[str]) -> None:
        """Replace the symbols that a scanner wants, best first."""
        self._wanted[scanner] = {symbol: rank for rank, symbol in enumerate(dict.fromkeys(symbols))}

    def most_wanted_first(self) -> list[str]:
        """The subscribed symbols: with an open order or position, of the plan, then of scanners, by their best rank."""
        ranks: dict[str, int] = {}
        for wanted in self._wanted.values():
            for symbol, rank in wanted.items():
                ranks[symbol] = min(rank, ranks.get(symbol, rank))
        best_first = sorted(ranks, key=lambda symbol: (ranks[symbol], symbol))
        order = dict.fromkeys([*sorted(self._open_symbols()), *self._plan, *best_first, *self._subscribed])
        return [symbol for symbol in order if symbol in self._subscribed]

    def changes(self) -> SubscriptionChange:
        """Apply all wanted symbols, and return what changed."""
        all_symbols = self._subscribed if ALL in self._always else ()
        kept = self._always.union(*self._wanted.values(), self._open_symbols(), all_symbols)
        new = sorted(kept.difference(self._subscribed))
        removed = [symbol for symbol in self._subscribed if symbol not in kept]
        changed = []
        for symbol in removed:
            del self._subscribed[symbol]
        for symbol, scanners in self._subscribed.items():
            now = self.scanners_of(symbol)
            if now != scanners:
                self._subscribed[symbol] = now
                changed.append(symbol)
        for symbol in new:
            self._subscribed[symbol] = self.scanners_of(symbol)
        return SubscriptionChange(new, changed, removed)

    def on_event(self, event: OrderEvent) -> None:
        """Track open orders and positions. A repeated event has no effect."""
        if event.number <= self._last_event.get(event.symbol, 0):
            return
        self._last_event[event.symbol] = event.number
        if event.status in TERMINAL:
            self._open_orders.pop(event.client_order_id, None)
        else:
            self._open_orders[event.client_order_id] = event.symbol
        if event.fill_quantity:
            signed = event.fill_quantity if event.side == "buy" else -event.fill_quantity
            key = (event.strategy, event.symbol)
            held = self._held.get(key, 0.0) + signed
            self._held[key] = held if abs(held) > DUST else 0.0

    def state(self) -> bytes:
        """The encoded state, for `restore`."""
        return _encode(
            _State(
                self._plan,
                {scanner: list(symbols) for scanner, symbols in self._wanted.items()},
                self._subscribed,
                [(strategy, symbol, quantity) for (strategy, symbol), quantity in self._held.items()],
                self._open_orders,
                self._last_event,
            )
        )

    def restore(self, state: bytes) -> None:
        """Restore an encoded state. Raises msgspec.MsgspecError."""
        found = _decode(state)
        self._plan, self._always = found.always, frozenset(found.always)
        self._wanted = {}
        for scanner, symbols in found.wanted.items():
            self.set_wanted(scanner, symbols)
        self._subscribed = found.subscribed
        self._held = {(strategy, symbol): quantity for strategy, symbol, quantity in found.held}
        self._open_orders = found.open_orders
        self._last_event = found.last_event

    def _open_symbols(self) -> frozenset[str]:
        held = {symbol for (_, symbol), quantity in self._held.items() if quantity}
        return frozenset(held.union(self._open_orders.values()))
