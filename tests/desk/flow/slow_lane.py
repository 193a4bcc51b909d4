"""The overflow rules of a lane, written to be read: every step walks the whole list."""

from desk.model.items import Item, Lost
from desk.model.ticks import Quote, Tick, Trade
from desk.model.units import MINUTE_NS


class SlowLane:
    """What waits, oldest first, and what was taken out, by class and cause."""

    def __init__(self, capacity: int, write_timeout_ns: int) -> None:
        self.capacity = capacity
        self.write_timeout_ns = write_timeout_ns
        self.waiting: list[Item] = []
        self.conflating = False
        self.conflated: list[Quote] = []
        self.aged: list[Trade] = []
        self.full: list[Tick] = []

    @property
    def ticks(self) -> int:
        return sum(isinstance(item, Tick) for item in self.waiting)

    def put(self, item: Item) -> None:
        self.waiting.append(item)

    def offer(self, tick: Tick, now_ns: int) -> None:
        if self.ticks == self.capacity:
            self.conflating = True
        if self.conflating:
            self._conflate(tick)
        if self.ticks == self.capacity:
            self._drop_aged(now_ns - self.write_timeout_ns)
        if self.ticks == self.capacity:
            self._drop_oldest()
        self.waiting.append(tick)

    def cut(self, items: int) -> None:
        del self.waiting[:items]
        if 2 * self.ticks < self.capacity:
            self.conflating = False

    def _conflate(self, tick: Tick) -> None:
        newer = {tick.symbol} if isinstance(tick, Quote) else set()
        for item in self.waiting[::-1]:
            if isinstance(item, Quote):
                if item.symbol in newer:
                    self.waiting.remove(item)
                    self.conflated.append(item)
                newer.add(item.symbol)

    def _drop_aged(self, before_ns: int) -> None:
        for item in list(self.waiting):
            if isinstance(item, Trade) and item.received_ns < before_ns:
                self._drop_trade(item)
                self.aged.append(item)

    def _drop_oldest(self) -> None:
        trades = [item for item in self.waiting if isinstance(item, Trade)]
        quotes = [item for item in self.waiting if isinstance(item, Quote)]
        self.full.append((trades or quotes)[0])
        if trades:
            self._drop_trade(trades[0])
        else:
            self.waiting.remove(quotes[0])

    def _drop_trade(self, trade: Trade) -> None:
        lost = Lost([(trade.symbol, trade.ts_ns // MINUTE_NS * MINUTE_NS)])
        place = self.waiting.index(trade)
        self.waiting[place : place + 1] = [] if lost in self.waiting else [lost]
