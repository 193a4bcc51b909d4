from collections import defaultdict
from itertools import pairwise
from typing import NamedTuple

import msgspec
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from desk.bars.columns import MinuteColumns, TradeColumns, allowance
from desk.bars.sale_conditions import eligibility
from desk.model.bars import WorkingBar
from desk.model.units import MINUTE_NS, SECOND_NS

SYMBOLS = ("AAA", "BBB", "CCC")
CODES = ("", "I", "Z", "M", "FT")


class Print(NamedTuple):
    symbol: int
    ts_ns: int
    price: float
    size: float
    code: int


prints = st.lists(
    st.builds(
        Print,
        symbol=st.integers(0, len(SYMBOLS) - 1),
        ts_ns=st.integers(0, 18).map(lambda ten: 10 * SECOND_NS * ten),
        price=st.integers(1, 2_000).map(lambda cents: cents / 100),
        size=st.integers(0, 500).map(lambda tenths: tenths / 10),
        code=st.integers(-1, len(CODES) - 1),
    ),
    max_size=60,
)


def naive(trades: list[Print]) -> dict[tuple[str, int], WorkingBar]:
    minutes: dict[tuple[str, int], list[tuple[int, Print]]] = defaultdict(list)
    for ordinal, trade in enumerate(trades):
        minutes[SYMBOLS[trade.symbol], trade.ts_ns // MINUTE_NS * MINUTE_NS].append((ordinal, trade))
    bars = {}
    for (symbol, minute_ns), of_minute in minutes.items():
        bar = bars[symbol, minute_ns] = WorkingBar(symbol, minute_ns, flags="repaired")
        sets = []
        for ordinal, trade in of_minute:
            volume, high_low, open_close = eligibility(CODES[trade.code] if trade.code >= 0 else "")
            if volume:
                bar.volume, bar.trades = bar.volume + trade.size, bar.trades + 1
                bar.notional += trade.price * trade.size
            if high_low:
                bar.high, bar.low = max(bar.high, trade.price), min(bar.low, trade.price)
            if open_close:
                sets.append((trade.ts_ns, ordinal, trade.price))
        if sets:
            bar.open_ns, bar.open_ordinal, bar.open = min(sets)
            bar.close_ns, bar.close_ordinal, bar.close = max(sets)
    return bars


def fold(into: MinuteColumns, trades: list[Print], first_ordinal: int) -> None:
    into.fold(
        np.array([trade.symbol for trade in trades], np.int32),
        TradeColumns(
            np.array([trade.ts_ns for trade in trades], np.int64),
            np.arange(first_ordinal, first_ordinal + len(trades)),
            np.array([trade.price for trade in trades]),
            np.array([trade.size for trade in trades]),
            allowance(np.array([trade.code for trade in trades], np.int32), CODES),
        ),
    )


def bars_of(columns: MinuteColumns) -> list[bytes]:
    """Encoded, because NaN is not equal to itself."""
    return [
        msgspec.msgpack.encode(bar)
        for number, name in enumerate(SYMBOLS)
        for bar in columns.of(number, name, "repaired")
    ]


@given(prints, st.lists(st.integers(0, 60)))
def test_any_blocks_of_any_trades_give_the_bars_of_a_naive_oracle(trades: list[Print], cuts: list[int]) -> None:
    edges = sorted({0, len(trades), *(cut for cut in cuts if cut < len(trades))})

    columns = MinuteColumns(len(SYMBOLS))
    for first, last in pairwise(edges):
        fold(columns, trades[first:last], first)

    # A minute in which nothing counted has no bar.
    bars = [bar for _, bar in sorted(naive(trades).items(), key=lambda pair: pair[0]) if bar.trades]
    expected = [msgspec.msgpack.encode(bar) for bar in bars]
    assert bars_of(columns) == expected


def test_many_symbols_and_minutes_outgrow_the_first_rows() -> None:
    columns = MinuteColumns(700)

    for minute in range(5):
        fold(columns, [Print(symbol, minute * MINUTE_NS, 1.0 + symbol, 2.0, 0) for symbol in range(700)], 700 * minute)

    bars = columns.of(699, "LAST", "complete")
    assert [(bar.minute_ns, bar.open, bar.volume, bar.flags) for bar in bars] == [
        (minute * MINUTE_NS, 700.0, 2.0, "complete") for minute in range(5)
    ]
    assert columns.of(5, "FIVE", "complete")[4].close_ordinal == 4 * 700 + 5


def test_minutes_in_which_nothing_traded_have_no_rows() -> None:
    columns = MinuteColumns(2)
    fold(columns, [Print(1, 90 * SECOND_NS, 5.0, 1.0, 0)], 0)

    assert columns.rows(0) is None
    rows = columns.rows(MINUTE_NS)
    assert rows is not None
    assert rows.tolist() == [-1, 0]
    assert columns.of(0, "NONE", "repaired") == []
