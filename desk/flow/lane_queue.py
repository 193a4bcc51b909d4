"""What waits in a lane: a bounded sequence from the middle of which ticks may be taken out.

Theory. Removing from the middle of a list is linear, so a removed tick leaves a hole (None) and the list is
rebuilt when the holes outnumber all that may wait: constant time per tick (amortised), and never more than
2 x (capacity + the uncounted items) + 1 places. Conflation needs the place of each symbol's newest quote. That
index is built when the lane fills up and dropped when it has drained below half, so that an unhurried lane pays
for none of it; between the two, quotes go on being conflated, so that the lane does not flutter.

The first trade that is dropped of a (symbol, minute) leaves a `LostTrades` in its place: after the symbol's `Watch`,
before all later items of the symbol. A trade that is shed before it enters the queue leaves a `LostTrades` at the end,
which does not cover trades dropped before it. Of one (symbol, minute) at most one of each kind waits, so their number
does not depend on the rate of trades. In the same way a quote that is dropped leaves an `QuotesLost` in its place:
no newer quote of its symbol waits behind it, so the shard would keep an older one. Of one symbol one waits at most.
"""

from desk.model.items import Item, LostTrades, QuotesLost
from desk.model.ticks import Event, Quote, Trade
from desk.model.units import MINUTE_NS, floor_to


class LaneQueue:
    """Items in order, at most `capacity` of them ticks, with the overflow rules of the lane by class.

    A full sequence makes room in this order: the older quotes of a symbol go, the newer keeps its own place
    (no look-ahead); then trades older than `write_timeout_ns` (`aged`); then the oldest trade, or, where no
    trade waits, the oldest quote (`full`). Corrections, cancels and notices count, and are never taken out: where
    nothing else waits there may be more than `capacity`. Other items are never taken out and never counted. With
    `lossless` nothing is taken out: a tick offered to a full sequence is the producer's fault.

    `items` is the same list for good: where there surely is room, a tick may be appended to it straight.
    """

    def __init__(self, capacity: int, write_timeout_ns: int, *, lossless: bool = False) -> None:
        if capacity < 1:
            raise ValueError(f"a lane of capacity {capacity} holds no tick")
        self.capacity = capacity
        self.items: list[Item | None] = []
        self.others = 0
        self.quotes_conflated = 0
        self.quotes_full = 0
        self.trades_aged = 0
        self.trades_full = 0
        self._lossless = lossless
        self._conflating = False
        self._lost: set[tuple[str, int]] = set()
        self._shed: set[tuple[str, int]] = set()
        self._unquoted: set[str] = set()
        self._write_timeout_ns = write_timeout_ns
        self._holes = 0
        self._base = 0
        self._newest_quote: dict[str, int] | None = None
        self._oldest_trade = 0
        self._oldest_quote = 0
        self._oldest_tick = 0

    @property
    def ticks(self) -> int:
        """Ticks that wait."""
        return len(self.items) - self._holes - self.others

    def append(self, item: Item) -> None:
        """Add an item that is never dropped and does not count against the capacity."""
        self.items.append(item)
        self.others += 1

    def offer(self, tick: Event, now_ns: int) -> None:
        """Add a tick, making room for it first where there is none. Raises OverflowError when lossless and full."""
        if self._newest_quote is None:
            if len(self.items) - self._holes - self.others < self.capacity:
                self.items.append(tick)
                return
            if self._lossless:
                raise OverflowError(f"a lossless lane holds {self.ticks} ticks already: look at its room first")
            self._index_quotes()
        self._offer_tight(tick, now_ns)

    @property
    def is_conflating(self) -> bool:
        """Whether quotes are being conflated: ticks must be offered, not appended."""
        return self._newest_quote is not None

    @property
    def oldest_received_ns(self) -> int | None:
        """When the tick that has waited longest was received; None where none waits."""
        items = self.items
        index = max(self._oldest_tick - self._base, 0)
        while index < len(items):
            item = items[index]
            if type(item) is Trade or type(item) is Quote:
                self._oldest_tick = self._base + index
                return item.received_ns
            index += 1
        self._oldest_tick = self._base + index
        return None

    def conflate(self, *, on: bool) -> None:
        """Conflate quotes whether full or not, from now on or no longer."""
        self._conflating = on
        if on and self._newest_quote is None:
            self._index_quotes()

    def drop_aged(self, now_ns: int) -> None:
        """Drop the trades older than the write timeout, full or not; only while quotes are conflated."""
        oldest = self._seek_trade()
        while oldest is not None and oldest.received_ns < now_ns - self._write_timeout_ns:
            self._drop_trade(oldest)
            self.trades_aged += 1
            oldest = self._seek_trade()

    def shed(self, symbol: str, minute_ns: int, trades: int) -> None:
        """Drop so many trades of one symbol and minute, which were too old when they came in."""
        self.trades_aged += trades
        minute = (symbol, minute_ns)
        if minute not in self._lost and minute not in self._shed:
            self._shed.add(minute)
            self.append(LostTrades([minute]))

    def first(self, count: int) -> tuple[list[Item], int]:
        """The first `count` items, and how many places they span; they stay here until discarded."""
        items = self.items
        if not self._holes:
            chunk = items[:count]
            return chunk, len(chunk)  # type: ignore[return-value]  # without holes there is no None
        found: list[Item] = []
        places = 0
        while len(found) < count and places < len(items):
            part = items[places : places + count - len(found)]
            found += [item for item in part if item is not None]
            places += len(part)
        return found, places

    def discard(self, places: int, others: int) -> None:
        """Forget the first places, in which `others` items did not count against the capacity."""
        if self._holes:
            self._holes -= self.items[:places].count(None)
        if self._lost or self._shed or self._unquoted:
            for item in self.items[:places]:
                if type(item) is LostTrades:
                    self._lost.difference_update(item.minutes)
                    self._shed.difference_update(item.minutes)
                elif type(item) is QuotesLost:
                    self._unquoted.discard(item.symbol)
        self._base += places
        del self.items[:places]
        self.others -= others
        if self._newest_quote is not None and not self._conflating and self.ticks * 2 < self.capacity:
            self._newest_quote = None
        if self._holes > self.capacity + self.others or 0 < self._holes == len(self.items):
            self._compact()

    def _offer_tight(self, tick: Event, now_ns: int) -> None:
        newest = self._newest_quote
        assert newest is not None, "offered without an index of quotes"
        if type(tick) is Quote:
            older = newest.get(tick.symbol, -1) - self._base
            if older >= 0:
                self._remove(older)
                self.quotes_conflated += 1
            newest[tick.symbol] = self._base + len(self.items)
        if self.ticks >= self.capacity:
            self._make_room(now_ns)
        self.items.append(tick)
        if self._holes > self.capacity + self.others:
            self._compact()

    def _make_room(self, now_ns: int) -> None:
        self.drop_aged(now_ns)
        if self.ticks < self.capacity:
            return
        oldest = self._seek_trade()
        if oldest is not None:
            self._drop_trade(oldest)
            self.trades_full += 1
        else:
            self._drop_oldest_quote(now_ns)

    def _seek_trade(self) -> Trade | None:
        index = max(self._oldest_trade - self._base, 0)
        items = self.items
        while index < len(items):
            item = items[index]
            if type(item) is Trade:
                self._oldest_trade = self._base + index
                return item
            index += 1
        self._oldest_trade = self._base + index
        return None

    def _drop_trade(self, trade: Trade) -> None:
        index = self._oldest_trade - self._base
        minute = (trade.symbol, floor_to(trade.ts_ns, MINUTE_NS))
        if minute in self._lost:
            self._remove(index)
        else:
            self._lost.add(minute)
            self.items[index] = LostTrades([minute])
            self.others += 1

    def _drop_oldest_quote(self, now_ns: int) -> None:
        items = self.items
        index = max(self._oldest_quote - self._base, 0)
        while index < len(items):
            oldest = items[index]
            self._oldest_quote = self._base + index
            if type(oldest) is Quote:
                assert self._newest_quote is not None, "a quote dropped without an index of quotes"
                del self._newest_quote[oldest.symbol]
                self.quotes_full += 1
                self._replace_quote(index, oldest.symbol, now_ns)
                return
            index += 1

    def _replace_quote(self, index: int, symbol: str, now_ns: int) -> None:
        """Put an `QuotesLost` of the symbol in the place of a dropped quote, once for each batch."""
        if symbol in self._unquoted:
            self._remove(index)
        else:
            self._unquoted.add(symbol)
            self.items[index] = QuotesLost(symbol, now_ns)
            self.others += 1

    def _remove(self, index: int) -> None:
        self.items[index] = None
        self._holes += 1

    def _index_quotes(self) -> None:
        """Conflate what waits, and remember the place of each symbol's newest quote."""
        newest: dict[str, int] = {}
        for index, item in enumerate(self.items):
            if type(item) is Quote:
                older = newest.get(item.symbol, -1)
                if older >= 0:
                    self._remove(older)
                    self.quotes_conflated += 1
                newest[item.symbol] = index
        self._newest_quote = {symbol: self._base + index for symbol, index in newest.items()}

    def _compact(self) -> None:
        self.items[:] = [item for item in self.items if item is not None]
        self._holes = 0
        self._oldest_trade = self._oldest_quote = self._oldest_tick = self._base
        if self._newest_quote is not None:
            self._index_quotes()
