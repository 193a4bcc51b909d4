"""Minute bars by the book: filter, sort, sum over the trades of each minute."""

from collections.abc import Iterable

from desk.bars.conditions import eligibility
from desk.model.bars import Bar, BarFlag
from desk.model.ticks import Trade
from desk.model.units import MINUTE_NS


def naive_bar(trades: Iterable[Trade], minute_ns: int, flags: BarFlag = "complete") -> Bar:
    """The bar of one minute from all trades, given in the order in which they were applied."""
    here = [trade for trade in trades if minute_ns <= trade.ts_ns < minute_ns + MINUTE_NS]
    counted = [trade for trade in here if eligibility(trade.conditions).volume]
    ranged = [trade.price for trade in here if eligibility(trade.conditions).high_low]
    sets = [(trade.ts_ns, trade.ordinal, trade.price) for trade in here if eligibility(trade.conditions).open_close]
    bar = Bar("SPY", minute_ns, high=max(ranged, default=float("-inf")), low=min(ranged, default=float("inf")))
    bar.volume = sum(trade.size for trade in counted)
    bar.notional = sum(trade.price * trade.size for trade in counted)
    bar.trades = len(counted)
    bar.flags = flags
    if sets:
        bar.open_ns, bar.open_ordinal, bar.open = min(sets)
        bar.close_ns, bar.close_ordinal, bar.close = max(sets)
    return bar


def minutes_of(trades: Iterable[Trade]) -> list[int]:
    """The starts of the minutes in which a trade counts for anything, oldest first."""
    return sorted(
        {trade.ts_ns // MINUTE_NS * MINUTE_NS for trade in trades if eligibility(trade.conditions) != (False,) * 3}
    )
