"""Regimes of the made-up market."""

import numpy as np

from desk.feeds.synthetic.regimes import MEAN_LIFE_S, Regimes
from desk.feeds.synthetic.universe import Universe


def test_a_few_symbols_are_in_play_and_drift() -> None:
    rng = np.random.default_rng(1)

    regimes = Regimes(Universe.draw(5_000, rng), rng)

    hot = regimes.activity > 5.0
    assert 0.01 < hot.mean() < 0.04
    assert np.abs(regimes.drift[hot]).min() > 10 * np.median(np.abs(regimes.drift[~hot]))
    assert regimes.activity.min() > 0.0


def test_regimes_last_for_minutes_and_then_change() -> None:
    rng = np.random.default_rng(2)
    regimes = Regimes(Universe.draw(2_000, rng), rng)
    before = regimes.activity.copy()

    regimes.advance(1.0, rng)
    after_a_second = np.mean(regimes.activity == before)
    regimes.advance(20 * MEAN_LIFE_S, rng)

    assert after_a_second > 0.98
    assert not np.any(regimes.activity == before)


def test_the_market_is_never_one_symbols_alone() -> None:
    rng = np.random.default_rng(3)
    universe = Universe.draw(500, rng)
    regimes = Regimes(universe, rng)

    for _ in range(500):
        regimes.advance(10 * MEAN_LIFE_S, rng)
        weight = universe.share * regimes.activity

        assert weight.max() / weight.sum() < 0.5
