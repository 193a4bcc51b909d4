"""A simple model of a lane's overflow rules: every step scans the whole list.

What the lane says of its losses, `LostTrades` and `QuotesLost`, is left out here.
"""

from desk.model.items import Item
from desk.model.ticks import Quote, Tick, Trade


class SlowLane:
    """What waits, oldest first, and what was taken out, by class and cause."""

    def __init__(self, capacity: int, write_timeout_ns: int) -> None:
        self.capacity = capacity
        self.write_timeout_ns = write_timeout_ns
        self.waiting: list[Item] = []
        self.told_to_conflate = False
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
            self._conflate_older(than=tick)
        if self.ticks == self.capacity:
            self.drop_aged(now_ns)
        if self.ticks == self.capacity:
            self._drop_oldest()
        self.waiting.append(tick)

    def cut(self, items: int) -> None:
        del self.waiting[:items]
        if 2 * self.ticks < self.capacity and not self.told_to_conflate:
            self.conflating = False

    def conflate(self, *, on: bool) -> None:
        self.told_to_conflate = on
        if on:
            self.conflating = True
            self._conflate_older(than=None)

    def _conflate_older(self, than: Tick | None) -> None:
        newer = {than.symbol} if isinstance(than, Quote) else set()
        for item in self.waiting[::-1]:
            if isinstance(item, Quote):
                if item.symbol in newer:
                    self.waiting.remove(item)
                    self.conflated.append(item)
                newer.add(item.symbol)

    def drop_aged(self, now_ns: int) -> None:
        for item in list(self.waiting):
            if isinstance(item, Trade) and item.received_ns < now_ns - self.write_timeout_ns:
                self.waiting.remove(item)
                self.aged.append(item)

    def _drop_oldest(self) -> None:
        trades = [item for item in self.waiting if isinstance(item, Trade)]
        quotes = [item for item in self.waiting if isinstance(item, Quote)]
        oldest = (trades or quotes)[0]
        self.waiting.remove(oldest)
        self.full.append(oldest)
