"""Bars as columns, folded and gathered, against a plain loop."""

from collections import defaultdict

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from desk.local_venue.rest.folded_bars import FoldedBars, fold_trades

TRADES = st.lists(
    st.tuples(st.integers(0, 5), st.integers(1, 20), st.integers(1, 9), st.booleans(), st.booleans()), max_size=30
)


@given(TRADES)
def test_a_fold_and_a_gathering_equal_a_loop(trades: list[tuple[int, int, int, bool, bool]]) -> None:
    trades = sorted(trades, key=lambda trade: trade[0])
    columns = [np.array(column) for column in zip(*trades, strict=True)] or [np.zeros(0, np.int64)] * 5
    start, price, size = columns[0].astype(np.int64), columns[1].astype(float), columns[2].astype(float)
    bars = fold_trades(start, price, size, columns[3].astype(bool), columns[4].astype(bool))

    for width, got in ((1, bars), (2, bars.gathered(bars.start_ns // 2 * 2))):
        groups = defaultdict(list)
        for trade in trades:
            groups[trade[0] // width * width].append(trade)
        assert got.start_ns.tolist() == sorted(groups)
        for number, start_at in enumerate(got.start_ns.tolist()):
            group = groups[start_at]
            ends = [trade[1] for trade in group if trade[4]]
            assert got.volume[number] == sum(trade[2] for trade in group)
            assert got.notional[number] == sum(trade[1] * trade[2] for trade in group)
            assert got.trades[number] == len(group)
            assert got.high[number] == max([trade[1] for trade in group if trade[3]], default=-np.inf)
            assert got.low[number] == min([trade[1] for trade in group if trade[3]], default=np.inf)
            assert bool(got.priced[number]) == bool(ends)
            if ends:
                assert (got.open[number], got.close[number]) == (ends[0], ends[-1])


def test_no_bars_gather_to_no_bars() -> None:
    none = FoldedBars.empty()

    assert len(none.gathered(none.start_ns)) == 0
    assert len(FoldedBars.joined((none, none))) == 0
