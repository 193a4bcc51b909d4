import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from desk.bars.series import FIRST_ROWS, SeriesRows
from desk.model.bars import Bar
from desk.model.units import MINUTE_NS

NAMES = ("minute_ns", "open", "high", "low", "close", "volume", "vwap", "trades", "flags")
prices = st.floats(0.01, 1e6)
bars = st.builds(
    Bar,
    symbol=st.just("SPY"),
    minute_ns=st.integers(0, 200).map(lambda minute: minute * MINUTE_NS),
    open=prices,
    high=prices,
    low=prices,
    close=prices,
    volume=st.sampled_from((0.0, 1.0, 250.0)),
    notional=prices,
    trades=st.integers(0, 10**6),
    flags=st.sampled_from(("complete", "repaired", "partial")),
)


@given(st.lists(bars, max_size=150))
def test_the_series_holds_the_last_bar_put_of_every_minute_in_order(puts: list[Bar]) -> None:
    kept = SeriesRows()
    newest: dict[int, Bar] = {}

    for bar in puts:
        newest[bar.minute_ns] = bar
        kept.put(bar)

    rows = [newest[minute_ns] for minute_ns in sorted(newest)]
    assert len(kept.series) == len(rows)
    for name in NAMES:
        np.testing.assert_array_equal(getattr(kept.series, name), [getattr(bar, name) for bar in rows])


@given(st.lists(bars, max_size=40), bars)
def test_the_series_knows_which_bars_it_holds(puts: list[Bar], stranger: Bar) -> None:
    kept = SeriesRows()
    for bar in puts:
        kept.put(bar)

    newest = {bar.minute_ns: bar for bar in puts}
    assert all(kept.holds(bar) and kept.has(bar.minute_ns) for bar in newest.values())
    row = newest.get(stranger.minute_ns)
    assert kept.has(stranger.minute_ns) == (row is not None)
    assert kept.holds(stranger) == (row is not None and replace(row, flags=stranger.flags) == stranger)


@pytest.mark.parametrize("minutes", [FIRST_ROWS, FIRST_ROWS + 1, 4 * FIRST_ROWS + 1])
@pytest.mark.parametrize("step", [1, -1], ids=["in order", "each before the last"])
def test_the_series_grows_at_either_end(minutes: int, step: int) -> None:
    kept = SeriesRows()

    for minute in range(minutes)[::step]:
        kept.put(Bar("SPY", minute * MINUTE_NS, open=float(minute)))

    assert kept.series.open.tolist() == [float(minute) for minute in range(minutes)]


def test_the_views_are_read_only_and_of_equal_length() -> None:
    kept = SeriesRows()
    kept.put(Bar("SPY", 0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1))

    for name in NAMES:
        view = getattr(kept.series, name)
        assert len(view) == 1
        with pytest.raises(ValueError, match="read-only"):
            view[0] = 2
    assert kept.series.minute_ns.dtype == kept.series.trades.dtype == np.int64
    assert kept.series.vwap.dtype == np.float64


def test_a_revision_shows_in_the_next_view() -> None:
    kept = SeriesRows()
    kept.put(Bar("SPY", 0, close=1.0))
    kept.put(Bar("SPY", MINUTE_NS, close=2.0))

    kept.put(Bar("SPY", 0, close=3.0))

    assert kept.series.close.tolist() == [3.0, 2.0]
