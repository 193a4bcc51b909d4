"""The engine: one function of items. Everything that changes a shard passes through `apply`, in order."""

import traceback
from collections.abc import Callable, Iterable

import msgspec

from desk.engine.audit import MAX_EXAMPLES, Audit, StrategyFault, count
from desk.engine.instance import Instance, StrategyEntry
from desk.engine.now import Now
from desk.engine.snapshot import (
    EngineSnapshot,
    SymbolSnapshot,
    decode_state,
    encode_state,
    pack_instance,
    pack_symbol,
    unpack_instance,
)
from desk.engine.symbol import SymbolState
from desk.matching import Matcher
from desk.model.bars import Bar
from desk.model.items import Close, Item, Lost, Second, Unwatch, Watch
from desk.model.orders import OrderEvent, Report, Request
from desk.model.ticks import Quote, Trade
from desk.model.units import MINUTE_NS, floor_to


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

    `stopwatch` gives ns of a running timer. It only feeds the audit of slow calls: no decision depends on it.
    """

    def __init__(self, config: EngineConfig, strategies: Iterable[StrategyEntry], stopwatch: Callable[[], int]) -> None:
        self.config = config
        self.audit = Audit()
        self.symbols: dict[str, SymbolState] = {}
        self.mark_ns = 0
        self.closed = False
        self._entries = tuple(strategies)
        self._stopwatch = stopwatch
        self._now = Now(config.session, config.session_start_ns)
        self._reports: list[Report] = []
        self._held: set[str] = set()
        self._open_minutes: dict[int, dict[str, SymbolState]] = {}
        self._closed_to_ns = floor_to(config.session_start_ns, MINUTE_NS)
        self._revisable_from_ns = floor_to(config.session_start_ns - config.bar_revise_ns, MINUTE_NS)
        self._on_second: list[tuple[Instance, Callable[[Instance], None]]] | None = None

    def apply(self, items: Iterable[Item]) -> None:
        """Apply items in order."""
        symbols = self.symbols
        audit = self.audit
        for item in items:
            kind = type(item)
            if kind is Trade:
                state = symbols.get(item.symbol)  # type: ignore[union-attr]  # a Trade by its exact type
                if state is None:
                    count(audit.rejected_trades, "unwatched")
                elif item.ordinal <= state.last_ordinal:  # type: ignore[union-attr]
                    audit.repeated += 1
                else:
                    self._trade(state, item)  # type: ignore[arg-type]
            elif kind is Quote:
                state = symbols.get(item.symbol)  # type: ignore[union-attr]
                if state is None:
                    count(audit.rejected_quotes, "unwatched")
                elif item.ordinal <= state.last_ordinal:  # type: ignore[union-attr]
                    audit.repeated += 1
                else:
                    state.last_ordinal = item.ordinal  # type: ignore[union-attr]
                    state.quote = item  # type: ignore[assignment]
                    audit.quotes += 1
                    if state.matcher is not None:
                        self._reports += state.matcher.on_quote(item)  # type: ignore[arg-type]
                    if state.on_quote:
                        self._call_each(state.on_quote, "on_quote", item)
            else:
                self._apply_rare(item)

    def take_request(self) -> Request:
        """What the shard asks of the broker door since the last call, with prices of what is held."""
        intents, self._now.intents = self._now.intents, []
        reports, self._reports = self._reports, []
        self.audit.intents += len(intents)
        return Request(intents, reports, self.prices() if intents or reports else {})

    def prices(self) -> dict[str, float]:
        """Last prices of the symbols in which something is held."""
        last = ((symbol, self.symbols[symbol].last_price()) for symbol in sorted(self._held))
        return {symbol: price for symbol, price in last if price is not None}

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
                self._closed_to_ns,
                self._revisable_from_ns,
                self.audit,
                now.intents,
                self._reports,
                [self._pack(state) for state in self.symbols.values()],
            )
        )

    def restore(self, snapshot: bytes, closed_bars: Iterable[Bar]) -> None:
        """Become the shard that made the snapshot; `closed_bars` are its closed minutes, from the keeper."""
        kept = decode_state(snapshot)
        self.mark_ns = kept.mark_ns
        self.closed = kept.closed
        self.audit = kept.audit
        now = self._now
        now.session_ns, now.age_ns, now.degraded = kept.session_ns, kept.age_ns, kept.degraded
        now.intents = kept.intents
        self._reports = kept.reports
        self._closed_to_ns = kept.closed_to_ns
        self._revisable_from_ns = kept.revisable_from_ns
        bars: dict[str, list[Bar]] = {}
        for bar in closed_bars:
            bars.setdefault(bar.symbol, []).append(bar)
        self.symbols = {}
        for symbol in kept.symbols:
            self._unpack(symbol, bars.get(symbol.symbol, []))

    def take_bars(self) -> list[Bar]:
        """Closed minutes that came or changed since the last call."""
        changed: list[Bar] = []
        for state in self.symbols.values():
            if state.bars.changed:
                changed += state.bars.changed.values()
                state.bars.changed = {}
        return changed

    def _trade(self, state: SymbolState, trade: Trade) -> None:
        state.last_ordinal = trade.ordinal
        if trade.ts_ns < self._revisable_from_ns:
            count(self.audit.rejected_trades, "late")
            return
        self.audit.trades += 1
        opened = state.bars.add(trade, self._closed_to_ns)
        if opened is not None:
            self._to_close(opened, state)
        state.trade = trade
        if state.matcher is not None:
            self._reports += state.matcher.on_trade(trade)
        if state.on_trade:
            self._call_each(state.on_trade, "on_trade", trade)

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
        closed_to_ns = floor_to(mark.session_ns - self.config.bar_grace_ns, MINUTE_NS)
        if closed_to_ns > self._closed_to_ns:
            self._close_minutes(closed_to_ns)
        self._call_on_second()

    def _close_minutes(self, closed_to_ns: int) -> None:
        """Close every minute that ended before, by minute and symbol, and let go of what is too old to revise."""
        self._closed_to_ns = closed_to_ns
        for minute_ns in sorted(minute for minute in self._open_minutes if minute < closed_to_ns):
            for _, state in sorted(self._open_minutes.pop(minute_ns).items()):
                bar = state.bars.close(minute_ns)
                if bar is not None:
                    hooked = [i for i in state.instances if i.active and hasattr(i.strategy, "on_bar")]
                    self._call_each(hooked, "on_bar", bar)
        self._revisable_from_ns = floor_to(self.mark_ns - self.config.bar_revise_ns, MINUTE_NS)
        for state in self.symbols.values():
            state.bars.forget(min(self._revisable_from_ns, closed_to_ns))

    def _call_on_second(self) -> None:
        hooks = self._on_second
        if hooks is None:
            hooks = self._on_second = self._second_hooks()
        stopwatch = self._stopwatch
        budget_ns = self.config.strategy_budget_ns
        began_ns = stopwatch()
        for instance, hook in hooks:
            try:
                hook(instance)
            except (Exception, SystemExit) as fault:  # noqa: BLE001 - whatever a strategy raises stops it, and only it
                self._stop(instance, "on_second", fault)
            ended_ns = stopwatch()
            if ended_ns - began_ns > budget_ns:
                self._note_slow(instance, "on_second", ended_ns - began_ns)
            began_ns = ended_ns

    def _second_hooks(self) -> list[tuple[Instance, Callable[[Instance], None]]]:
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

    def _call_each(self, instances: Iterable[Instance], hook: str, argument: object) -> None:
        stopwatch = self._stopwatch
        for instance in instances:
            if instance.stopped:
                continue
            began_ns = stopwatch()
            try:
                getattr(instance.strategy, hook)(instance, argument)
            except (Exception, SystemExit) as fault:  # noqa: BLE001 - as above
                self._stop(instance, hook, fault)
            took_ns = stopwatch() - began_ns
            if took_ns > self.config.strategy_budget_ns:
                self._note_slow(instance, hook, took_ns)

    def _stop(self, instance: Instance, hook: str, fault: BaseException) -> None:
        """Stop a strategy for its symbol; the shard goes on."""
        instance.stopped = True
        detail = "".join(traceback.format_exception(fault))
        self.audit.stopped.append(
            StrategyFault(instance.entry.name, instance.symbol, hook, self._now.session_ns, detail)
        )
        self._refresh(self.symbols[instance.symbol])

    def _note_slow(self, instance: Instance, hook: str, took_ns: int) -> None:
        self.audit.slow_calls += 1
        if len(self.audit.slow) < MAX_EXAMPLES:
            detail = f"{took_ns / 1e6:.1f} ms in one call"
            self.audit.slow.append(
                StrategyFault(instance.entry.name, instance.symbol, hook, self._now.session_ns, detail)
            )

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
        if any(instance.position.quantity for instance in state.instances):
            self._held.add(state.symbol)
        else:
            self._held.discard(state.symbol)

    def _tell(self, instance: Instance, event: OrderEvent) -> None:
        active = instance.active
        fill = instance.on_event(event)
        if fill is not None and hasattr(instance.strategy, "on_fill"):
            self._call_each([instance], "on_fill", fill)
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

    def _watch(self, watch: Watch) -> None:
        state = self.symbols.get(watch.symbol)
        if state is None:
            state = self.symbols[watch.symbol] = SymbolState(watch.symbol, watch.since_ns)
            self._receive_history(state, watch)
        elif not state.watched:
            state.watched = True
            state.bars.since_ns = watch.since_ns
            self._receive_history(state, watch)
        state.scanners = watch.scanners
        for entry in self._entries:
            self._seat(entry, state)
        self._refresh(state)

    def _receive_history(self, state: SymbolState, watch: Watch) -> None:
        state.warm = watch.warm or watch.since_ns <= self.config.session_start_ns
        if watch.warm:
            for minute_ns in state.bars.warm(watch.bars, self._closed_to_ns):
                self._to_close(minute_ns, state)

    def _seat(self, entry: StrategyEntry, state: SymbolState) -> None:
        """Make sure that an instance runs where it is wanted, and rests where it is not."""
        wanted = state.watched and entry.wants(state.symbol, state.scanners)
        for instance in state.instances:
            if instance.entry is entry:
                instance.wanted = wanted
                return
        if wanted:
            instance = Instance(entry, state, self._now)
            instance.wanted = True
            state.instances.append(instance)

    def _unwatch(self, unwatch: Unwatch) -> None:
        state = self.symbols.get(unwatch.symbol)
        if state is None:
            return
        state.watched = False
        for minute_ns in state.bars.open_minutes(self._closed_to_ns):
            state.bars.spoil(minute_ns, self._closed_to_ns)
        for instance in state.instances:
            instance.wanted = False
        self._refresh(state)

    def _lost(self, lost: Lost) -> None:
        for symbol, minute_ns in lost.minutes:
            state = self.symbols.get(symbol)
            if state is not None:
                state.bars.spoil(minute_ns, self._closed_to_ns)

    def _close(self, close: Close) -> None:
        """End the session: minutes that were not seen to their end are partial; day orders expire."""
        for minute_ns in sorted(self._open_minutes):
            for state in self._open_minutes.pop(minute_ns).values():
                if minute_ns + MINUTE_NS > close.session_ns:
                    state.bars.spoil(minute_ns, self._closed_to_ns)
                state.bars.close(minute_ns)
        for _, state in sorted(self.symbols.items()):
            if state.matcher is not None:
                self._reports += state.matcher.expire(close.session_ns)
        self.closed = True

    def _pack(self, state: SymbolState) -> SymbolSnapshot:
        try:
            return pack_symbol(state)
        except Exception:  # noqa: BLE001 - what pickling raises is the strategy's fault: find out whose
            self._stop_unpicklable(state)
            return pack_symbol(state)

    def _stop_unpicklable(self, state: SymbolState) -> None:
        for instance in state.instances:
            try:
                pack_instance(instance)
            except Exception as fault:  # noqa: BLE001 - as above
                self._stop(instance, "checkpoint", fault)

    def _unpack(self, kept: SymbolSnapshot, closed: list[Bar]) -> None:
        state = self.symbols[kept.symbol] = SymbolState(kept.symbol, kept.since_ns)
        state.last_ordinal, state.last_event = kept.last_ordinal, kept.last_event
        state.trade, state.quote = kept.trade, kept.quote
        state.warm, state.watched, state.scanners = kept.warm, kept.watched, kept.scanners
        state.matcher = kept.matcher
        state.bars.restore(kept.repaired_to_ns, kept.minutes, kept.lost, closed)
        for minute_ns in state.bars.open_minutes(self._closed_to_ns):
            self._to_close(minute_ns, state)
        entries = {entry.name: entry for entry in self._entries}
        for seat in kept.instances:
            instance = Instance(entries[seat.entry], state, self._now)
            unpack_instance(seat, instance)
            state.instances.append(instance)
        if any(instance.position.quantity for instance in state.instances):
            self._held.add(state.symbol)
        self._refresh(state)

    def _to_close(self, minute_ns: int, state: SymbolState) -> None:
        self._open_minutes.setdefault(minute_ns, {})[state.symbol] = state

    def _refresh(self, state: SymbolState) -> None:
        state.refresh()
        self._on_second = None
