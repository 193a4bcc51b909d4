"""Which symbols the desk listens to, who wants them, and which must not be let go."""

from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from desk.model.orders import TERMINAL, OrderEvent
from desk.trading.order_life import DUST

PLAN = ""
ALL = "*"


class SubscriptionChange(NamedTuple):
    """Symbols that are new, that others want than before, and that are gone."""

    new: list[str]
    changed: list[str]
    gone: list[str]


class _State(msgspec.Struct, array_like=True):
    """Everything that `Subscriptions` knows; `subscribed` in its order."""

    always: list[str]
    wanted: dict[str, list[str]]
    subscribed: dict[str, list[str]]
    held: list[tuple[str, str, float]]
    open_orders: dict[str, str]
    last_event: dict[str, int]


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_State).decode


class Subscriptions:
    """Symbols by who wants them: the plan, or scanners by name.

    A symbol that nobody wants any more is kept while a position or an order is open in it; one in which an order
    turns out to be open after it was let go is taken back.
    """

    def __init__(self, always: Iterable[str]) -> None:
        self._always = frozenset(always)
        self._wanted: dict[str, frozenset[str]] = {}
        self._subscribed: dict[str, list[str]] = {symbol: [PLAN] for symbol in sorted(self._always)}
        self._held: dict[tuple[str, str], float] = {}
        self._open_orders: dict[str, str] = {}
        self._last_event: dict[str, int] = {}

    @property
    def symbols(self) -> list[str]:
        """Everything subscribed."""
        return list(self._subscribed)

    @property
    def count(self) -> int:
        """How many symbols are subscribed, as far as they are known by name."""
        return len(self._subscribed) - (ALL in self._subscribed)

    @property
    def wanted_by_scanners(self) -> int:
        """How many symbols any scanner wants now."""
        return len(frozenset().union(*self._wanted.values()))

    @property
    def open_positions(self) -> int:
        """How many (strategy, symbol) hold something."""
        return sum(quantity != 0 for quantity in self._held.values())

    def scanners_of(self, symbol: str) -> list[str]:
        """Who wants the symbol."""
        wanting = [name for name in sorted(self._wanted) if symbol in self._wanted[name]]
        return [PLAN, *wanting] if symbol in self._always or ALL in self._always else wanting

    def meet(self, symbol: str) -> bool:
        """Whether the symbol is new, and there because all symbols are subscribed."""
        if ALL not in self._always or symbol in self._subscribed:
            return False
        self._subscribed[symbol] = [PLAN]
        return True

    def want(self, scanner: str, symbols: Iterable[str]) -> None:
        """A scanner's newest wish replaces its last one."""
        self._wanted[scanner] = frozenset(symbols)

    def changes(self) -> SubscriptionChange:
        """Bring the subscriptions in line with what is wanted."""
        met = self._subscribed if ALL in self._always else ()
        kept = self._always.union(*self._wanted.values(), self._busy(), met)
        new = sorted(kept.difference(self._subscribed))
        gone = [symbol for symbol in self._subscribed if symbol not in kept]
        changed = []
        for symbol in gone:
            del self._subscribed[symbol]
        for symbol, scanners in self._subscribed.items():
            now = self.scanners_of(symbol)
            if now != scanners:
                self._subscribed[symbol] = now
                changed.append(symbol)
        for symbol in new:
            self._subscribed[symbol] = self.scanners_of(symbol)
        return SubscriptionChange(new, changed, gone)

    def on_event(self, event: OrderEvent) -> None:
        """Keep track of what is open in each symbol. An event that comes again changes nothing."""
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
        """Everything, for `restore`."""
        return _encode(
            _State(
                sorted(self._always),
                {scanner: sorted(symbols) for scanner, symbols in self._wanted.items()},
                self._subscribed,
                [(strategy, symbol, quantity) for (strategy, symbol), quantity in self._held.items()],
                self._open_orders,
                self._last_event,
            )
        )

    def restore(self, state: bytes) -> None:
        """Be what the subscriptions were that encoded this. Raises msgspec.MsgspecError."""
        found = _decode(state)
        self._always = frozenset(found.always)
        self._wanted = {scanner: frozenset(symbols) for scanner, symbols in found.wanted.items()}
        self._subscribed = found.subscribed
        self._held = {(strategy, symbol): quantity for strategy, symbol, quantity in found.held}
        self._open_orders = found.open_orders
        self._last_event = found.last_event

    def _busy(self) -> frozenset[str]:
        held = {symbol for (_, symbol), quantity in self._held.items() if quantity}
        return frozenset(held.union(self._open_orders.values()))
