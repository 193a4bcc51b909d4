"""The minutes of a shard that are open, and those that may still be revised."""

from desk.consumer.engine.symbol_state import SymbolState
from desk.model.units import DAY_NS, MINUTE_NS, floor_to


class OpenMinutes:
    """The open minutes of all symbols, and two limits that only rise.

    Minutes before `closed_to_ns` are closed; of those, the ones from `revisable_from_ns` on still take late trades. A
    minute closes at the first mark `grace_ns` or more after its end, and takes late trades until the first mark
    `revise_ns` or more after it. `delay_ns` is how late the feed is by design: at a mark the data are `delay_ns` older
    than the mark (`data_ns`), so minutes end that much later. `repair_ns` longer than late trades may the venue's
    history complete a partial minute.
    """

    def __init__(
        self, session_start_ns: int, grace_ns: int, revise_ns: int, delay_ns: int = 0, repair_ns: int = 0
    ) -> None:
        self._delay_ns = delay_ns
        self._repair_ns = repair_ns
        self._grace_ns = grace_ns
        self.revise_ns = max(revise_ns, grace_ns)
        self._open: dict[int, dict[str, SymbolState]] = {}
        self.closed_to_ns = floor_to(self.data_ns(session_start_ns), MINUTE_NS)
        self.revisable_from_ns = floor_to(self.data_ns(session_start_ns) - self.revise_ns, MINUTE_NS)

    @property
    def repairable_from_ns(self) -> int:
        """The minute from which partial minutes may still be completed by the venue's history."""
        return self.revisable_from_ns - self._repair_ns

    def data_ns(self, session_ns: int) -> int:
        """The venue time of the data that are received at this session time."""
        return session_ns - self._delay_ns

    def opened(self, minute_ns: int, state: SymbolState) -> None:
        """Register an open minute of the symbol."""
        self._open.setdefault(minute_ns, {})[state.symbol] = state

    def forget(self, symbol: str) -> None:
        """Remove the symbol's open minutes."""
        for states in self._open.values():
            states.pop(symbol, None)

    def close_until(self, mark_ns: int) -> list[tuple[int, SymbolState]]:
        """Remove and return the minutes that close at this mark, by minute and symbol."""
        closed_to_ns = floor_to(self.data_ns(mark_ns) - self._grace_ns, MINUTE_NS)
        if closed_to_ns <= self.closed_to_ns:
            return []
        self.closed_to_ns = closed_to_ns
        return self._take(closed_to_ns)

    def close_all(self) -> list[tuple[int, SymbolState]]:
        """Remove and return all open minutes, by minute and symbol."""
        return self._take(max(self._open, default=0) + 1)

    def expire_until(self, mark_ns: int) -> bool:
        """Raise `revisable_from_ns` to the limit at this mark; returns whether it rose."""
        revisable_from_ns = floor_to(self.data_ns(mark_ns) - self.revise_ns, MINUTE_NS)
        if revisable_from_ns <= self.revisable_from_ns:
            return False
        self.revisable_from_ns = revisable_from_ns
        return True

    def touched(self, from_ns: int, to_ns: int) -> range:
        """The revisable minutes whose data are received in session time [from_ns, to_ns), at most a day of them."""
        first_ns = floor_to(self.data_ns(max(from_ns, to_ns - DAY_NS)), MINUTE_NS)
        return range(max(first_ns, self.revisable_from_ns), self.data_ns(to_ns), MINUTE_NS)

    def _take(self, before_ns: int) -> list[tuple[int, SymbolState]]:
        due = sorted(minute_ns for minute_ns in self._open if minute_ns < before_ns)
        return [(minute_ns, state) for minute_ns in due for _, state in sorted(self._open.pop(minute_ns).items())]
