"""Regimes: minutes in which a symbol is busier or quieter than usual and drifts one way."""

import numpy as np
from numpy.typing import NDArray

from desk.feeds.synthetic.universe import Universe

MEAN_LIFE_S = 240.0
IN_PLAY_CHANCE = 0.02
IN_PLAY_ACTIVITY = (6.0, 20.0)
IN_PLAY_DRIFT = (4e-5, 1.6e-4)
USUAL_DRIFT = 2e-6
MAX_IN_PLAY_SHARE = 0.2


class Regimes:
    """Each symbol's present regime: `activity` as a factor, `drift` as log return per second.

    Durations are exponential, so that no two symbols change at the same time. A few symbols are in play: they trade
    many times as much and move by per cents within minutes, which is what scanners look for.
    """

    def __init__(self, universe: Universe, rng: np.random.Generator) -> None:
        self._most = np.clip(MAX_IN_PLAY_SHARE / universe.share, 1.5, IN_PLAY_ACTIVITY[1])
        self.activity: NDArray[np.float64] = np.ones(len(universe))
        self.drift: NDArray[np.float64] = np.zeros(len(universe))
        self._renew(np.arange(len(universe)), rng)

    def advance(self, span_s: float, rng: np.random.Generator) -> None:
        """Advance by `span_s` seconds; symbols whose regime ends get another."""
        ends = rng.random(len(self.activity)) < -np.expm1(-span_s / MEAN_LIFE_S)
        self._renew(np.flatnonzero(ends), rng)

    def _renew(self, which: NDArray[np.intp], rng: np.random.Generator) -> None:
        count = len(which)
        in_play = rng.random(count) < IN_PLAY_CHANCE
        usual = np.exp(0.35 * rng.standard_normal(count))
        hot = np.minimum(_log_uniform(IN_PLAY_ACTIVITY, count, rng), self._most[which])
        self.activity[which] = np.where(in_play, hot, usual)
        pull = _log_uniform(IN_PLAY_DRIFT, count, rng) * np.where(rng.random(count) < 0.5, -1.0, 1.0)
        self.drift[which] = np.where(in_play, pull, USUAL_DRIFT * rng.standard_normal(count))


def _log_uniform(bounds: tuple[float, float], count: int, rng: np.random.Generator) -> NDArray[np.float64]:
    return np.exp(rng.uniform(np.log(bounds[0]), np.log(bounds[1]), count))
