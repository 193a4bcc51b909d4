"""The price walk at its bounds and over a whole day."""

from itertools import pairwise

import numpy as np
import pytest

from desk.feeds.synthetic.activity import Activity, Arrivals
from desk.feeds.synthetic.prices import PriceWalk
from desk.feeds.synthetic.symbol_runs import SymbolRuns
from desk.feeds.synthetic.universe import Universe
from desk.model.units import SECOND_NS


def arrivals_of_one(count: int, push: float) -> Arrivals:
    symbol = np.zeros(count, np.int32)
    return Arrivals(
        symbol=symbol,
        at_ns=np.arange(count) * 1_000,
        push=np.full(count, push),
        runs=SymbolRuns.of(symbol),
        activity=np.ones(1),
        drift=np.zeros(1),
        agitation=1.0,
    )


def test_no_price_falls_to_one_and_a_crashed_symbol_can_recover() -> None:
    rng = np.random.default_rng(1)
    walk = PriceWalk(Universe.draw(1, rng), quotes_per_trade=2.0)

    crash = walk.price(arrivals_of_one(500, push=-0.1), 0, rng)
    recovery = walk.price(arrivals_of_one(500, push=0.01), SECOND_NS, rng)

    assert crash.bid.min() == 101
    assert crash.trade.min() >= 101
    assert np.all(crash.ask > crash.bid)
    assert recovery.ask[-1] > 10_000


def test_the_prevailing_quote_is_carried_from_span_to_span() -> None:
    rng = np.random.default_rng(2)
    walk = PriceWalk(Universe.draw(1, rng), quotes_per_trade=0.01)

    spans = [walk.price(arrivals_of_one(3, push=0.0), number * SECOND_NS, rng) for number in range(20)]

    assert spans[0].is_quote[0]
    for before, after in pairwise(spans):
        if not after.is_quote[0]:
            assert (after.bid[0], after.ask[0]) == (before.bid[-1], before.ask[-1])


def test_the_efficient_price_moves_as_much_as_the_symbols_volatility_says() -> None:
    rng = np.random.default_rng(3)
    universe = Universe.draw(2_000, rng)
    activity = Activity(universe, 2_000.0, 600, False, rng)
    walk = PriceWalk(universe, 2.0)
    bids = np.zeros((2, 2_000))

    for second in range(0, 600, 10):
        arrivals = activity.arrivals(second * SECOND_NS, 10 * SECOND_NS, rng)
        priced = walk.price(arrivals, second * SECOND_NS, rng)
        bids[1, arrivals.symbol[arrivals.runs.tails]] = priced.bid[arrivals.runs.tails]
        fresh = bids[0] == 0
        bids[0, fresh] = bids[1, fresh]

    usual = universe.volatility * np.sqrt(600)
    moves = np.log(bids[1, :500] / bids[0, :500]) / usual[:500]
    assert np.median(np.abs(moves)) == pytest.approx(1.2, rel=0.4)
