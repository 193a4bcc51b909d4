"""From ticks to lanes: each to the shard that owns its symbol, or to what stands for it while the symbol moves."""

from collections.abc import Callable, Sequence

from desk.flow import Lane
from desk.flow.routing_table import slot_of
from desk.model.items import Item
from desk.model.ticks import Quote, Tick
from desk.ports import Clock
from desk.producer.held_items import Holding
from desk.producer.lanes import Lanes
from desk.producer.overload import Overload
from desk.producer.slot_moves import Moves


class Router:
    """Puts ticks and items where they belong. `meet` is told of each symbol that is routed for the first time."""

    def __init__(
        self,
        lanes: Lanes,
        moves: Moves,
        overload: Overload,
        clock: Clock,
        meet: Callable[[str], None],
        note: Callable[[str], None],
    ) -> None:
        self._lanes = lanes
        self._moves = moves
        self._overload = overload
        self._clock = clock
        self._tell = meet
        self._note = note
        self._by_symbol: dict[str, Lane | Holding] = {}
        self._append = _Appends(self._meet)

    def lane_of(self, symbol: str) -> Lane | Holding:
        """The lane of the shard that owns the symbol, or what stands for it while the symbol is on its way."""
        return self._moves.holding(symbol) or self._lanes[self._moves.table.shard_of(symbol)]

    def put(self, symbol: str, item: Item) -> None:
        """Put an item where its symbol is."""
        self._moves.used.add(slot_of(symbol))
        self.lane_of(symbol).put(item)

    def changed(self) -> None:
        """Routes have changed."""
        self._by_symbol.clear()
        self._append.clear()

    def put_waiting(self, ticks: list[Tick]) -> None:
        """Put ticks of a lossless feed in, waiting for room."""
        append = self._append
        most = self._lanes.config.capacity
        for first in range(0, len(ticks), most):
            part = ticks[first : first + most]
            self._lanes.make_room(len(part))
            for tick in part:
                append[tick.symbol](tick)

    def put_or_drop(self, ticks: Sequence[Tick]) -> None:
        """Put ticks in that cannot wait: a full lane makes room, and what is too old may not get in at all."""
        now_ns = self._clock.wall_ns()
        append = self._append
        ticks = self._overload.admit(ticks, now_ns, self._meet)
        quotes = Quote in map(type, ticks)
        if not self._moves.held and all(lane.takes(len(ticks), quotes=quotes) for lane in self._lanes):
            for tick in ticks:
                append[tick.symbol](tick)
            return
        for tick in ticks:
            self._meet(tick.symbol).offer(tick, now_ns)
        for lane in self._lanes:
            if lane.crossed_threshold():
                self._note(
                    f"lane {lane.shard} holds {lane.depth:,} ticks, above lag_threshold {lane.config.lag_threshold:,}"
                )

    def _meet(self, symbol: str) -> Lane | Holding:
        lane = self._by_symbol.get(symbol)
        if lane is None:
            lane = self._by_symbol[symbol] = self.lane_of(symbol)
            self._tell(symbol)
        return lane


class _Appends(dict[str, Callable[[Item], None]]):
    """For each symbol the append of its lane: what the hot loop calls, and nothing more."""

    def __init__(self, lane_of: Callable[[str], Lane | Holding]) -> None:
        super().__init__()
        self._lane_of = lane_of

    def __missing__(self, symbol: str) -> Callable[[Item], None]:
        lane = self._lane_of(symbol)
        assert isinstance(lane, Lane), "appended to a lane while its symbol is on its way"
        append = self[symbol] = lane.pending.items.append
        return append
