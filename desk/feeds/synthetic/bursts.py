"""Bursts: short episodes in which a few symbols trade many times as much, and their prices move."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from desk.feeds.synthetic.universe import Universe
from desk.model.units import SECOND_NS

ARRIVAL: Final = np.dtype([("at_ns", np.int64), ("symbol", np.int32), ("push", np.float64)])
"""One future event: its time since the session's start, its symbol, and the log return that the burst adds."""

BURST_SHARE = 0.15
MULTIPLE = (5.0, 50.0)
LARGEST_PART = 0.25
DURATION_S = (0.3, 3.0)
BRANCHING = 0.5
GENERATIONS = 6
SAME_SYMBOL = 0.6
SAME_DIRECTION = 0.75
CHILD_DELAY_S = 1.5


@dataclass(frozen=True, slots=True)
class _Episodes:
    """Episodes by their start since the span's, aligned arrays."""

    start_s: NDArray[np.float64]
    symbol: NDArray[np.int32]
    direction: NDArray[np.float64]


class Bursts:
    """Self-exciting episodes, `BURST_SHARE` of all events on average.

    A branching process after Hawkes (1971) in its cluster form (Hawkes and Oakes, 1974): episodes
    come by Poisson, each begets `BRANCHING` further ones on average, mostly on its own symbol and in its own
    direction. The multiple is smaller for symbols that it would give more than `LARGEST_PART` of the market.
    """

    def __init__(self, universe: Universe) -> None:
        self._share = universe.share
        self._volatility = universe.volatility
        self._most = np.clip(LARGEST_PART / universe.share, *MULTIPLE)
        chance = np.sqrt(universe.share)
        self._picks = np.cumsum(chance / chance.sum())
        self._clusters_per_s = self._cluster_rate(chance / chance.sum())
        self._pending = np.empty(0, ARRIVAL)

    def arrivals(self, from_ns: int, span_ns: int, usual_rate: float, rng: np.random.Generator) -> NDArray[np.void]:
        """The bursts' events, as ARRIVAL rows, in [from_ns, from_ns + span_ns): spans follow one another.

        `usual_rate` is the whole market's rate without bursts, per second.
        """
        fresh = self._events(self._clusters(span_ns / SECOND_NS, rng), usual_rate, rng)
        fresh["at_ns"] += from_ns
        waiting = np.concatenate((self._pending, fresh))
        due = waiting["at_ns"] < from_ns + span_ns
        self._pending = waiting[~due]
        return waiting[due]

    def _cluster_rate(self, chance: NDArray[np.float64]) -> float:
        """Clusters per second such that bursts make `BURST_SHARE` of all events."""
        width = np.log(self._most / MULTIPLE[0])
        grown = (self._most - MULTIPLE[0]) / np.where(width > 0.0, width, 1.0)
        multiple = np.where(width > 0.0, grown, MULTIPLE[0])
        duration_s = (DURATION_S[1] - DURATION_S[0]) / np.log(DURATION_S[1] / DURATION_S[0])
        extra = float((chance * self._share * (multiple - 1.0)).sum()) * duration_s
        episodes = (1.0 - BRANCHING ** (GENERATIONS + 1.0)) / (1.0 - BRANCHING)
        return float(BURST_SHARE / (1.0 - BURST_SHARE) / (extra * episodes))

    def _clusters(self, span_s: float, rng: np.random.Generator) -> _Episodes:
        count = int(rng.poisson(self._clusters_per_s * span_s))
        generation = _Episodes(
            start_s=span_s * rng.random(count),
            symbol=self._pick(count, rng),
            direction=np.where(rng.random(count) < 0.5, -1.0, 1.0),
        )
        family = [generation]
        while len(generation.start_s) and len(family) <= GENERATIONS:
            generation = self._children(generation, rng)
            family.append(generation)
        return _Episodes(
            start_s=np.concatenate([each.start_s for each in family]),
            symbol=np.concatenate([each.symbol for each in family]),
            direction=np.concatenate([each.direction for each in family]),
        )

    def _children(self, parents: _Episodes, rng: np.random.Generator) -> _Episodes:
        parent = np.repeat(np.arange(len(parents.start_s)), rng.poisson(BRANCHING, len(parents.start_s)))
        count = len(parent)
        stays = rng.random(count) < SAME_SYMBOL
        return _Episodes(
            start_s=parents.start_s[parent] + CHILD_DELAY_S * rng.standard_exponential(count),
            symbol=np.where(stays, parents.symbol[parent], self._pick(count, rng)),
            direction=parents.direction[parent] * np.where(rng.random(count) < SAME_DIRECTION, 1.0, -1.0),
        )

    def _pick(self, count: int, rng: np.random.Generator) -> NDArray[np.int32]:
        place = np.searchsorted(self._picks, rng.random(count), side="right")
        return np.minimum(place, len(self._picks) - 1).astype(np.int32)

    def _events(self, episodes: _Episodes, usual_rate: float, rng: np.random.Generator) -> NDArray[np.void]:
        count = len(episodes.start_s)
        most = self._most[episodes.symbol]
        multiple = MULTIPLE[0] * (most / MULTIPLE[0]) ** rng.random(count)
        duration_s = DURATION_S[0] * (DURATION_S[1] / DURATION_S[0]) ** rng.random(count)
        sizes = rng.poisson(usual_rate * self._share[episodes.symbol] * (multiple - 1.0) * duration_s)
        # Returns scale with the square root of volume, not of time, hence the multiple under the root.
        reach = 3.0 * self._volatility[episodes.symbol] * np.sqrt(multiple * duration_s)
        move = episodes.direction * reach * np.abs(rng.standard_normal(count))
        events = np.empty(int(sizes.sum()), ARRIVAL)
        within = np.repeat(duration_s, sizes) * rng.random(len(events)) ** 1.5
        events["at_ns"] = ((np.repeat(episodes.start_s, sizes) + within) * SECOND_NS).astype(np.int64)
        events["symbol"] = np.repeat(episodes.symbol, sizes)
        events["push"] = np.repeat(move / np.maximum(sizes, 1), sizes)
        return events
