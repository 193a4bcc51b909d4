import numpy as np
from hypothesis import given
from market_snapshots import NAN, backwards, market, markets

from desk.loading import load_scanner
from desk.scanner import MarketSnapshot
from strategies.scanners.top_movers import TopMovers


def scan(snapshot: MarketSnapshot, **params: float) -> list[str]:
    return TopMovers(TopMovers.Params(**params)).scan(snapshot)


def test_what_moved_furthest_up_or_down_comes_first() -> None:
    snapshot = market(["UP", "DOWN", "STILL"], [102.0, 95.0, 100.5], [100.0, 100.0, 100.0])

    assert scan(snapshot) == ["DOWN", "UP"]


def test_symbols_that_never_traded_or_are_too_cheap_are_left_out() -> None:
    snapshot = market(["NAN", "ZERO", "LOW", "FIT"], [NAN, 10.0, 4.0, 6.0], [NAN, 0.0, 3.0, 5.0])

    assert scan(snapshot) == ["FIT"]


def test_equals_stand_in_the_order_of_their_symbols() -> None:
    snapshot = market(["B", "C", "A"], [20.0, 30.0, 20.0], [10.0, 10.0, 10.0])

    assert scan(snapshot) == ["C", "A", "B"]


@given(markets())
def test_it_wants_known_traded_symbols_once_by_falling_change(snapshot: MarketSnapshot) -> None:
    wanted = scan(snapshot, min_price=1.0, min_change=0.0)

    prices = dict(zip(snapshot.symbols, snapshot.price.tolist(), strict=True))
    opened = dict(zip(snapshot.symbols, snapshot.open.tolist(), strict=True))
    changes = [abs(prices[symbol] / opened[symbol] - 1) for symbol in wanted]
    assert set(wanted) == {symbol for symbol, price in prices.items() if not np.isnan(price) and price >= 1.0}
    assert len(wanted) <= len(snapshot.symbols)
    assert changes == sorted(changes, reverse=True)
    assert scan(backwards(snapshot), min_price=1.0, min_change=0.0) == wanted


def test_it_loads_from_a_plan() -> None:
    factory = load_scanner("strategies.scanners.top_movers:TopMovers", {}, "plan.toml")

    assert factory.create().params == TopMovers.Params()
