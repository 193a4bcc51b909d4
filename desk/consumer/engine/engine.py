"""The engine: a function of items. Every change of a shard passes through `apply`, in order."""

from collections.abc import Callable, Collection, Iterable, Mapping

from desk.bars.remembered_trades import LATE_NS, LOGGED_NS
from desk.consumer.engine.call_tracer import CallTracer
from desk.consumer.engine.engine_config import EngineConfig
from desk.consumer.engine.engine_state import EngineCheckpoint, EngineState
from desk.consumer.engine.outcome import Outcome
from desk.consumer.engine.snapshot import encode_state, ordinals_of
from desk.consumer.engine.strategy_entry import StrategyEntry
from desk.consumer.engine.symbol_handover import held_items, symbols_in_slots
from desk.consumer.engine.symbol_items import SymbolItems
from desk.consumer.engine.symbol_state import SymbolState
from desk.model.bars import Bar
from desk.model.batch import Released
from desk.model.checkpoint import LoggedTrades
from desk.model.items import (
    Adopt,
    Backfill,
    Close,
    GapItem,
    History,
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
from desk.model.notices import PriceBands, TradingStatus, VenueBar
from desk.model.orders import OrderEvent
from desk.model.spans import SpanContext
from desk.model.ticks import Cancel, Correction, Quote, Revision, Trade
from desk.telemetry.audit import Audit, count_cause
from desk.telemetry.breadcrumb_port import EVERYWHERE, BreadcrumbWriter, NoBreadcrumbs
from desk.telemetry.call_times import CallTimes
from desk.telemetry.span_recorder import SpanRecorder


class Engine:
    """Applies the items of one shard to its bars, strategies and simulated orders.

    Replayed items change nothing. They are recognized by ordinal (ticks), session time (marks, watches, unwatches; a
    symbol's histories by that of the last one), number (order events, moves), equality (gaps) and the producer's time
    (lost quotes); items for released slots were applied before the release.

    `apply` returns the outcome; the caller passes the part not yet handed over to the next call, because a released
    symbol takes its part along. Instances in `never_restored`, by (strategy, symbol), do not run again after `restore`.
    `audit` and `times` let the engine count in those of another engine.
    """

    def __init__(
        self,
        config: EngineConfig,
        strategies: Iterable[StrategyEntry],
        stopwatch: Callable[[], int],
        crumbs: BreadcrumbWriter | None = None,
        never_restored: Collection[tuple[str, str]] = (),
        audit: Audit | None = None,
        times: CallTimes | None = None,
    ) -> None:
        self.config = config
        self.times = times or CallTimes()
        self._strategies = tuple(strategies)
        self._stopwatch = stopwatch
        self._crumbs = crumbs or NoBreadcrumbs()
        self._state = state = EngineState(
            config, self._strategies, stopwatch, self._crumbs, never_restored, audit or Audit(), self.times
        )
        self.audit = state.audit
        self._now = state.now
        self._outbox = state.outbox
        self._symbols = state.symbols
        self._watched = state.symbols.watched
        self._minutes = state.minutes
        self._guard = state.guard
        self._instances = state.instances
        self._orders = state.orders
        self._items = SymbolItems(state)
        self._notices = state.notices

    @property
    def mark_ns(self) -> int:
        """The last mark, session time; 0 before the first."""
        return self._state.mark_ns

    @property
    def closed(self) -> bool:
        """Whether the session has been closed."""
        return self._state.closed

    @property
    def symbols(self) -> dict[str, SymbolState]:
        """The states of all known symbols, by symbol."""
        return self._symbols.known

    @property
    def released(self) -> dict[int, Released]:
        """The released moves that are not settled yet, by number."""
        return self._state.moves.released

    @property
    def last_move(self) -> int:
        """The highest number of a move that this shard took part in; 0 before the first."""
        return self._state.moves.last

    @property
    def ordinals(self) -> dict[str, int]:
        """The ordinals of the last ticks by symbol, including symbols that were released and are not settled."""
        found: dict[str, int] = {}
        for held in self._state.moves.released.values():
            found |= ordinals_of(held.state)
        return found | {state.symbol: state.last_ordinal for state in self.symbols.values() if state.last_ordinal >= 0}

    @property
    def adopted(self) -> dict[int, list[int]]:
        """The adopted slots, by move."""
        return self._state.moves.adopted

    def apply(self, items: Iterable[Item], pending: Outcome | None = None) -> Outcome:
        """Apply items in order; returns `pending` with their outcome added.

        `pending` is the outcome of earlier items that is not handed over yet; a released symbol takes its part along.
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
                    self._state.reject(item, audit.rejected_trades)  # type: ignore[arg-type]
                elif item.ordinal <= state.last_ordinal:  # type: ignore[union-attr]
                    audit.repeated += 1
                else:
                    self._trade(state, item)  # type: ignore[arg-type]
            elif kind is Quote:
                state = watched.get(item.symbol)  # type: ignore[union-attr]
                if state is None:
                    self._state.reject(item, audit.rejected_quotes)  # type: ignore[arg-type]
                elif item.ordinal <= state.last_ordinal:  # type: ignore[union-attr]
                    audit.repeated += 1
                else:
                    state.last_ordinal = item.ordinal  # type: ignore[union-attr]
                    state.quote = item  # type: ignore[assignment]
                    state.pricing.on_quote(item)  # type: ignore[arg-type]
                    audit.quotes += 1
                    if state.matcher is not None:
                        outbox.reports += state.matcher.on_quote(item, state.pricing, state.trading)  # type: ignore[arg-type]
                    if state.on_quote:
                        self._guard.call_hook(state.on_quote, "on_quote", item, state.last_ordinal)
            else:
                self._apply_rare(item, pending)
        self._state.hand_over(pending)
        return pending

    def trace(self, spans: SpanRecorder, parent: SpanContext, began_ns: int) -> CallTracer:
        """Record calls of strategies as children of this span, from its start on, until `end_trace`."""
        self._guard.tracer = CallTracer(spans, parent, began_ns, self._stopwatch, self._outbox)
        return self._guard.tracer

    def end_trace(self) -> None:
        """Record no further calls."""
        self._guard.tracer = None

    def prices(self) -> dict[str, float]:
        """Reference prices of the symbols with a position."""
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
        """The mark before which the keeper's logged trades are no longer needed."""
        return self._minutes.revisable_from_ns - LATE_NS - LOGGED_NS

    def checkpoint(self, pending: Outcome) -> EngineCheckpoint:
        """The state for `restore`, without the closed minutes.

        Intents and reports that are `pending` are part of the state; its bars are not. The trades are those remembered
        or revised since the last call.
        """
        return self._state.checkpoint(pending)

    def restore(
        self, snapshot: bytes, closed_bars: Iterable[Bar], trades: Mapping[str, LoggedTrades] | None = None
    ) -> Outcome:
        """Restore a fresh engine from a snapshot; returns the outcome that was pending then.

        `closed_bars` are the keeper's closed minutes of its symbols; of several versions of a minute the last counts.
        `trades` are the logged trades of all its checkpoints up to the snapshot, concatenated by symbol.
        """
        return self._state.restore(snapshot, closed_bars, trades or {})

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
            self._outbox.reports += state.matcher.on_trade(trade, state.pricing, state.trading)
        if state.on_trade:
            self._guard.call_hook(state.on_trade, "on_trade", trade, trade.ordinal)

    def _revise(self, revision: Revision) -> None:
        """Correct or cancel a trade. No hook is called: strategies see the revised minute in their bars."""
        state = self._watched.get(revision.symbol)
        if state is None:
            self._state.reject(revision, self.audit.rejected_trades)
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

    def _apply_rare(self, item: Item, pending: Outcome) -> None:
        match item:
            case Mark():
                self._second(item)
            case Correction() | Cancel():
                self._revise(item)
            case TradingStatus() | PriceBands() | VenueBar():
                self._state.take_notice(item)
            case OrderEvent():
                self._order_event(item)
            case Watch():
                self._items.watch(item)
            case History():
                self._items.history(item)
            case Unwatch():
                self._items.unwatch(item)
            case LostTrades():
                self._items.lost(item)
            case QuotesLost():
                self._items.unquoted(item)
            case Stop():
                self._items.stop(item)
            case GapItem():
                self._items.gap(item)
            case Backfill():
                self._state.take_backfill(item)
            case Release():
                self._release(item, pending)
            case Adopt():
                self._adopt(item, pending)
            case Settle():
                self._state.moves.settle(item.move)
            case Close():
                self._close(item)
            case _:
                raise TypeError(f"{type(item).__name__} is no item of a lane")

    def _second(self, mark: Mark) -> None:
        if mark.session_ns <= self.mark_ns:
            return
        self._state.mark_ns = mark.session_ns
        now = self._now
        now.session_ns = mark.session_ns
        now.age_ns = mark.feed_lag_ns + mark.lane_age_ns
        now.degraded = mark.degraded
        self._orders.on_mark(mark.session_ns)
        self._state.closes.close_until(mark.session_ns)
        self._notices.on_mark()
        self._notices.compare_until(mark.session_ns)
        if self._minutes.expire_until(mark.session_ns):
            for state in self.symbols.values():
                state.bars.forget(self._minutes.revisable_from_ns, mark.session_ns, self._minutes.repairable_from_ns)
        self._guard.call_on_second(self._symbols.second_hooks())

    def _order_event(self, event: OrderEvent) -> None:
        if event.symbol not in self.symbols and self._state.moves.has_left(event.symbol):
            return
        state = self._symbols.get_or_create(event.symbol, self.mark_ns)
        if event.number <= state.last_event:
            return
        state.last_event = event.number
        self._instances.create_owner(state, event.strategy)
        self._orders.on_event(state, event)

    def _close(self, close: Close) -> None:
        """End the session: minutes that had not ended are partial, day orders expire."""
        if self.closed:
            return
        self._state.closed = True
        self._state.closes.close_all(close.session_ns)
        self._notices.compare_all(close.session_ns)
        self._orders.expire(close.session_ns)

    def _release(self, release: Release, pending: Outcome) -> None:
        if self._state.moves.has_released(release.move):
            return
        leaving = self._state.take_out(symbols_in_slots(release.slots, self.symbols), pending)
        self._state.moves.release(release, encode_state(leaving))

    def _adopt(self, adopt: Adopt, pending: Outcome) -> None:
        """Apply the held items in an engine of the moved symbols alone, then add these symbols to this engine."""
        if adopt.move in self._state.moves.adopted:
            return
        late = Engine(
            self.config,
            self._strategies,
            self._stopwatch,
            self._crumbs,
            self._guard.never_restored,
            audit=self.audit,
            times=self.times,
        )
        moved = late.restore(adopt.state, [])
        stops = [Stop(strategy, EVERYWHERE, "") for strategy in self._instances.stopped_everywhere]
        moved = late.apply([*stops, *held_items(adopt)], moved)
        if late.mark_ns > self.mark_ns:
            # This shard was down meanwhile, and its lane dropped the marks in between.
            self._second(Mark(late.mark_ns, 0, late.age_ns, 0, late.degraded))
        if (late.mark_ns, late.closed) != (self.mark_ns, self.closed):
            raise ValueError(
                f"move {adopt.move} comes at mark {late.mark_ns}, closed {late.closed}; "
                f"this shard is at mark {self.mark_ns}, closed {self.closed}"
            )
        self._state.moves.adopt(adopt)
        self._state.hand_over(pending)
        pending.add(moved)
        for state in late.symbols.values():
            self._instances.take_over(state, self._now, self._outbox)
            self._state.note(state)
