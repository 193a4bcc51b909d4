"""The state of an engine: its parts, and their snapshot and restore.

Tests: tests/desk/consumer/engine/test_engine_restore.py.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

import msgspec

from desk.consumer.engine.backfills import Backfills
from desk.consumer.engine.bar_closes import BarCloses
from desk.consumer.engine.engine_clock import EngineClock
from desk.consumer.engine.engine_config import EngineConfig
from desk.consumer.engine.guard import Guard
from desk.consumer.engine.lost_ticks import LostTicks
from desk.consumer.engine.open_minutes import OpenMinutes
from desk.consumer.engine.outbox import EngineOutbox
from desk.consumer.engine.outcome import Outcome
from desk.consumer.engine.shard_moves import ShardMoves
from desk.consumer.engine.snapshot import EngineSnapshot, SymbolSnapshot, decode_state, encode_state, pack_symbol
from desk.consumer.engine.strategy_entry import StrategyEntry
from desk.consumer.engine.strategy_instances import StrategyInstances
from desk.consumer.engine.strategy_orders import StrategyOrders
from desk.consumer.engine.symbol_handover import pack_whole
from desk.consumer.engine.symbol_history import SymbolHistories
from desk.consumer.engine.symbol_state import SymbolState
from desk.consumer.engine.symbols import ShardSymbols
from desk.consumer.engine.venue_notices import VenueNotices
from desk.consumer.matching import MatchingRules
from desk.model.bars import Bar
from desk.model.checkpoint import NO_TRADES, LoggedTrades
from desk.model.items import Backfill
from desk.model.notices import Notice
from desk.model.ticks import Event
from desk.telemetry.audit import Audit, count_cause
from desk.telemetry.breadcrumb_port import BreadcrumbWriter
from desk.telemetry.call_times import CallTimes


class EngineCheckpoint(msgspec.Struct):
    """An encoded state for `Engine.restore`, and by symbol the trades that the keeper does not have yet."""

    state: bytes
    trades: dict[str, LoggedTrades]


class EngineState:
    """The parts of one engine, which share clock, outbox and audit; `moves` are its slot moves."""

    def __init__(
        self,
        config: EngineConfig,
        strategies: Sequence[StrategyEntry],
        stopwatch: Callable[[], int],
        crumbs: BreadcrumbWriter,
        never_restored: Collection[tuple[str, str]],
        audit: Audit,
        times: CallTimes,
    ) -> None:
        self.audit = audit
        self.mark_ns = 0
        self.closed = False
        self.now = now = EngineClock(config.session, config.session_start_ns, config.hours)
        now.degraded = config.live
        self.outbox = outbox = EngineOutbox()
        self.symbols = ShardSymbols(strategies, outbox)
        self.minutes = OpenMinutes(
            config.session_start_ns, config.bar_grace_ns, config.bar_revise_ns, config.delay_ns, config.repair_ns
        )
        now.closed_to_ns = self.minutes.closed_to_ns
        self.guard = Guard(
            now,
            outbox,
            self.symbols,
            audit,
            config.strategy_budget_ns,
            stopwatch,
            crumbs,
            never_restored,
            config.state_bytes,
            times,
        )
        self.instances = StrategyInstances(strategies, self.symbols, self.minutes, self.guard, config.session_start_ns)
        self.closes = BarCloses(self.minutes, self.symbols, self.guard, now, strategies)
        self.histories = SymbolHistories(self.symbols, self.minutes, now, audit)
        rules = MatchingRules(
            config.slippage_bps, config.fee_per_share, config.delay_ns, config.has_trades, config.hours
        )
        self.orders = StrategyOrders(self.symbols, self.guard, now, outbox, rules, live=config.live)
        self.losses = LostTicks(self.symbols.known, self.minutes)
        self.notices = VenueNotices(self.symbols, self.minutes, self.guard, outbox, audit)
        self.backfills = Backfills(self.symbols.known, self.minutes, audit)
        self.moves = ShardMoves()

    def hand_over(self, pending: Outcome) -> None:
        """Move the outbox to `pending`, and count its intents."""
        self.audit.intents += len(self.outbox.intents)
        self.outbox.empty_into(pending)

    def take_notice(self, notice: Notice) -> None:
        """Apply a notice, once; reject one of an unwatched symbol."""
        state = self.symbols.watched.get(notice.symbol)
        if state is None:
            self.reject(notice, self.audit.rejected_notices)
        elif notice.ordinal <= state.last_ordinal:
            self.audit.repeated += 1
        else:
            state.last_ordinal = notice.ordinal
            self.notices.apply(state, notice)

    def take_backfill(self, backfill: Backfill) -> None:
        """Repair minutes of a symbol; those that the venue has sent bars of can be compared now."""
        self.backfills.apply(backfill, self.mark_ns)
        if (state := self.symbols.known.get(backfill.symbol)) is not None:
            self.notices.note(state)

    def reject(self, event: Event, causes: dict[str, int]) -> None:
        """Count an event of an unwatched symbol, once."""
        if self.moves.has_left(event.symbol):
            self.audit.repeated += 1
            return
        state = self.symbols.get_or_create(event.symbol, self.mark_ns)
        if event.ordinal <= state.last_ordinal:
            self.audit.repeated += 1
        else:
            state.last_ordinal = event.ordinal
            count_cause(causes, "unwatched")

    def checkpoint(self, pending: Outcome) -> EngineCheckpoint:
        """The encoded state with the intents and reports of `pending`, and the trades unsaved since the last call."""
        symbols = [pack_symbol(state, self.guard) for state in self.symbols.known.values()]
        self.hand_over(pending)
        whole = self._snapshot(symbols, pending, self.audit)
        whole.gaps = list(self.losses.gaps)
        whole.moves = self.moves
        memories = ((symbol, state.bars.memory) for symbol, state in self.symbols.known.items())
        trades = {symbol: memory.take_unsaved() for symbol, memory in memories if memory is not None and memory.unsaved}
        return EngineCheckpoint(encode_state(whole), trades)

    def restore(self, snapshot: bytes, closed_bars: Iterable[Bar], trades: Mapping[str, LoggedTrades]) -> Outcome:
        """Restore a fresh state; returns the outcome that was pending then. Arguments as in `Engine.restore`."""
        kept = decode_state(snapshot)
        self.mark_ns = kept.mark_ns
        self.closed = kept.closed
        self.audit.add(kept.audit)
        now = self.now
        now.session_ns, now.age_ns, now.degraded = kept.session_ns, kept.age_ns, kept.degraded
        pending = Outcome(kept.intents, kept.reports)
        self.losses.gaps.extend(kept.gaps)
        self.moves = kept.moves
        self.minutes.closed_to_ns = now.closed_to_ns = kept.closed_to_ns
        self.minutes.revisable_from_ns = kept.revisable_from_ns
        bars: dict[str, list[Bar]] = {}
        for bar in closed_bars:
            bars.setdefault(bar.symbol, []).append(bar)
        for symbol in kept.symbols:
            logged = trades.get(symbol.symbol, NO_TRADES)
            self.note(self.instances.restore(symbol, bars.get(symbol.symbol, []), logged))
            pending.bars |= {(symbol.symbol, bar.minute_ns): bar for bar in symbol.changed}
        return pending

    def note(self, state: SymbolState) -> None:
        """Track the orders and notices of a symbol that was restored or taken over."""
        self.orders.note(state)
        self.notices.note(state)

    def take_out(self, states: list[SymbolState], pending: Outcome) -> EngineSnapshot:
        """Remove these symbols; returns their snapshot with their part of `pending`. Audit counts stay here."""
        symbols = [pack_whole(state, self.guard) for state in states]
        for state in states:
            self.symbols.remove(state.symbol)
            self.orders.forget(state.symbol)
            self.notices.forget(state.symbol)
            self.minutes.forget(state.symbol)
        self.hand_over(pending)
        taken = pending.take_symbols({state.symbol for state in states})
        by_symbol = {symbol.symbol: symbol for symbol in symbols}
        for bar in taken.bars.values():
            by_symbol[bar.symbol].changed.append(bar)
        packed = self._snapshot(symbols, taken, Audit())
        packed.gaps = [gap for gap in self.losses.gaps if gap.is_open][-1:]
        return packed

    def _snapshot(self, symbols: list[SymbolSnapshot], pending: Outcome, audit: Audit) -> EngineSnapshot:
        now, minutes = self.now, self.minutes
        return EngineSnapshot(
            self.mark_ns,
            now.session_ns,
            now.age_ns,
            now.degraded,
            self.closed,
            minutes.closed_to_ns,
            minutes.revisable_from_ns,
            audit,
            pending.intents,
            pending.reports,
            symbols,
        )
