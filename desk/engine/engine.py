"""The engine: one function of items. Everything that changes a shard passes through `apply`, in order."""

from collections.abc import Callable, Iterable

import msgspec

from desk.engine.audit import Audit, count
from desk.engine.guard import Guard, SecondHook
from desk.engine.instance import Instance, StrategyEntry
from desk.engine.minutes import Minutes
from desk.engine.now import Now
from desk.engine.snapshot import (
    EngineSnapshot,
    SymbolSnapshot,
    decode_state,
    encode_state,
    pack_symbol,
    unpack_instance,
    unpack_symbol,
)
from desk.engine.symbol import SymbolState
from desk.matching import Matcher
from desk.model.bars import Bar
from desk.model.items import Close, Item, Lost, Second, Unwatch, Watch
from desk.model.orders import OrderEvent, Report, Request
from desk.model.ticks import Quote, Tick, Trade
from desk.model.units import MINUTE_NS


class EngineConfig(msgspec.Struct, frozen=True):
    """What an engine is told once; see `[bars]`, `[broker]` and `[guards]` in the tradeplan."""

    session: str
    session_start_ns: int
    bar_grace_ns: int
    bar_revise_ns: int
    strategy_budget_ns: int
    slippage_bps: float = 0.0
    fee_per_share: float = 0.0


class Engine:
    """One shard: its symbols, their bars, their strategies, their simulated orders.

    What was applied before changes nothing when it comes again: ticks by their ordinal, marks, watches and their
    ends by session time, order events by their number.
    """

    def __init__(self, config: EngineConfig, strategies: Iterable[StrategyEntry], stopwatch: Callable[[], int]) -> None:
        self.config = config
        self.audit = Audit()
        self.symbols: dict[str, SymbolState] = {}
        self.mark_ns = 0
        self.closed = False
        self._entries = tuple(strategies)
        self._now = Now(config.session, config.session_start_ns)
        self._guard = Guard(self._now, self.audit, config.strategy_budget_ns, stopwatch, self._on_stop)
        self._minutes = Minutes(config.session_start_ns, config.bar_grace_ns, config.bar_revise_ns)
        self._watched: dict[str, SymbolState] = {}
        self._reports: list[Report] = []
        self._held: set[str] = set()
        self._second_hooks: list[SecondHook] | None = None

    def apply(self, items: Iterable[Item]) -> None:
        """Apply items in order."""
        watched = self._watched
        audit = self.audit
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
                    audit.quotes += 1
                    if state.matcher is not None:
                        self._reports += state.matcher.on_quote(item)  # type: ignore[arg-type]
                    if state.on_quote:
                        self._guard.each(state.on_quote, "on_quote", item)
            else:
                self._apply_rare(item)

    def take_request(self) -> Request:
        """What the shard asks of the broker door since the last call, with prices of what is held.

        The prices always come along: the risk gate must not know less of a shard that happens to ask for nothing.
        """
        intents, self._now.intents = self._now.intents, []
        reports, self._reports = self._reports, []
        self.audit.intents += len(intents)
        return Request(intents, reports, self.prices())

    def prices(self) -> dict[str, float]:
        """Last prices of the symbols in which something is held."""
        last = ((symbol, self.symbols[symbol].last_price()) for symbol in sorted(self._held))
        return {symbol: price for symbol, price in last if price is not None}

    def take_bars(self) -> list[Bar]:
        """Closed minutes that came or changed since the last call."""
        changed: list[Bar] = []
        for state in self.symbols.values():
            if state.bars.changed:
                changed += state.bars.changed.values()
                state.bars.changed = {}
        return changed

    def snapshot(self) -> bytes:
        """Everything needed to go on from here, encoded; `restore` takes it in."""
        now = self._now
        return encode_state(
            EngineSnapshot(
                self.mark_ns,
                now.session_ns,
                now.age_ns,
                now.degraded,
                self.closed,
                self._minutes.closed_to_ns,
                self._minutes.revisable_from_ns,
                self.audit,
                now.intents,
                self._reports,
                [pack_symbol(state, self._guard) for state in self.symbols.values()],
            )
        )

    def restore(self, snapshot: bytes, closed_bars: Iterable[Bar]) -> None:
        """Become, from a fresh engine, the shard that made the snapshot.

        `closed_bars` are its closed minutes, from the keeper; of several versions of one the last counts.
        """
        kept = decode_state(snapshot)
        self.mark_ns = kept.mark_ns
        self.closed = kept.closed
        self.audit = self._guard.audit = kept.audit
        now = self._now
        now.session_ns, now.age_ns, now.degraded = kept.session_ns, kept.age_ns, kept.degraded
        now.intents = kept.intents
        self._reports = kept.reports
        self._minutes.closed_to_ns = kept.closed_to_ns
        self._minutes.revisable_from_ns = kept.revisable_from_ns
        bars: dict[str, list[Bar]] = {}
        for bar in closed_bars:
            bars.setdefault(bar.symbol, []).append(bar)
        for symbol in kept.symbols:
            self._restore_symbol(symbol, bars.get(symbol.symbol, []))

    def _restore_symbol(self, kept: SymbolSnapshot, closed: list[Bar]) -> None:
        state = self.symbols[kept.symbol] = unpack_symbol(kept, closed)
        if state.watched:
            self._watched[state.symbol] = state
        for minute_ns in state.bars.open_minutes(self._minutes.closed_to_ns):
            self._minutes.opened(minute_ns, state)
        entries = {entry.name: entry for entry in self._entries}
        for seat in kept.instances:
            instance = Instance(entries[seat.entry], state, self._now)
            state.instances.append(instance)
            unpack_instance(seat, instance, self._guard)
        self._note_held(state)
        self._refresh(state)

    def _trade(self, state: SymbolState, trade: Trade) -> None:
        state.last_ordinal = trade.ordinal
        if trade.ts_ns < self._minutes.revisable_from_ns:
            count(self.audit.rejected_trades, "late")
            return
        self.audit.trades += 1
        opened = state.bars.add(trade, self._minutes.closed_to_ns)
        if opened is not None:
            self._minutes.opened(opened, state)
        state.trade = trade
        if state.matcher is not None:
            self._reports += state.matcher.on_trade(trade)
        if state.on_trade:
            self._guard.each(state.on_trade, "on_trade", trade)

    def _reject(self, tick: Tick, causes: dict[str, int]) -> None:
        """Count a tick of a symbol that is not watched, once."""
        state = self.symbols.get(tick.symbol)
        if state is None:
            state = self.symbols[tick.symbol] = SymbolState(tick.symbol, self.mark_ns, watched=False)
        if tick.ordinal <= state.last_ordinal:
            self.audit.repeated += 1
        else:
            state.last_ordinal = tick.ordinal
            count(causes, "unwatched")

    def _apply_rare(self, item: Item) -> None:
        match item:
            case Second():
                self._second(item)
            case OrderEvent():
                self._order_event(item)
            case Watch():
                self._watch(item)
            case Unwatch():
                self._unwatch(item)
            case Lost():
                self._lost(item)
            case Close():
                self._close(item)
            case _:
                raise TypeError(f"{type(item).__name__} is no item of a lane")

    def _second(self, mark: Second) -> None:
        if mark.session_ns <= self.mark_ns:
            return
        self.mark_ns = mark.session_ns
        now = self._now
        now.session_ns = mark.session_ns
        now.age_ns = mark.feed_lag_ns + mark.lane_age_ns
        now.degraded = mark.degraded
        for minute_ns, state in self._minutes.close_until(mark.session_ns):
            bar = state.bars.close(minute_ns)
            if bar is not None and state.on_bar:
                self._guard.each(state.on_bar, "on_bar", bar)
        if self._minutes.let_go_until(mark.session_ns):
            for state in self.symbols.values():
                state.bars.forget(self._minutes.revisable_from_ns)
        if self._second_hooks is None:
            self._second_hooks = self._gather_second_hooks()
        self._guard.seconds(self._second_hooks)

    def _gather_second_hooks(self) -> list[SecondHook]:
        """In canonical order: by the plan's strategies, then by symbol."""
        active = [
            instance
            for entry in self._entries
            for _, state in sorted(self.symbols.items())
            for instance in state.instances
            if instance.entry is entry and instance.active
        ]
        return [
            (instance, instance.strategy.on_second) for instance in active if hasattr(instance.strategy, "on_second")
        ]

    def _order_event(self, event: OrderEvent) -> None:
        state = self.symbols.get(event.symbol)
        if state is None:
            raise LookupError(f"order event {event.number} of {event.symbol}, which this shard never watched")
        if event.number <= state.last_event:
            return
        state.last_event = event.number
        if event.simulated:
            self._match(state, event)
        for instance in state.instances:
            if instance.entry.name == event.strategy:
                self._tell(instance, event)
        self._note_held(state)

    def _tell(self, instance: Instance, event: OrderEvent) -> None:
        active = instance.active
        fill = instance.on_event(event)
        if fill is not None and hasattr(instance.strategy, "on_fill"):
            self._guard.each([instance], "on_fill", fill)
        if instance.active != active:
            self._refresh(self.symbols[instance.symbol])

    def _match(self, state: SymbolState, event: OrderEvent) -> None:
        if event.status == "accepted":
            if state.matcher is None:
                state.matcher = Matcher(self.config.slippage_bps, self.config.fee_per_share)
            state.matcher.open(event, self._now.session_ns)
        elif event.status == "pending_cancel" and state.matcher is not None:
            self._reports += state.matcher.cancel(event.client_order_id, self._now.session_ns)
        if state.matcher is not None and state.matcher.empty:
            state.matcher = None

    def _note_held(self, state: SymbolState) -> None:
        if any(instance.position.quantity for instance in state.instances):
            self._held.add(state.symbol)
        else:
            self._held.discard(state.symbol)

    def _watch(self, watch: Watch) -> None:
        if watch.since_ns < self.mark_ns:
            return
        state = self.symbols.get(watch.symbol)
        if state is None:
            state = self.symbols[watch.symbol] = SymbolState(watch.symbol, watch.since_ns, watched=False)
        if not state.watched:
            state.watched = True
            state.bars.since_ns = watch.since_ns
            self._watched[state.symbol] = state
            self._receive_history(state, watch)
        state.scanners = watch.scanners
        self._seat(state)

    def _receive_history(self, state: SymbolState, watch: Watch) -> None:
        state.warm = watch.warm or watch.since_ns <= self.config.session_start_ns
        if watch.warm:
            for minute_ns in state.bars.warm(watch.bars, self._minutes.closed_to_ns):
                self._minutes.opened(minute_ns, state)

    def _seat(self, state: SymbolState) -> None:
        """Let instances run where they are wanted, in the plan's order, and rest where they are not."""
        seated = {instance.entry.name: instance for instance in state.instances}
        state.instances = []
        for entry in self._entries:
            wanted = state.watched and entry.wants(state.symbol, state.scanners)
            instance = seated.get(entry.name)
            if instance is None and wanted:
                instance = self._guard.create(entry, state)
            if instance is not None:
                instance.wanted = wanted
                state.instances.append(instance)
        self._refresh(state)

    def _unwatch(self, unwatch: Unwatch) -> None:
        state = self._watched.get(unwatch.symbol)
        if state is None or unwatch.at_ns < self.mark_ns:
            return
        state.watched = False
        del self._watched[unwatch.symbol]
        for minute_ns in state.bars.open_minutes(self._minutes.closed_to_ns):
            if minute_ns + MINUTE_NS > unwatch.at_ns:
                state.bars.spoil(minute_ns, self._minutes.closed_to_ns)
        self._seat(state)

    def _lost(self, lost: Lost) -> None:
        for symbol, minute_ns in lost.minutes:
            state = self.symbols.get(symbol)
            if state is not None:
                state.bars.spoil(minute_ns, self._minutes.closed_to_ns)

    def _close(self, close: Close) -> None:
        """End the session: minutes that were not seen to their end are partial; day orders expire."""
        if self.closed:
            return
        self.closed = True
        for minute_ns, state in self._minutes.close_all():
            if minute_ns + MINUTE_NS > close.session_ns:
                state.bars.spoil(minute_ns, self._minutes.closed_to_ns)
            state.bars.close(minute_ns)
        for _, state in sorted(self.symbols.items()):
            if state.matcher is not None:
                self._reports += state.matcher.expire(close.session_ns)

    def _on_stop(self, instance: Instance) -> None:
        self._refresh(self.symbols[instance.symbol])

    def _refresh(self, state: SymbolState) -> None:
        state.refresh()
        self._second_hooks = None
