"""Routes ticks and items to the lane of the shard that owns their symbol, or to `HeldItems` while it moves.

Tests: tests/desk/producer/test_loop.py
"""

from collections.abc import Callable, Iterable, Sequence

from desk.flow import Lane
from desk.flow.routing_table import slot_of
from desk.model.items import Backfill, GapItem, History, Item, QuotesLost, Unwatch, Watch
from desk.model.notices import NOTICES
from desk.model.orders import OrderEvent
from desk.model.ticks import Event, Quote
from desk.producer.held_items import HeldItems
from desk.producer.history_requests import HistoryRequests
from desk.producer.lanes import Lanes
from desk.producer.overload import ShedTrades
from desk.producer.slot_moves import SlotMoves
from desk.producer.subscriptions import Subscriptions
from desk.telemetry.note_board import NoteBoard


class Router:
    """Puts ticks and items into their lanes.

    If all symbols are subscribed, a new symbol gets its `Watch` before its first tick. `from_first`: the market is read
    from its beginning, so that a new symbol has no earlier ticks.
    """

    def __init__(
        self,
        lanes: Lanes,
        moves: SlotMoves,
        subscriptions: Subscriptions,
        notes: NoteBoard,
        history: HistoryRequests,
        *,
        from_first: bool,
    ) -> None:
        self._lanes = lanes
        self._moves = moves
        self._subscriptions = subscriptions
        self._notes = notes
        self._history = history
        self._from_first = from_first
        self._version = moves.version
        self._session_ns = 0
        self._new_symbols: list[str] = []
        self._tickless: set[str] = set()
        self._by_symbol: dict[str, Lane | HeldItems] = {}
        self._append = _AppendBySymbol(self)

    def lane_of(self, symbol: str) -> Lane | HeldItems:
        """The lane of the shard that owns the symbol, or the `HeldItems` while the symbol moves."""
        return self._moves.holding(symbol) or self._lanes[self._moves.table.shard_of(symbol)]

    def put_item(self, item: Watch | History | Unwatch | QuotesLost | OrderEvent | Backfill) -> None:
        """Put an item into the lane of its symbol; a `Watch` says from now on whether history of the symbol follows."""
        if isinstance(item, Watch | Unwatch):
            self._history.expect(item)
        self._moves.used.add(slot_of(item.symbol))
        self.lane_of(item.symbol).put(item)

    def put_items(self, items: Iterable[Watch | History | Unwatch | QuotesLost | Backfill]) -> None:
        """Put each item into the lane of its symbol."""
        for item in items:
            self.put_item(item)

    def give(self, events: Iterable[OrderEvent]) -> None:
        """Put order events into the lanes of their symbols, and track open orders and positions."""
        for event in events:
            self._subscriptions.on_event(event)
            self.put_item(event)

    def put_in_all(self, gaps: Iterable[GapItem]) -> None:
        """Put gaps into all lanes, and hold them for moving symbols."""
        for gap in gaps:
            self._lanes.put(gap)
            self._moves.hold(gap)

    def put(self, ticks: Sequence[Event], session_ns: int) -> list[str]:
        """Put ticks into lanes that have room; return the symbols that are new since routes last changed."""
        self._refresh_routes(session_ns)
        append = self._append
        for tick in ticks:
            append[tick.symbol](tick)
        return self._new_symbols

    def offer(self, ticks: Sequence[Event], shed: Sequence[ShedTrades], session_ns: int, now_ns: int) -> list[str]:
        """Put ticks into lanes, where a full lane makes room, and count `shed` as dropped.

        Returns the symbols of which these are the first ticks since routes last changed; notices are no ticks.
        """
        self._refresh_routes(session_ns)
        self._offer(ticks, shed, now_ns)
        return self._met(ticks, shed) if self._new_symbols or self._tickless else self._new_symbols

    def _offer(self, ticks: Sequence[Event], shed: Sequence[ShedTrades], now_ns: int) -> None:
        for each in shed:
            self.route(each.symbol).shed(each.symbol, each.minute_ns, each.trades)
        quotes = Quote in map(type, ticks)
        if not self._moves.held and all(lane.can_take(len(ticks), quotes=quotes) for lane in self._lanes):
            append = self._append
            for tick in ticks:
                append[tick.symbol](tick)
            return
        for tick in ticks:
            self.route(tick.symbol).offer(tick, now_ns)
        for lane in self._lanes:
            if lane.crossed_threshold():
                self._notes.add(
                    f"lane {lane.shard} holds {lane.depth:,} ticks, above lag_threshold {lane.config.lag_threshold:,}"
                )

    def _met(self, ticks: Sequence[Event], shed: Sequence[ShedTrades]) -> list[str]:
        """The symbols without a tick so far that have one now."""
        self._tickless.update(self._new_symbols)
        met = {tick.symbol for tick in ticks if type(tick) not in NOTICES} | {each.symbol for each in shed}
        met &= self._tickless
        self._tickless -= met
        return sorted(met)

    def route(self, symbol: str) -> Lane | HeldItems:
        """The lane or `HeldItems` for a symbol's ticks. On first use it is noted as new, and watched if all are."""
        lane = self._by_symbol.get(symbol)
        if lane is None:
            lane = self._by_symbol[symbol] = self.lane_of(symbol)
            self._new_symbols.append(symbol)
            if self._subscriptions.add_if_new(symbol):
                scanners = self._subscriptions.scanners_of(symbol)
                self.put_item(Watch(symbol, self._session_ns, scanners, first=self._from_first))
        return lane

    def _refresh_routes(self, session_ns: int) -> None:
        """Discard routes that have changed. They do not change while ticks are put in."""
        self._session_ns = session_ns
        self._new_symbols = []
        if self._version != self._moves.version:
            self._version = self._moves.version
            self._by_symbol.clear()
            self._append.clear()


class _AppendBySymbol(dict[str, Callable[[Item], None]]):
    """The `append` of each symbol's lane, the only call of the hot loop."""

    def __init__(self, router: Router) -> None:
        super().__init__()
        self._router = router

    def __missing__(self, symbol: str) -> Callable[[Item], None]:
        lane = self._router.route(symbol)
        assert isinstance(lane, Lane), "a tick was appended while its symbol moves"
        append = self[symbol] = lane.pending.items.append
        return append
