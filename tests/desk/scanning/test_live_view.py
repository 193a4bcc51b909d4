import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from desk.model.live_symbol import LiveSymbol, SnapshotBar
from desk.model.units import DAY_NS, MINUTE_NS, SECOND_NS
from desk.scanner import MarketSnapshot
from desk.scanning.live_view import LiveMarketView
from desk.scanning.market_view import SNAPSHOT_MINUTES

DAY_NS_OF = 1_767_589_200 * SECOND_NS
START_NS = DAY_NS_OF + 34_200 * SECOND_NS  # 09:30
NAN = float("nan")


def minute(number: float) -> int:
    return START_NS + round(number * MINUTE_NS)


def bar(start_ns: int, volume: float = 100.0, close: float = 11.0) -> SnapshotBar:
    return SnapshotBar(start_ns, 10.0, 12.0, 9.0, close, volume, 7)


def snap(symbol: str, now_ns: int, **more: object) -> LiveSymbol:
    fields = {"price": 10.5, "price_ns": now_ns, "bid": 10.0, "bid_size": 1.0, "ask": 11.0, "ask_size": 1.0}
    return LiveSymbol(symbol, **(fields | {"quote_ns": now_ns, "day": bar(DAY_NS_OF)} | more))  # type: ignore[arg-type]


def seen(*reads: tuple[int, list[LiveSymbol]], start_ns: int = START_NS) -> MarketSnapshot:
    view = LiveMarketView(start_ns, DAY_NS_OF)
    for now_ns, snapshots in reads:
        view.take(now_ns, snapshots)
    return view.snapshot()


def column(market: MarketSnapshot, symbol: str) -> list[float]:
    found: list[float] = market.minute_volume[:, market.symbols.index(symbol)].tolist()
    return found


def test_figures_of_the_day_are_those_of_the_venues_daily_bar() -> None:
    now_ns = minute(5)

    market = seen((now_ns, [snap("B", now_ns), snap("A", now_ns, price=9.0)]))

    assert (market.now_ns, market.symbols) == (now_ns, ("A", "B"))
    assert market.price.tolist() == [10.0, 10.5]  # held within the quote
    assert (market.open[1], market.high[1], market.low[1], market.volume[1]) == (10.0, 12.0, 9.0, 100.0)
    assert market.trades.tolist() == [7, 7]


def test_what_is_of_another_day_counts_as_nothing() -> None:
    now_ns, before_ns = minute(5), DAY_NS_OF - 5 * MINUTE_NS
    old = {"price_ns": before_ns, "minute": bar(before_ns), "day": bar(DAY_NS_OF - DAY_NS)}

    market = seen((now_ns, [snap("OLD", before_ns, **old), snap("QUOTED", now_ns, **old)]))

    assert market.symbols == ("QUOTED",)
    assert market.price.tolist() == [10.5]  # the middle of its quote
    assert np.isnan([market.open[0], market.high[0], market.low[0]]).all()
    assert (market.volume[0], market.trades[0]) == (0.0, 0)


def test_without_an_eligible_print_the_price_is_the_close_of_the_newest_bar() -> None:
    now_ns = minute(5)
    no_quote = {"price_ns": -1, "price": NAN, "bid_size": 0.0}

    market = seen(
        (now_ns, [snap("A", now_ns, **no_quote, minute=bar(minute(4), close=11.5)), snap("B", now_ns, **no_quote)])
    )

    assert market.price.tolist() == [11.5, 11.0]


@pytest.mark.parametrize("quote", [{"ask_size": 0.0}, {"bid": 12.0}, {"ask": 13.0}, {"quote_ns": DAY_NS_OF - 1}])
def test_a_quote_that_is_not_usable_has_no_effect(quote: dict[str, float]) -> None:
    now_ns = minute(5)

    assert seen((now_ns, [snap("A", now_ns, price=20.0, **quote)])).price.tolist() == [20.0]


def test_a_snapshot_tells_one_minute_and_that_later_ones_had_no_bar() -> None:
    now_ns = minute(5.5)

    market = seen((now_ns, [snap("A", now_ns, minute=bar(minute(2)))]))

    np.testing.assert_equal(column(market, "A"), [NAN, NAN, 100.0, 0.0, 0.0, NAN])
    np.testing.assert_equal(market.minute_close[:, 0].tolist(), [NAN, NAN, 11.0, NAN, NAN, NAN])


def test_minutes_of_earlier_snapshots_are_remembered_and_corrected() -> None:
    reads = [
        (minute(number + 1.2), [snap("A", minute(number), minute=bar(minute(number), number))]) for number in range(4)
    ]
    corrected = (minute(4.4), [snap("A", minute(4), minute=bar(minute(3), 33.0))])

    market = seen(*reads, corrected)

    np.testing.assert_equal(column(market, "A"), [0.0, 1.0, 2.0, 33.0, NAN])


def test_a_minute_that_has_just_ended_is_unknown_until_its_bar_may_be_expected() -> None:
    early = seen((minute(3.02), [snap("A", minute(3), minute=bar(minute(1)))]))
    later = seen((minute(3.2), [snap("A", minute(3), minute=bar(minute(1)))]))

    np.testing.assert_equal(column(early, "A"), [NAN, 100.0, NAN, NAN])
    np.testing.assert_equal(column(later, "A"), [NAN, 100.0, 0.0, NAN])


def test_of_a_symbol_without_any_bar_no_minute_is_known() -> None:
    np.testing.assert_equal(column(seen((minute(2.5), [snap("A", minute(2))])), "A"), [NAN] * 3)


def test_at_most_the_last_sixty_minutes_are_kept() -> None:
    market = seen(
        (minute(10.5), [snap("A", minute(10), minute=bar(minute(9), 9.0))]),
        (minute(65.5), [snap("A", minute(65), minute=bar(minute(64), 64.0)), snap("NEW", minute(65))]),
    )

    assert len(market.minute_volume) == SNAPSHOT_MINUTES
    expected = [NAN] * SNAPSHOT_MINUTES
    expected[9 - 6], expected[64 - 6] = 9.0, 64.0
    np.testing.assert_equal(column(market, "A"), expected)
    np.testing.assert_equal(column(market, "NEW"), [NAN] * SNAPSHOT_MINUTES)


@given(
    st.lists(
        st.tuples(st.integers(1, 50), st.lists(st.tuples(st.sampled_from("ABCD"), st.integers(-1, 40)), max_size=6)),
        max_size=12,
    )
)
def test_what_is_known_of_a_minute_is_what_the_venue_told(steps: list[tuple[int, list[tuple[str, int]]]]) -> None:
    view = LiveMarketView(START_NS, DAY_NS_OF)
    told: dict[tuple[str, int], float] = {}
    now_s = 0
    for wait_s, symbols in steps:
        now_s += wait_s * 7
        now_ns = START_NS + now_s * SECOND_NS
        bars = {symbol: now_s // 60 - 1 - ago for symbol, ago in dict(symbols).items()}
        view.take(now_ns, [snap(s, now_ns, minute=bar(minute(m), now_s + 1.0)) for s, m in bars.items()])
        told |= dict.fromkeys(bars.items(), now_s + 1.0)

        market = view.snapshot()

        assert market.symbols == tuple(sorted(bars))
        assert market.minute_volume.shape == (min(now_s // 60 + 1, 60), len(bars))
        first = now_s // 60 + 1 - len(market.minute_volume)
        for symbol in market.symbols:
            for number, volume in enumerate(column(market, symbol), first):
                assert np.isnan(volume) or volume == told.get((symbol, number), 0.0)
