"""The orders of a shard's strategies: events taken in, simulated orders matched, and what is held because of them."""

from collections.abc import Container

from desk.engine.guard import Guard
from desk.engine.instance import Instance
from desk.engine.now import Now
from desk.engine.symbol import SymbolState
from desk.engine.symbols import Symbols
from desk.matching import Matcher
from desk.model.orders import OrderEvent, Report


class Orders:
    """Follows orders by their events. `reports` are what the simulated venue's matchers have to tell the broker."""

    def __init__(self, symbols: Symbols, guard: Guard, now: Now, slippage_bps: float, fee_per_share: float) -> None:
        self.reports: list[Report] = []
        self._symbols = symbols
        self._guard = guard
        self._now = now
        self._slippage_bps = slippage_bps
        self._fee_per_share = fee_per_share
        self._held: set[str] = set()

    def on_event(self, state: SymbolState, event: OrderEvent) -> None:
        """Take an event in that is news, and tell the strategy whose order it is."""
        if event.simulated:
            self._match(state, event)
        for instance in state.instances:
            if instance.entry.name == event.strategy:
                self._tell(instance, event)
        self.note_held(state)

    def prices(self) -> dict[str, float]:
        """Last prices of the symbols in which something is held."""
        last = ((symbol, self._symbols.known[symbol].last_price()) for symbol in sorted(self._held))
        return {symbol: price for symbol, price in last if price is not None}

    def take_reports(self) -> list[Report]:
        """What the matchers told since the last call."""
        reports, self.reports = self.reports, []
        return reports

    def take_reports_of(self, symbols: Container[str]) -> list[Report]:
        """The same, on these symbols alone."""
        taken = [report for report in self.reports if report.symbol in symbols]
        self.reports = [report for report in self.reports if report.symbol not in symbols]
        return taken

    def expire(self, session_ns: int) -> None:
        """End the session: day orders expire, by symbol."""
        for _, state in sorted(self._symbols.known.items()):
            if state.matcher is not None:
                self.reports += state.matcher.expire(session_ns)

    def note_held(self, state: SymbolState) -> None:
        """Look again whether anything is held of the symbol."""
        if any(instance.position.quantity for instance in state.instances):
            self._held.add(state.symbol)
        else:
            self._held.discard(state.symbol)

    def forget(self, symbol: str) -> None:
        """The symbol goes, with what is held of it."""
        self._held.discard(symbol)

    def _match(self, state: SymbolState, event: OrderEvent) -> None:
        if event.status == "accepted":
            if state.matcher is None:
                state.matcher = Matcher(self._slippage_bps, self._fee_per_share)
            state.matcher.open(event, self._now.session_ns)
        elif event.status == "pending_cancel" and state.matcher is not None:
            self.reports += state.matcher.cancel(event.client_order_id, self._now.session_ns)
        if state.matcher is not None and state.matcher.empty:
            state.matcher = None

    def _tell(self, instance: Instance, event: OrderEvent) -> None:
        active = instance.active
        fill = instance.on_event(event)
        if fill is not None and hasattr(instance.strategy, "on_fill"):
            self._guard.each([instance], "on_fill", fill, event.number)
        if instance.active != active:
            self._symbols.refresh(instance.symbol)
