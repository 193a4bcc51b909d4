"""Applies a venue's notices to the symbols of a shard: halts, price bands, and the venue's own minute bars."""

from collections.abc import Iterable
from typing import Final

from desk.bars.venue_comparison import venue_differences
from desk.consumer.engine.guard import Guard
from desk.consumer.engine.open_minutes import OpenMinutes
from desk.consumer.engine.outbox import EngineOutbox
from desk.consumer.engine.symbol_state import SymbolState
from desk.consumer.engine.symbols import ShardSymbols
from desk.model.notices import Notice, PriceBands, TradingStatus, VenueBar
from desk.model.units import MINUTE_NS, SECOND_NS
from desk.telemetry.audit import MAX_EXAMPLES, Audit, count_cause

SETTLE_NS: Final = 60 * SECOND_NS
"""A minute is compared with the venue's so long after its end: updated bars come 30 s after it (Alpaca)."""
SUPERSEDED: Final = "superseded"
NO_MINUTE: Final = "minute"
RESUMED: Final = "trading resumed"
SEEN: Final = "a trade after a gap in the feed"


class VenueNotices:
    """Tracks halts and bands, and compares minutes once both bars have settled.

    Only complete and repaired minutes are compared, and only while they can be revised: `[bars] revise_s` shortens the
    time to settle. The venue's bar of a partial minute waits for the minute's repair.

    If ticks are missing during a halt, the message that ends it may be among them: then the first eligible print of
    after the gap ends the halt, at the next mark.
    """

    def __init__(
        self, symbols: ShardSymbols, minutes: OpenMinutes, guard: Guard, outbox: EngineOutbox, audit: Audit
    ) -> None:
        self._symbols = symbols
        self._minutes = minutes
        self._guard = guard
        self._outbox = outbox
        self._audit = audit
        self._waiting: dict[int, set[str]] = {}
        self._doubtful: set[str] = set()

    def apply(self, state: SymbolState, notice: Notice) -> None:
        """Apply a notice that is not a repeat, or reject it."""
        if isinstance(notice, TradingStatus):
            taken = self._take_status(state, notice)
        elif isinstance(notice, PriceBands):
            taken = state.trading.take_bands(notice)
        elif notice.ts_ns % MINUTE_NS:
            count_cause(self._audit.rejected_notices, NO_MINUTE)
            return
        else:
            taken = self._take_bar(state, notice)
        if taken:
            self._audit.notices += 1
        else:
            count_cause(self._audit.rejected_notices, SUPERSEDED)

    def on_gap(self, symbols: Iterable[str], from_ns: int) -> None:
        """Doubt the halts of these symbols: ticks from this session time on are missing."""
        for symbol in symbols:
            trading = self._symbols.known[symbol].trading
            if trading.halted:
                trading.doubt_ns = self._minutes.data_ns(from_ns)
                self._doubtful.add(symbol)

    def on_mark(self) -> None:
        """End doubtful halts of symbols that have traded since."""
        for symbol in sorted(self._doubtful):
            state = self._symbols.known[symbol]
            trading, last = state.trading, state.pricing.last_print
            if trading.status is None or trading.doubt_ns is None:
                self._doubtful.discard(symbol)
            elif last is not None and last.ts_ns > max(trading.doubt_ns, trading.status.ts_ns):
                self._doubtful.discard(symbol)
                times = (last.ts_ns, last.received_ns)
                self._take_status(state, TradingStatus(last.ordinal, symbol, *times, "T", RESUMED, reason=SEEN))

    def compare_until(self, session_ns: int) -> None:
        """Compare the minutes that have settled at this session time, by minute and symbol."""
        if self._waiting:
            self._compare_before(self._minutes.data_ns(session_ns) - min(SETTLE_NS, self._minutes.revise_ns))

    def compare_all(self, session_ns: int) -> None:
        """Compare all minutes that have ended at this session time."""
        self._compare_before(self._minutes.data_ns(session_ns))

    def note(self, state: SymbolState) -> None:
        """Track a symbol that was restored, taken over or repaired."""
        for minute_ns in state.venue_bars.waiting:
            self._waiting.setdefault(minute_ns, set()).add(state.symbol)
        if state.trading.doubt_ns is not None:
            self._doubtful.add(state.symbol)

    def forget(self, symbol: str) -> None:
        """Remove a symbol."""
        self._doubtful.discard(symbol)
        for symbols in self._waiting.values():
            symbols.discard(symbol)

    def _take_status(self, state: SymbolState, status: TradingStatus) -> bool:
        was_halted = state.trading.halted
        if not state.trading.take_status(status):
            return False
        if state.trading.halted != was_halted:
            state.pricing.clear_quotes()
            if (matcher := state.matcher) is not None:
                self._outbox.reports += matcher.on_status(status.ts_ns + matcher.rules.delay_ns, state.trading)
        instances = [each for each in state.instances if each.active and hasattr(each.strategy, "on_status")]
        self._guard.call_hook(instances, "on_status", status, status.ordinal)
        return True

    def _take_bar(self, state: SymbolState, bar: VenueBar) -> bool:
        if not state.venue_bars.take(bar):
            return False
        if bar.ts_ns in state.venue_bars.waiting:
            self._waiting.setdefault(bar.ts_ns, set()).add(bar.symbol)
        return True

    def _compare_before(self, data_ns: int) -> None:
        for minute_ns in sorted(minute for minute in self._waiting if minute + MINUTE_NS <= data_ns):
            for symbol in sorted(self._waiting.pop(minute_ns)):
                self._compare(self._symbols.known[symbol], minute_ns)

    def _compare(self, state: SymbolState, minute_ns: int) -> None:
        if state.bars.flag_of(minute_ns) == "partial":
            return
        theirs, ours = state.venue_bars.pop(minute_ns), state.bars.bar_of(minute_ns)
        if theirs is None or (ours is None and minute_ns < self._minutes.revisable_from_ns):
            return
        audit = self._audit
        audit.bars_compared += 1
        found = venue_differences(ours, theirs)
        audit.bars_equal += not found
        for difference in found:
            count_cause(audit.bars_differing, difference.field)
        audit.bar_differences += found[: max(MAX_EXAMPLES - len(audit.bar_differences), 0)]
