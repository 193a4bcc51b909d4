"""Hand-made markets for scanners."""

from collections.abc import Sequence

import numpy as np
from hypothesis import strategies as st

from desk.scanner import MarketSnapshot

NAN = float("nan")


def market(
    symbols: Sequence[str],
    price: Sequence[float],
    opened: Sequence[float] | None = None,
    minute_volume: Sequence[Sequence[float]] = (),
) -> MarketSnapshot:
    """`minute_volume`: rows are minutes, oldest first, the last still open; columns are symbols."""
    prices = np.array(price, dtype=np.float64)
    volume = np.array(minute_volume, dtype=np.float64).reshape(len(minute_volume), len(symbols))
    has_traded = ~np.isnan(prices)
    return MarketSnapshot(
        now_ns=0,
        symbols=tuple(symbols),
        price=prices,
        open=prices.copy() if opened is None else np.array(opened, dtype=np.float64),
        high=prices,
        low=prices,
        volume=volume.sum(axis=0),
        trades=has_traded.astype(np.int64),
        minute_volume=volume,
        minute_close=np.broadcast_to(prices, volume.shape),
    )


PRICES = st.one_of(st.just(NAN), st.floats(0.01, 10_000.0))


@st.composite
def markets(draw: st.DrawFn) -> MarketSnapshot:
    """Any market of a few symbols, some of which have not traded."""
    symbols = draw(st.lists(st.sampled_from("ABCDEFGH"), unique=True, max_size=8))
    count = len(symbols)
    price = draw(st.lists(PRICES, min_size=count, max_size=count))
    opened = [NAN if np.isnan(each) else draw(st.floats(0.01, 10_000.0)) for each in price]
    row = st.lists(st.sampled_from([0.0, 1.0, 100.0, 5_000.0]), min_size=count, max_size=count)
    return market(symbols, price, opened, draw(st.lists(row, max_size=12)))
