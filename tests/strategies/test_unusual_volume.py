import numpy as np
from hypothesis import given
from market_snapshots import NAN, backwards, market, markets

from desk.loading import load_scanner
from desk.scanner import MarketSnapshot
from strategies.scanners.unusual_volume import UnusualVolume

OPEN_MINUTE = [1e9, 1e9, 1e9]


def scan(snapshot: MarketSnapshot, **params: float) -> list[str]:
    return UnusualVolume(UnusualVolume.Params(**params)).scan(snapshot)


def test_symbols_that_trade_far_more_than_before_are_wanted_most_unusual_first() -> None:
    minutes = [[10.0, 10.0, 10.0]] * 6 + [[30.0, 20.0, 90.0]] * 3
    snapshot = market(["AAA", "BBB", "CCC"], [10.0, 10.0, 10.0], minute_volume=[*minutes, OPEN_MINUTE])

    assert scan(snapshot) == ["CCC", "AAA"]


def test_the_minute_still_open_does_not_count() -> None:
    snapshot = market(["AAA", "BBB", "CCC"], [10.0] * 3, minute_volume=[[10.0] * 3] * 5 + [OPEN_MINUTE])

    assert scan(snapshot) == []


def test_with_less_than_two_complete_minutes_there_is_nothing_to_compare() -> None:
    for count in range(3):
        snapshot = market(["AAA", "BBB", "CCC"], [10.0] * 3, minute_volume=[OPEN_MINUTE] * count)

        assert scan(snapshot) == []


def test_in_the_first_minutes_the_last_is_compared_with_the_one_before() -> None:
    snapshot = market(["AAA", "BBB"], [10.0, 10.0], minute_volume=[[10.0, 10.0], [40.0, 20.0], [0.0, 0.0]])

    assert scan(snapshot) == ["AAA"]


def test_symbols_without_earlier_volume_without_price_or_too_cheap_are_left_out() -> None:
    minutes = [[0.0, 10.0, 10.0, 10.0], [90.0, 90.0, 90.0, 90.0], [0.0] * 4]
    snapshot = market(["NEW", "NAN", "LOW", "FIT"], [10.0, NAN, 4.99, 5.0], minute_volume=minutes)

    assert scan(snapshot) == ["FIT"]


def test_minutes_of_unknown_volume_are_left_out() -> None:
    minutes = [[10.0, NAN, NAN, NAN], [NAN, 10.0, NAN, NAN], [10.0, 10.0, NAN, 10.0]]
    minutes += [[NAN, NAN, 90.0, NAN], [40.0, 20.0, 90.0, NAN], [NAN, 40.0, NAN, NAN], [NAN] * 4]
    snapshot = market(["AAA", "BBB", "CCC", "DDD"], [10.0] * 4, minute_volume=minutes)

    assert scan(snapshot) == ["AAA", "BBB"]


def test_equals_stand_in_the_order_of_their_symbols() -> None:
    snapshot = market(["B", "C", "A"], [10.0] * 3, minute_volume=[[10.0] * 3, [40.0] * 3, [0.0] * 3])

    assert scan(snapshot) == ["A", "B", "C"]


@given(markets())
def test_it_wants_known_traded_symbols_once_whatever_their_order(snapshot: MarketSnapshot) -> None:
    wanted = scan(snapshot, min_price=1.0, ratio=1.0)

    prices = dict(zip(snapshot.symbols, snapshot.price.tolist(), strict=True))
    assert len(set(wanted)) == len(wanted)
    assert all(not np.isnan(prices[symbol]) for symbol in wanted)
    assert scan(backwards(snapshot), min_price=1.0, ratio=1.0) == wanted


def test_it_loads_from_a_plan() -> None:
    factory = load_scanner("strategies.scanners.unusual_volume:UnusualVolume", {"min_price": 5}, "plan.toml")

    assert factory.create().params == UnusualVolume.Params(min_price=5.0)
