"""Runs of symbols, compared with plain loops over symbols."""

from itertools import accumulate, groupby

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from desk.feeds.synthetic.symbol_runs import SymbolRuns

events = st.lists(st.tuples(st.integers(0, 5), st.integers(-1_000, 1_000)), max_size=60).map(
    lambda rows: sorted(rows, key=lambda row: row[0])
)
Events = list[tuple[int, int]]


def by_symbol(rows: Events) -> list[list[int]]:
    return [[value for _, value in group] for _, group in groupby(rows, key=lambda row: row[0])]


def runs_of(rows: Events) -> tuple[SymbolRuns, np.ndarray]:
    symbol = np.array([symbol for symbol, _ in rows], np.int32)
    return SymbolRuns.of(symbol), np.array([value for _, value in rows], np.int64)


@given(rows=events)
def test_heads_and_tails_enclose_each_symbol(rows: Events) -> None:
    runs, values = runs_of(rows)

    pieces = [values[head : tail + 1].tolist() for head, tail in zip(runs.heads, runs.tails, strict=True)]

    assert pieces == by_symbol(rows)
    assert runs.symbols.tolist() == sorted({symbol for symbol, _ in rows})
    assert [rows[head][0] for head in runs.head_of_each()] == [symbol for symbol, _ in rows]


@given(rows=events)
def test_running_sums_and_maxima_begin_anew_with_each_symbol(rows: Events) -> None:
    runs, values = runs_of(rows)

    sums = [total for piece in by_symbol(rows) for total in accumulate(piece)]
    highs = [high for piece in by_symbol(rows) for high in accumulate(piece, max)]

    np.testing.assert_allclose(runs.cumulate(values.astype(np.float64)), sums, atol=1e-6)
    assert runs.running_max(values).tolist() == highs


@given(rows=events)
def test_strictly_rising_moves_each_value_no_further_than_it_must(rows: Events) -> None:
    runs, values = runs_of(rows)

    expected = []
    for piece in by_symbol(rows):
        expected.extend(accumulate(piece, lambda last, value: max(last + 1, value)))

    assert runs.strictly_rising(values).tolist() == expected
