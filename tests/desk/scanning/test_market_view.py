import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from market_rows import NAN, T0, BlockRow, BlockRows, quote

from desk.bars.reference_price import Pricing
from desk.model.block_checks import rejection_causes
from desk.model.blocks import TRADE
from desk.model.ticks import Quote, Trade
from desk.model.units import MINUTE_NS, MS_NS, SECOND_NS
from desk.scanning.market_view import BOTH, SNAPSHOT_MINUTES, MarketView

M0 = T0 - T0 % MINUTE_NS + MINUTE_NS
START_MS = (M0 - T0) / MS_NS
MINUTE_MS = 60_000


def at(ms: float) -> float:
    """Milliseconds after the first whole minute."""
    return START_MS + ms


def test_a_snapshot_shows_what_was_received_before_it_to_the_row() -> None:
    lines = [
        BlockRow(at(0), price=10.0),
        BlockRow(at(999), "BBB", price=5.0),
        BlockRow(at(1_000), price=12.0),
        quote(at(1_100)),
    ]
    view = MarketView(BlockRows(lines, 2), M0)

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
    lines = [BlockRow(at(-30_000), price=9.0), BlockRow(at(-20_000), "BBB", price=4.0), BlockRow(at(5), price=10.0)]
    view = MarketView(BlockRows(lines), M0)

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
    lines = [BlockRow(at(0), "BBB", price=NAN), BlockRow(at(100), "CCC"), quote(at(1_100), "BBB"), BlockRow(at(2_100))]
    view = MarketView(BlockRows(lines), M0)

    symbols = []
    for second in range(4):
        view.advance(M0 + second * SECOND_NS)
        symbols.append(view.snapshot().symbols)

    assert symbols == [(), ("CCC",), ("BBB", "CCC"), ("AAA", "BBB", "CCC")]


def test_before_the_first_trade_there_are_no_prices() -> None:
    view = MarketView(BlockRows([quote(at(-1)), BlockRow(at(5_000))]), M0)

    view.advance(M0)
    seen = view.snapshot()

    assert np.isnan([seen.price[0], seen.open[0], seen.high[0], seen.low[0], seen.minute_close[0, 0]]).all()
    assert (seen.volume[0], seen.trades[0], seen.minute_volume.tolist()) == (0.0, 0, [[0.0]])


def test_the_price_is_held_within_the_quotes_of_the_plans_channels() -> None:
    lines = [BlockRow(at(0), price=60.0), quote(at(1), bid=99.0, ask=101.0), quote(at(2), "BBB", bid=10.0, ask=10.5)]
    prices = {}
    for channels in (BOTH, frozenset({"trades"}), frozenset({"quotes"})):
        view = MarketView(BlockRows(lines), M0, channels=channels)
        view.advance(M0 + SECOND_NS)
        prices[channels] = view.snapshot().price.tolist()

    assert prices[BOTH] == [99.0, 10.25]
    assert prices[frozenset({"trades"})] == [60.0]  # BBB has no row that this desk takes
    assert prices[frozenset({"quotes"})] == [100.0, 10.25]


def test_minutes_end_with_the_open_one_and_reach_back_an_hour() -> None:
    lines = [BlockRow(at(minute * MINUTE_MS), price=1.0 + minute) for minute in range(90) if minute != 80]
    view = MarketView(BlockRows(lines, 7), M0)

    view.advance(M0 + 89 * MINUTE_NS + 1)
    seen = view.snapshot()

    assert seen.minute_volume.shape == seen.minute_close.shape == (SNAPSHOT_MINUTES, 1)
    expected = [1.0 + minute for minute in range(30, 90)]
    expected[50] = NAN
    np.testing.assert_array_equal(seen.minute_close[:, 0], expected)
    assert seen.minute_volume[50, 0] == 0.0


def test_bars_may_look_further_than_the_snapshot_taken_before() -> None:
    view = MarketView(BlockRows([BlockRow(at(0)), BlockRow(at(1_500), price=11.0)]), M0)
    view.advance(M0 + SECOND_NS)
    seen = view.snapshot()

    bars = view.bars(["AAA", "XXX"], M0 + 2 * SECOND_NS)

    assert bars["AAA"][0].close == 11.0
    assert bars["XXX"] == []
    assert (seen.price[0], seen.volume[0]) == (10.0, 100.0)


def test_a_view_does_not_go_back() -> None:
    view = MarketView(BlockRows([BlockRow(at(0))]), M0)
    view.advance(M0 + SECOND_NS)

    with pytest.raises(ValueError, match="does not go back"):
        view.bars(["AAA"], M0)


def test_malformed_rows_are_passed_over() -> None:
    lines = [
        BlockRow(at(0), price=NAN),
        BlockRow(at(1), symbol=None),
        BlockRow(at(2), kind="other"),
        BlockRow(at(3), size=7.0),
    ]
    view = MarketView(BlockRows(lines), M0)

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
        BlockRow(at(at_ms), "AAA" if index % 2 else "BBB", price=1.0 + index, lag_ms=lag_ms)
        for index, (at_ms, lag_ms) in enumerate(sorted(rows))
    ]
    end_ns = M0 + 4 * MINUTE_NS
    whole, parts = MarketView(BlockRows(lines), M0), MarketView(BlockRows(lines, rows_per_block), M0)
    for stop_ms in sorted(stops_ms):
        parts.advance(M0 + stop_ms * MS_NS)

    assert parts.bars(["AAA", "BBB"], end_ns) == whole.bars(["AAA", "BBB"], end_ns)
    for one, other in zip(vars_of(parts), vars_of(whole), strict=True):
        np.testing.assert_array_equal(one, other)


values = st.sampled_from([0.0, 9.0, 9.5, 10.0, 10.5, 11.0, 100.0])
times_ms = st.tuples(st.integers(0, 5_000), st.sampled_from([0, 0, 10, 3_000, 60_000]))
symbols = st.sampled_from(["AAA", "BBB"])
some_sizes = st.sampled_from([0.0, 100.0])
printed = st.tuples(times_ms, symbols, values, some_sizes, st.sampled_from(["", "@", "I", "W", "M", "Z", None]))
quoted = st.tuples(times_ms, symbols, values, some_sizes, values, some_sizes)


def line_of(row: tuple[object, ...]) -> BlockRow:
    (at_ms, lag_ms), symbol, *rest = row
    if len(rest) == 3:
        price, size, conditions = rest
        return BlockRow(at(at_ms), symbol, price=price, size=size, lag_ms=lag_ms, conditions=conditions)
    bid, bid_size, ask, ask_size = rest
    return quote(at(at_ms), symbol, bid, ask, bid_size=bid_size, ask_size=ask_size, lag_ms=lag_ms)


def prices_of_a_shard(lines: list[BlockRow], source: BlockRows, channels: frozenset[str]) -> dict[str, float]:
    """What a shard makes of the rows that the desk does not reject."""
    pricings = {name: Pricing() for name in source.symbols}
    (block,) = source.blocks()
    for ordinal, (line, cause) in enumerate(zip(lines, rejection_causes(block), strict=True)):
        pricing = pricings[str(line.symbol)]
        ts_ns = int(block.ts_ns[ordinal])
        if cause or ("trades" if block.kind[ordinal] == TRADE else "quotes") not in channels:
            continue
        if block.kind[ordinal] == TRADE:
            pricing.on_trade(Trade(ordinal, "", ts_ns, 0, line.price, line.size, line.conditions or ""))
        else:
            pricing.on_quote(Quote(ordinal, "", ts_ns, 0, line.bid, line.bid_size, line.ask, line.ask_size))
    return {name: NAN if pricing.price is None else pricing.price for name, pricing in pricings.items()}


@given(
    st.lists(printed | quoted, min_size=1, max_size=40),
    st.integers(1, 40),
    st.lists(st.integers(0, 5_000), max_size=4),
    st.sampled_from([BOTH, frozenset({"trades"}), frozenset({"quotes"})]),
)
def test_scanners_see_the_prices_that_the_shards_have(
    rows: list[tuple[object, ...]], rows_per_block: int, stops_ms: list[int], channels: frozenset[str]
) -> None:
    lines = sorted(map(line_of, rows), key=lambda line: line.at_ms)
    view = MarketView(BlockRows(lines, rows_per_block), M0, channels=channels)

    for stop_ms in sorted(stops_ms):
        view.advance(M0 + stop_ms * MS_NS)
    view.advance(M0 + MINUTE_NS)

    expected = prices_of_a_shard(lines, BlockRows(lines), channels)
    market = view.snapshot()
    np.testing.assert_array_equal(market.price, [expected[name] for name in market.symbols])
    assert all(np.isnan(price) for name, price in expected.items() if name not in market.symbols)


def vars_of(view: MarketView) -> list[object]:
    seen = view.snapshot()
    return [getattr(seen, name) for name in seen.__struct_fields__]
