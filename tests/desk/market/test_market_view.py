import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from market_rows import NAN, T0, Line, Lines, quote

from desk.market.view import SNAPSHOT_MINUTES, MarketView
from desk.model.units import MINUTE_NS, MS_NS, SECOND_NS

M0 = T0 - T0 % MINUTE_NS + MINUTE_NS
START_MS = (M0 - T0) / MS_NS
MINUTE_MS = 60_000


def at(ms: float) -> float:
    """Milliseconds after the first whole minute."""
    return START_MS + ms


def test_a_snapshot_shows_what_was_received_before_it_to_the_row() -> None:
    lines = [Line(at(0), price=10.0), Line(at(999), "BBB", price=5.0), Line(at(1_000), price=12.0), quote(at(1_100))]
    view = MarketView(Lines(lines, 2), M0)

    view.advance(M0 + SECOND_NS)
    first = view.snapshot()
    view.advance(M0 + 2 * SECOND_NS)
    second = view.snapshot()

    assert first.symbols == ("AAA", "BBB")
    assert first.now_ns == M0 + SECOND_NS
    assert (first.price.tolist(), first.trades.tolist()) == ([10.0, 5.0], [1, 1])
    assert (second.price.tolist(), second.trades.tolist()) == ([12.0, 5.0], [2, 1])
    assert second.open.tolist() == [10.0, 5.0]
    assert second.high.tolist() == [12.0, 5.0]
    assert second.low.tolist() == [10.0, 5.0]
    assert second.volume.tolist() == [200.0, 100.0]
    assert second.minute_volume.tolist() == [[200.0, 100.0]]
    assert second.minute_close.tolist() == [[12.0, 5.0]]


def test_trades_before_the_session_count_as_price_and_minutes_only() -> None:
    lines = [Line(at(-30_000), price=9.0), Line(at(-20_000), "BBB", price=4.0), Line(at(5), price=10.0)]
    view = MarketView(Lines(lines), M0)

    view.advance(M0 + SECOND_NS)
    seen = view.snapshot()
    bars = view.bars(["AAA", "BBB"], M0 + SECOND_NS)

    assert seen.price.tolist() == [10.0, 4.0]
    assert seen.open[0] == 10.0
    assert np.isnan([seen.open[1], seen.high[1], seen.low[1]]).all()
    assert seen.volume.tolist() == [100.0, 0.0]
    assert seen.trades.tolist() == [1, 0]
    assert seen.minute_volume.tolist() == [[100.0, 0.0]]
    assert [(bar.minute_ns, bar.close, bar.flags) for bar in bars["AAA"]] == [
        (M0 - MINUTE_NS, 9.0, "repaired"),
        (M0, 10.0, "repaired"),
    ]
    assert [bar.minute_ns for bar in bars["BBB"]] == [M0 - MINUTE_NS]


def test_a_symbol_is_unknown_before_its_first_sound_row_of_any_kind() -> None:
    lines = [Line(at(0), "BBB", price=NAN), Line(at(100), "CCC"), quote(at(1_100), "BBB"), Line(at(2_100))]
    view = MarketView(Lines(lines), M0)

    symbols = []
    for second in range(4):
        view.advance(M0 + second * SECOND_NS)
        symbols.append(view.snapshot().symbols)

    assert symbols == [(), ("CCC",), ("BBB", "CCC"), ("AAA", "BBB", "CCC")]


def test_before_the_first_trade_there_are_no_prices() -> None:
    view = MarketView(Lines([quote(at(-1)), Line(at(5_000))]), M0)

    view.advance(M0)
    seen = view.snapshot()

    assert np.isnan([seen.price[0], seen.open[0], seen.high[0], seen.low[0], seen.minute_close[0, 0]]).all()
    assert (seen.volume[0], seen.trades[0], seen.minute_volume.tolist()) == (0.0, 0, [[0.0]])


def test_minutes_end_with_the_open_one_and_reach_back_an_hour() -> None:
    lines = [Line(at(minute * MINUTE_MS), price=1.0 + minute) for minute in range(90) if minute != 80]
    view = MarketView(Lines(lines, 7), M0)

    view.advance(M0 + 89 * MINUTE_NS + 1)
    seen = view.snapshot()

    assert seen.minute_volume.shape == seen.minute_close.shape == (SNAPSHOT_MINUTES, 1)
    expected = [1.0 + minute for minute in range(30, 90)]
    expected[50] = NAN
    np.testing.assert_array_equal(seen.minute_close[:, 0], expected)
    assert seen.minute_volume[50, 0] == 0.0


def test_bars_may_look_further_than_the_snapshot_taken_before() -> None:
    view = MarketView(Lines([Line(at(0)), Line(at(1_500), price=11.0)]), M0)
    view.advance(M0 + SECOND_NS)
    seen = view.snapshot()

    bars = view.bars(["AAA", "XXX"], M0 + 2 * SECOND_NS)

    assert bars["AAA"][0].close == 11.0
    assert bars["XXX"] == []
    assert (seen.price[0], seen.volume[0]) == (10.0, 100.0)


def test_a_view_does_not_go_back() -> None:
    view = MarketView(Lines([Line(at(0))]), M0)
    view.advance(M0 + SECOND_NS)

    with pytest.raises(ValueError, match="does not go back"):
        view.bars(["AAA"], M0)


def test_malformed_rows_are_passed_over() -> None:
    lines = [Line(at(0), price=NAN), Line(at(1), symbol=None), Line(at(2), kind="other"), Line(at(3), size=7.0)]
    view = MarketView(Lines(lines), M0)

    view.advance(M0 + SECOND_NS)

    assert view.snapshot().volume.tolist() == [7.0]


@given(
    st.lists(st.tuples(st.integers(0, 200_000), st.integers(0, 90_000)), min_size=1, max_size=50),
    st.integers(1, 50),
    st.lists(st.integers(0, 200_000)),
)
def test_stops_on_the_way_and_block_cuts_change_nothing(
    rows: list[tuple[int, int]], rows_per_block: int, stops_ms: list[int]
) -> None:
    lines = [
        Line(at(at_ms), "AAA" if index % 2 else "BBB", price=1.0 + index, lag_ms=lag_ms)
        for index, (at_ms, lag_ms) in enumerate(sorted(rows))
    ]
    end_ns = M0 + 4 * MINUTE_NS
    whole, parts = MarketView(Lines(lines), M0), MarketView(Lines(lines, rows_per_block), M0)
    for stop_ms in sorted(stops_ms):
        parts.advance(M0 + stop_ms * MS_NS)

    assert parts.bars(["AAA", "BBB"], end_ns) == whole.bars(["AAA", "BBB"], end_ns)
    for one, other in zip(vars_of(parts), vars_of(whole), strict=True):
        np.testing.assert_array_equal(one, other)


def vars_of(view: MarketView) -> list[object]:
    seen = view.snapshot()
    return [getattr(seen, name) for name in seen.__struct_fields__]
