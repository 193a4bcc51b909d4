"""From ticks to lanes: each to the shard that owns its symbol, or to what stands for it while the symbol moves.

Tests: tests/desk/producer/test_loop.py
"""

from collections.abc import Callable, Iterable, Sequence

from desk.flow import Lane
from desk.flow.routing_table import slot_of
from desk.model.items import GapItem, Item, QuotesLost, Unwatch, Watch
from desk.model.orders import OrderEvent
from desk.model.ticks import Quote, Tick
from desk.producer.held_items import HeldItems
from desk.producer.lanes import Lanes
from desk.producer.overload import Shed
from desk.producer.slot_moves import SlotMoves
from desk.producer.subscriptions import Subscriptions
from desk.telemetry.note_board import NoteBoard


class Router:
    """Puts ticks and items where they belong.

    With all symbols subscribed, one that was never seen before is watched before its first tick. `from_first`: the
    market was read from its beginning, so that such a symbol has no earlier ticks.
    """

    def __init__(
        self, lanes: Lanes, moves: SlotMoves, subscriptions: Subscriptions, notes: NoteBoard, *, from_first: bool
    ) -> None:
        self._lanes = lanes
        self._moves = moves
        self._subscriptions = subscriptions
        self._notes = notes
        self._from_first = from_first
        self._version = moves.version
        self._session_ns = 0
        self._met: list[str] = []
        self._by_symbol: dict[str, Lane | HeldItems] = {}
        self._append = _Appends(self)

    def lane_of(self, symbol: str) -> Lane | HeldItems:
        """The lane of the shard that owns the symbol, or what stands for it while the symbol is on its way."""
        return self._moves.holding(symbol) or self._lanes[self._moves.table.shard_of(symbol)]

    def put_item(self, item: Watch | Unwatch | QuotesLost | OrderEvent) -> None:
        """Put an item where its symbol is."""
        self._moves.used.add(slot_of(item.symbol))
        self.lane_of(item.symbol).put(item)

    def put_items(self, items: Iterable[Watch | Unwatch | QuotesLost]) -> None:
        """Put each item where its symbol is."""
        for item in items:
            self.put_item(item)

    def give(self, events: Iterable[OrderEvent]) -> None:
        """Put order events where their symbols are, and keep track of what is open in each."""
        for event in events:
            self._subscriptions.on_event(event)
            self.put_item(event)

    def put_in_all(self, gaps: Iterable[GapItem]) -> None:
        """Put gaps into all lanes, and where symbols are on their way."""
        for gap in gaps:
            self._lanes.put(gap)
            self._moves.hold(gap)

    def put(self, ticks: Sequence[Tick], session_ns: int) -> list[str]:
        """Put ticks in for which there is room; the symbols routed for the first time since routes changed."""
        self._begin(session_ns)
        append = self._append
        for tick in ticks:
            append[tick.symbol](tick)
        return self._met

    def offer(self, ticks: Sequence[Tick], shed: Sequence[Shed], session_ns: int, now_ns: int) -> list[str]:
        """Put ticks in that cannot wait, where a full lane makes room; `shed` are those too old to get in at all.

        Returns the symbols routed for the first time since routes changed.
        """
        self._begin(session_ns)
        for each in shed:
            self.meet(each.symbol).shed(each.symbol, each.minute_ns, each.trades)
        quotes = Quote in map(type, ticks)
        if not self._moves.held and all(lane.can_take(len(ticks), quotes=quotes) for lane in self._lanes):
            append = self._append
            for tick in ticks:
                append[tick.symbol](tick)
            return self._met
        for tick in ticks:
            self.meet(tick.symbol).offer(tick, now_ns)
        for lane in self._lanes:
            if lane.crossed_threshold():
                self._notes.add(
                    f"lane {lane.shard} holds {lane.depth:,} ticks, above lag_threshold {lane.config.lag_threshold:,}"
                )
        return self._met

    def meet(self, symbol: str) -> Lane | HeldItems:
        """Where the symbol's ticks go; it is noted, and watched if need be, where nothing of it was routed before."""
        lane = self._by_symbol.get(symbol)
        if lane is None:
            lane = self._by_symbol[symbol] = self.lane_of(symbol)
            self._met.append(symbol)
            if self._subscriptions.meet(symbol):
                scanners = self._subscriptions.scanners_of(symbol)
                self.put_item(Watch(symbol, self._session_ns, scanners, first=self._from_first))
        return lane

    def _begin(self, session_ns: int) -> None:
        """Forget routes that have changed. Nothing changes them while ticks are put in."""
        self._session_ns = session_ns
        self._met = []
        if self._version != self._moves.version:
            self._version = self._moves.version
            self._by_symbol.clear()
            self._append.clear()


class _Appends(dict[str, Callable[[Item], None]]):
    """For each symbol the append of its lane: what the hot loop calls, and nothing more."""

    def __init__(self, router: Router) -> None:
        super().__init__()
        self._router = router

    def __missing__(self, symbol: str) -> Callable[[Item], None]:
        lane = self._router.meet(symbol)
        assert isinstance(lane, Lane), "appended to a lane while its symbol is on its way"
        append = self[symbol] = lane.pending.items.append
        return append
