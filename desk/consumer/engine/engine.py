"""The engine: one function of items. Everything that changes a shard passes through `apply`, in order."""

from collections.abc import Callable, Collection, Iterable, Mapping

import msgspec

from desk.bars.remembered_trades import LATE_NS, LOGGED_NS
from desk.consumer.engine.engine_clock import EngineClock
from desk.consumer.engine.guard import MOST_STATE_BYTES, Guard
from desk.consumer.engine.instance import StrategyEntry
from desk.consumer.engine.lost_ticks import LostTicks
from desk.consumer.engine.open_minutes import OpenMinutes
from desk.consumer.engine.outbox import EngineOutbox
from desk.consumer.engine.outcome import Outcome
from desk.consumer.engine.shard_moves import ShardMoves
from desk.consumer.engine.snapshot import (
    EngineSnapshot,
    SymbolSnapshot,
    decode_state,
    encode_state,
    ordinals_of,
    pack_symbol,
)
from desk.consumer.engine.strategy_instances import StrategyInstances
from desk.consumer.engine.strategy_orders import StrategyOrders
from desk.consumer.engine.symbol_handover import held_items, pack_whole, symbols_in_slots
from desk.consumer.engine.symbol_state import SymbolState
from desk.consumer.engine.symbols import ShardSymbols
from desk.consumer.matching import MatchingRules
from desk.model.bars import Bar
from desk.model.batch import Released
from desk.model.checkpoint import NO_TRADES, LoggedTrades
from desk.model.hours import ALWAYS_OPEN, TradingDay
from desk.model.items import (
    Adopt,
    Close,
    GapItem,
    Item,
    LostTrades,
    Mark,
    QuotesLost,
    Release,
    Settle,
    Stop,
    Unwatch,
    Watch,
)
from desk.model.orders import OrderEvent
from desk.model.ticks import Cancel, Correction, Quote, Revision, Tick, Trade
from desk.model.units import MINUTE_NS
from desk.strategy import Gap as GapSeen
from desk.telemetry.audit import Audit, count_cause
from desk.telemetry.breadcrumb_port import EVERYWHERE, BreadcrumbWriter, NoBreadcrumbs


class EngineConfig(msgspec.Struct, frozen=True):
    """Settings of an engine; see `[bars]`, `[broker]`, `[feed]` and `[guards]` in the tradeplan.

    `hours` are those of the exchange day. `delay_ns` is how late the feed is by design: added to a tick's venue time
    wherever that is compared with session time. `has_trades`: the feed carries trades. `live`: no data are fresh before
    the first mark says so.
    """

    session: str
    session_start_ns: int
    bar_grace_ns: int
    bar_revise_ns: int
    strategy_budget_ns: int
    slippage_bps: float = 0.0
    fee_per_share: float = 0.0
    hours: TradingDay = ALWAYS_OPEN
    delay_ns: int = 0
    has_trades: bool = True
    live: bool = False
    state_bytes: int = MOST_STATE_BYTES


class EngineCheckpoint(msgspec.Struct):
    """What `Engine.restore` needs: the encoded state, and by symbol the trades that the keeper does not have yet."""

    state: bytes
    trades: dict[str, LoggedTrades]


class Engine:
    """One shard: its symbols, their bars, their strategies, their simulated orders.

    What was applied before changes nothing when it comes again: ticks by their ordinal, marks, watches and their
    ends by session time, order events by their number, gaps by being the same, moves by theirs, missing quotes
    by the producer's time.
    What comes for slots that left was applied before they did.

    What comes of the items is returned, and what of that is not handed over yet is given with the next ones: symbols
    that leave take it along. Strategies in `never_restored`, by name and symbol, do not run again after `restore`.
    With an `audit` the engine counts in another one's.
    """

    def __init__(
        self,
        config: EngineConfig,
        strategies: Iterable[StrategyEntry],
        stopwatch: Callable[[], int],
        crumbs: BreadcrumbWriter | None = None,
        never_restored: Collection[tuple[str, str]] = (),
        audit: Audit | None = None,
    ) -> None:
        self.config = config
        self.audit = audit or Audit()
        self.mark_ns = 0
        self.closed = False
        self._entries = tuple(strategies)
        self._now = now = EngineClock(config.session, config.session_start_ns)
        now.degraded = config.live
        self._stopwatch = stopwatch
        self._crumbs = crumbs or NoBreadcrumbs()
        self._outbox = outbox = EngineOutbox()
        self._symbols = ShardSymbols(self._entries, outbox)
        self._watched = self._symbols.watched
        self._minutes = OpenMinutes(config.session_start_ns, config.bar_grace_ns, config.bar_revise_ns, config.delay_ns)
        self._guard = Guard(
            now,
            outbox,
            self._symbols,
            self.audit,
            config.strategy_budget_ns,
            stopwatch,
            self._crumbs,
            never_restored,
            config.state_bytes,
        )
        self._instances = StrategyInstances(
            self._entries, self._symbols, self._minutes, self._guard, config.session_start_ns
        )
        rules = MatchingRules(
            config.slippage_bps, config.fee_per_share, config.delay_ns, config.has_trades, config.hours
        )
        self._orders = StrategyOrders(self._symbols, self._guard, now, outbox, rules, live=config.live)
        self._losses = LostTicks(self.symbols, self._minutes)
        self._moves = ShardMoves()

    @property
    def symbols(self) -> dict[str, SymbolState]:
        """All that is kept, by symbol."""
        return self._symbols.known

    @property
    def released(self) -> dict[int, Released]:
        """What was handed over and is not settled yet, by move."""
        return self._moves.released

    @property
    def last_move(self) -> int:
        """The highest number of a move in which anything went or came; 0 before the first."""
        return self._moves.last

    @property
    def ordinals(self) -> dict[str, int]:
        """The ordinals of the last ticks by symbol, of what was handed over and is still held too."""
        found: dict[str, int] = {}
        for held in self._moves.released.values():
            found |= ordinals_of(held.state)
        return found | {state.symbol: state.last_ordinal for state in self.symbols.values() if state.last_ordinal >= 0}

    @property
    def adopted(self) -> dict[int, list[int]]:
        """The slots that were taken over, by move."""
        return self._moves.adopted

    def apply(self, items: Iterable[Item], pending: Outcome | None = None) -> Outcome:
        """Apply items in order; `pending` with what came of them.

        `pending` is what came of earlier items and is not handed over yet: symbols that leave take their share of it.
        """
        if pending is None:
            pending = Outcome()
        watched = self._watched
        audit = self.audit
        outbox = self._outbox
        for item in items:
            kind = type(item)
            if kind is Trade:
                state = watched.get(item.symbol)  # type: ignore[union-attr]  # a Trade by its exact type
                if state is None:
                    self._reject(item, audit.rejected_trades)  # type: ignore[arg-type]
                elif item.ordinal <= state.last_ordinal:  # type: ignore[union-attr]
                    audit.repeated += 1
                else:
                    self._trade(state, item)  # type: ignore[arg-type]
            elif kind is Quote:
                state = watched.get(item.symbol)  # type: ignore[union-attr]
                if state is None:
                    self._reject(item, audit.rejected_quotes)  # type: ignore[arg-type]
                elif item.ordinal <= state.last_ordinal:  # type: ignore[union-attr]
                    audit.repeated += 1
                else:
                    state.last_ordinal = item.ordinal  # type: ignore[union-attr]
                    state.quote = item  # type: ignore[assignment]
                    state.pricing.on_quote(item)  # type: ignore[arg-type]
                    audit.quotes += 1
                    if state.matcher is not None:
                        outbox.reports += state.matcher.on_quote(item, state.pricing)  # type: ignore[arg-type]
                    if state.on_quote:
                        self._guard.call_hook(state.on_quote, "on_quote", item, state.last_ordinal)
            else:
                self._apply_rare(item, pending)
        self._hand_over(pending)
        return pending

    def prices(self) -> dict[str, float]:
        """Reference prices of the symbols in which something is held."""
        return self._orders.prices()

    @property
    def session_ns(self) -> int:
        """The session time reached: the last mark, or the session's start before the first."""
        return self._now.session_ns

    @property
    def age_ns(self) -> int:
        """Age of the data by the last mark."""
        return self._now.age_ns

    @property
    def degraded(self) -> bool:
        """Whether the data were too old for entries at the last mark."""
        return self._now.degraded

    @property
    def trades_from_ns(self) -> int:
        """The keeper's trades from before this mark are not needed any more."""
        return self._minutes.revisable_from_ns - LATE_NS - LOGGED_NS

    def checkpoint(self, pending: Outcome) -> EngineCheckpoint:
        """Everything that `restore` needs to continue from here, but the closed minutes.

        Intents and reports that are `pending` are part of the state; its bars are not. The trades are those remembered
        or revised since the last call.
        """
        symbols = [pack_symbol(state, self._guard) for state in self.symbols.values()]
        self._hand_over(pending)
        whole = self._packed(symbols, pending, self.audit)
        whole.gaps = list(self._losses.gaps)
        whole.moves = self._moves
        memories = ((symbol, state.bars.memory) for symbol, state in self.symbols.items())
        trades = {symbol: memory.take_unsaved() for symbol, memory in memories if memory is not None and memory.unsaved}
        return EngineCheckpoint(encode_state(whole), trades)

    def restore(
        self, snapshot: bytes, closed_bars: Iterable[Bar], trades: Mapping[str, LoggedTrades] | None = None
    ) -> Outcome:
        """Become, from a fresh engine, the shard that made the snapshot; what was not handed over then.

        `closed_bars` are its closed minutes, from the keeper; of several versions of one the last counts. `trades` are
        those of all its checkpoints up to the snapshot, of a symbol one behind the other.
        """
        kept = decode_state(snapshot)
        self.mark_ns = kept.mark_ns
        self.closed = kept.closed
        self.audit.add(kept.audit)
        now = self._now
        now.session_ns, now.age_ns, now.degraded = kept.session_ns, kept.age_ns, kept.degraded
        pending = Outcome(kept.intents, kept.reports)
        self._losses.gaps.extend(kept.gaps)
        self._moves = kept.moves
        self._minutes.closed_to_ns = kept.closed_to_ns
        self._minutes.revisable_from_ns = kept.revisable_from_ns
        bars: dict[str, list[Bar]] = {}
        for bar in closed_bars:
            bars.setdefault(bar.symbol, []).append(bar)
        for symbol in kept.symbols:
            logged = (trades or {}).get(symbol.symbol, NO_TRADES)
            self._orders.note(self._instances.restore(symbol, bars.get(symbol.symbol, []), logged))
            pending.bars |= {(symbol.symbol, bar.minute_ns): bar for bar in symbol.changed}
        return pending

    def _hand_over(self, pending: Outcome) -> None:
        self.audit.intents += len(self._outbox.intents)
        self._outbox.empty_into(pending)

    def _packed(self, symbols: list[SymbolSnapshot], pending: Outcome, audit: Audit) -> EngineSnapshot:
        now, minutes = self._now, self._minutes
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

    def _trade(self, state: SymbolState, trade: Trade) -> None:
        state.last_ordinal = trade.ordinal
        if trade.ts_ns < self._minutes.revisable_from_ns:
            count_cause(self.audit.rejected_trades, "late")
            return
        memory = state.bars.memory
        if memory is not None:
            if not memory.take(trade):
                count_cause(self.audit.rejected_trades, "duplicate")
                return
        elif trade.trade_id:
            state.bars.remember(trade, state.trade, state.pricing.last_print)
        self.audit.trades += 1
        opened = state.bars.add(trade, self._minutes.closed_to_ns)
        if opened is not None:
            self._minutes.opened(opened, state)
        state.trade = trade
        state.pricing.on_trade(trade)
        if state.matcher is not None:
            self._outbox.reports += state.matcher.on_trade(trade, state.pricing)
        if state.on_trade:
            self._guard.call_hook(state.on_trade, "on_trade", trade, trade.ordinal)

    def _revise(self, revision: Revision) -> None:
        """Correct or cancel a trade. Hooks are not called: strategies see the minute as revised in their bars."""
        state = self._watched.get(revision.symbol)
        if state is None:
            self._reject(revision, self.audit.rejected_trades)
            return
        if revision.ordinal <= state.last_ordinal:
            self.audit.repeated += 1
            return
        state.last_ordinal = revision.ordinal
        minutes = self._minutes
        revised, opened = state.bars.revise(revision, minutes.closed_to_ns, minutes.revisable_from_ns)
        if revised.old is None:
            count_cause(self.audit.rejected_trades, revised.cause)
            return
        self.audit.trades += 1
        if opened is not None:
            minutes.opened(opened, state)
        state.print_changed(revised.old, revised.new)

    def _reject(self, tick: Tick, causes: dict[str, int]) -> None:
        """Count a tick of a symbol that is not watched, once."""
        if self._moves.has_left(tick.symbol):
            self.audit.repeated += 1
            return
        state = self._symbols.get_or_create(tick.symbol, self.mark_ns)
        if tick.ordinal <= state.last_ordinal:
            self.audit.repeated += 1
        else:
            state.last_ordinal = tick.ordinal
            count_cause(causes, "unwatched")

    def _apply_rare(self, item: Item, pending: Outcome) -> None:
        match item:
            case Mark():
                self._second(item)
            case Correction() | Cancel():
                self._revise(item)
            case OrderEvent():
                self._order_event(item)
            case Watch():
                self._watch(item)
            case Unwatch():
                self._unwatch(item)
            case LostTrades():
                self._losses.lost(item)
            case QuotesLost():
                self._unquoted(item)
            case Stop():
                self._stop(item)
            case GapItem():
                self._gap(item)
            case Release():
                self._release(item, pending)
            case Adopt():
                self._adopt(item, pending)
            case Settle():
                self._moves.settle(item.move)
            case Close():
                self._close(item)
            case _:
                raise TypeError(f"{type(item).__name__} is no item of a lane")

    def _second(self, mark: Mark) -> None:
        if mark.session_ns <= self.mark_ns:
            return
        self.mark_ns = mark.session_ns
        now = self._now
        now.session_ns = mark.session_ns
        now.age_ns = mark.feed_lag_ns + mark.lane_age_ns
        now.degraded = mark.degraded
        self._orders.on_mark(mark.session_ns)
        for minute_ns, state in self._minutes.close_until(mark.session_ns):
            bar = state.bars.close(minute_ns)
            if bar is not None and state.on_bar:
                self._guard.call_hook(state.on_bar, "on_bar", bar, minute_ns)
        if self._minutes.expire_until(mark.session_ns):
            for state in self.symbols.values():
                state.bars.forget(self._minutes.revisable_from_ns, mark.session_ns)
        self._guard.call_on_second(self._symbols.second_hooks())

    def _order_event(self, event: OrderEvent) -> None:
        if event.symbol not in self.symbols and self._moves.has_left(event.symbol):
            return
        state = self._symbols.get_or_create(event.symbol, self.mark_ns)
        if event.number <= state.last_event:
            return
        state.last_event = event.number
        self._instances.create_owner(state, event.strategy)
        self._orders.on_event(state, event)

    def _watch(self, watch: Watch) -> None:
        if watch.since_ns >= self.mark_ns and not self._moves.has_left(watch.symbol):
            self._instances.watch(watch)

    def _unwatch(self, unwatch: Unwatch) -> None:
        if unwatch.at_ns >= self.mark_ns:
            self._instances.unwatch(unwatch)

    def _stop(self, stop: Stop) -> None:
        if not stop.strategy:
            self._guard.note_stopped_everywhere("of no known name", stop.why)
        elif not self._moves.has_left(stop.symbol):
            self._instances.stop(stop, self.mark_ns)

    def _gap(self, gap: GapItem) -> None:
        symbols = self._losses.gap(gap)
        if symbols is None:
            return
        self._now.degraded = self._now.degraded or (gap.is_open and gap.symbols is None)
        self.audit.lost_trades += gap.trades
        self.audit.lost_quotes += gap.quotes
        for symbol in symbols:
            self.symbols[symbol].pricing.clear_quotes()
        told = [instance for instance in self._symbols.active(symbols) if hasattr(instance.strategy, "on_gap")]
        self._guard.call_hook(told, "on_gap", GapSeen(gap.from_ns, gap.to_ns, gap.why, gap.is_open), gap.from_ns)

    def _unquoted(self, unquoted: QuotesLost) -> None:
        if not self._moves.has_left(unquoted.symbol):
            self._symbols.get_or_create(unquoted.symbol, self.mark_ns).pricing.unquote(unquoted.at_ns)

    def _close(self, close: Close) -> None:
        """End the session: minutes that were not seen to their end are partial; day orders expire."""
        if self.closed:
            return
        self.closed = True
        for minute_ns, state in self._minutes.close_all():
            if minute_ns + MINUTE_NS > self._minutes.data_ns(close.session_ns):
                state.bars.spoil(minute_ns, self._minutes.closed_to_ns)
            state.bars.close(minute_ns)
        self._orders.expire(close.session_ns)

    def _release(self, release: Release, pending: Outcome) -> None:
        if self._moves.has_released(release.move):
            return
        leaving = self._take_out(symbols_in_slots(release.slots, self.symbols), pending)
        self._moves.release(release, encode_state(leaving))

    def _adopt(self, adopt: Adopt, pending: Outcome) -> None:
        """Let an engine of the moved symbols alone catch up, then let them live here with all that is theirs."""
        if adopt.move in self._moves.adopted:
            return
        late = Engine(
            self.config, self._entries, self._stopwatch, self._crumbs, self._guard.never_restored, audit=self.audit
        )
        moved = late.restore(adopt.state, [])
        stops = [Stop(strategy, EVERYWHERE, "") for strategy in self._instances.stopped_everywhere]
        moved = late.apply([*stops, *held_items(adopt)], moved)
        if late.mark_ns > self.mark_ns:
            # The marks between went lost with what else was let go while this shard was away.
            self._second(Mark(late.mark_ns, 0, late.age_ns, 0, late.degraded))
        if (late.mark_ns, late.closed) != (self.mark_ns, self.closed):
            raise ValueError(
                f"move {adopt.move} comes at mark {late.mark_ns}, closed {late.closed}; "
                f"this shard is at mark {self.mark_ns}, closed {self.closed}"
            )
        self._moves.adopt(adopt)
        self._hand_over(pending)
        pending.add(moved)
        for state in late.symbols.values():
            self._instances.take_over(state, self._now, self._outbox)
            self._orders.note(state)

    def _take_out(self, states: list[SymbolState], pending: Outcome) -> EngineSnapshot:
        """Let these symbols leave with all that is theirs; what was counted here stays counted here."""
        symbols = [pack_whole(state, self._guard) for state in states]
        for state in states:
            self._symbols.remove(state.symbol)
            self._orders.forget(state.symbol)
            self._minutes.forget(state.symbol)
        self._hand_over(pending)
        taken = pending.take_symbols({state.symbol for state in states})
        by_symbol = {symbol.symbol: symbol for symbol in symbols}
        for bar in taken.bars.values():
            by_symbol[bar.symbol].changed.append(bar)
        packed = self._packed(symbols, taken, Audit())
        packed.gaps = [gap for gap in self._losses.gaps if gap.is_open][-1:]
        return packed
