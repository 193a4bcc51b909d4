"""The state of one symbol in a shard.

Tests: tests/desk/consumer/engine/test_open_minutes.py
"""

from desk.bars.builder import BarBuilder
from desk.bars.longer import LongerBars
from desk.bars.reference_price import Pricing
from desk.bars.session_grid import SessionGrid
from desk.consumer.engine.instance import Instance
from desk.consumer.engine.venue_bars import VenueBars
from desk.consumer.matching import Matcher, TradingState
from desk.model.ticks import Quote, Trade
from desk.model.timeframes import Timeframe


class SymbolState:
    """The state of one symbol; `last_ordinal` makes a tick count once, `last_event` an order event.

    `stops` are the strategies that may not run here, by name with the reason. `refused_ns` is the session time since
    which the venue refuses the symbol; None while it does not. `trading` and `venue_bars` are what its venue's notices
    said.

    `past` are the packed rows of bars of before the exchange day, by timeframe, of the `History` that was sent at
    `history_ns`; `has_history`: it was whole. While the symbol `awaits_history` none of its instances is active.
    `longer` is None until longer bars are read.
    """

    __slots__ = (
        "awaits_history",
        "bars",
        "has_history",
        "history_ns",
        "instances",
        "last_event",
        "last_ordinal",
        "longer",
        "matcher",
        "on_bar",
        "on_longer",
        "on_quote",
        "on_trade",
        "past",
        "pricing",
        "quote",
        "refused_ns",
        "scanners",
        "stops",
        "symbol",
        "trade",
        "trading",
        "venue_bars",
        "warm",
        "watched",
    )

    def __init__(self, symbol: str, since_ns: int, *, watched: bool = True) -> None:
        self.symbol = symbol
        self.bars = BarBuilder(symbol, since_ns)
        self.last_ordinal = -1
        self.last_event = 0
        self.trade: Trade | None = None
        self.quote: Quote | None = None
        self.pricing = Pricing()
        self.warm = False
        self.watched = watched
        self.scanners: list[str] = []
        self.stops: dict[str, str] = {}
        self.refused_ns: int | None = None
        self.trading = TradingState()
        self.venue_bars = VenueBars()
        self.past: dict[Timeframe, bytes] = {}
        self.history_ns = -1
        self.has_history = False
        self.awaits_history = False
        self.longer: LongerBars | None = None
        self.matcher: Matcher | None = None
        self.instances: list[Instance] = []
        self.on_bar: list[Instance] = []
        self.on_longer: dict[Timeframe, list[Instance]] = {}
        self.on_trade: list[Instance] = []
        self.on_quote: list[Instance] = []

    def refresh(self) -> None:
        """Recompute the instances whose hooks run on ticks and bars."""
        active = [instance for instance in self.instances if instance.active]
        with_bars = [instance for instance in active if hasattr(instance.strategy, "on_bar")]
        self.on_bar = [instance for instance in with_bars if "1m" in instance.entry.bars]
        self.on_longer = {}
        for instance in with_bars:
            for timeframe in instance.entry.longer:
                self.on_longer.setdefault(timeframe, []).append(instance)
        self.on_trade = [instance for instance in active if hasattr(instance.strategy, "on_trade")]
        self.on_quote = [instance for instance in active if hasattr(instance.strategy, "on_quote")]

    def longer_bars(self, grid: SessionGrid) -> LongerBars:
        """The symbol's bars of longer timeframes, and those of before the exchange day."""
        if self.longer is None:
            self.longer = LongerBars(self.bars, grid, self.past)
        return self.longer

    def print_changed(self, old: Trade, new: Trade | None) -> None:
        """Update last print and reference price after a correction (`new`) or cancel (None) of `old`."""
        memory = self.bars.memory
        assert memory is not None, "a revised trade is a remembered one"
        if self.trade is not None and self.trade.ordinal == old.ordinal:
            self.trade = new if new is not None else memory.last()
        self.pricing.on_revised(old, new, memory.last_print())
