"""Minute bars by definition, as the oracle: filter, sort and sum the trades of each minute."""

from collections.abc import Iterable

from desk.bars.sale_conditions import eligibility
from desk.model.bars import NO_TIME, Bar, BarFlag
from desk.model.ticks import Trade
from desk.model.units import MINUTE_NS


def naive_bar(trades: Iterable[Trade], minute_ns: int, flags: BarFlag = "complete") -> Bar:
    """The bar of one minute from all trades, given in the order in which they were applied."""
    here = [trade for trade in trades if minute_ns <= trade.ts_ns < minute_ns + MINUTE_NS]
    counted = [trade for trade in here if eligibility(trade.conditions).volume]
    ranged = [trade.price for trade in here if eligibility(trade.conditions).high_low]
    sets = [(trade.ts_ns, trade.ordinal, trade.price) for trade in here if eligibility(trade.conditions).open_close]
    open_ns, open_ordinal, opened = min(sets, default=(NO_TIME, 0, float("nan")))
    close_ns, close_ordinal, closed = max(sets, default=(NO_TIME, 0, float("nan")))
    return Bar(
        "SPY",
        minute_ns,
        open=opened,
        high=max(ranged, default=float("-inf")),
        low=min(ranged, default=float("inf")),
        close=closed,
        volume=sum(trade.size for trade in counted),
        notional=sum(trade.price * trade.size for trade in counted),
        trades=len(counted),
        open_ns=open_ns,
        open_ordinal=open_ordinal,
        close_ns=close_ns,
        close_ordinal=close_ordinal,
        flags=flags,
    )


def minutes_of(trades: Iterable[Trade]) -> list[int]:
    """The starts of the minutes in which a trade counts for anything, oldest first."""
    return sorted(
        {trade.ts_ns // MINUTE_NS * MINUTE_NS for trade in trades if eligibility(trade.conditions) != (False,) * 3}
    )
