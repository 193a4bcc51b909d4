"""Items that are held while their symbols move from one shard to another.

Tests: tests/desk/producer/test_slot_moves.py
"""

from desk.flow import HeldCounts
from desk.model.items import Item, LostTrades, QuotesLost
from desk.model.notices import NOTICES
from desk.model.ticks import REVISIONS, Event, Trade
from desk.model.units import MINUTE_NS, floor_to


class HeldItems:
    """Takes the place of a lane for symbols that are moving: keeps their items, marks included.

    It holds at most `capacity` ticks. Like a full lane it drops the rest, and names their minutes and missing quotes.
    """

    def __init__(self, capacity: int) -> None:
        self.items: list[Item] = []
        self.trades = 0
        self.quotes = 0
        self.revisions = 0
        self.notices = 0
        self.trades_full = 0
        self.quotes_full = 0
        self._capacity = capacity
        self._lost: set[tuple[str, int]] = set()
        self._unquoted: set[str] = set()

    @property
    def counts(self) -> HeldCounts:
        """The ticks held and dropped so far."""
        return HeldCounts(self.trades, self.quotes, self.revisions, self.trades_full, self.quotes_full, self.notices)

    def put(self, item: Item) -> None:
        """Keep an item that is never dropped."""
        self.items.append(item)

    def offer(self, tick: Event, now_ns: int) -> None:
        """Keep a tick, or drop it if there is no room; corrections, cancels and notices are never dropped."""
        trade = type(tick) is Trade
        if type(tick) in REVISIONS:
            self.revisions += 1
            self.items.append(tick)
        elif type(tick) in NOTICES:
            self.notices += 1
            self.items.append(tick)
        elif self.trades + self.quotes < self._capacity:
            self.trades += trade
            self.quotes += not trade
            self.items.append(tick)
        elif trade:
            self._drop(tick.symbol, floor_to(tick.ts_ns, MINUTE_NS), 1)
        else:
            self.quotes_full += 1
            if tick.symbol not in self._unquoted:
                self._unquoted.add(tick.symbol)
                self.items.append(QuotesLost(tick.symbol, now_ns))

    def shed(self, symbol: str, minute_ns: int, trades: int) -> None:
        """Drop trades that were too old when they arrived."""
        self._drop(symbol, minute_ns, trades)

    def _drop(self, symbol: str, minute_ns: int, trades: int) -> None:
        self.trades_full += trades
        if (symbol, minute_ns) not in self._lost:
            self._lost.add((symbol, minute_ns))
            self.items.append(LostTrades([(symbol, minute_ns)]))
