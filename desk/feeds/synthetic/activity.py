"""Activity: the times of events by symbol."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from desk.feeds.synthetic.bursts import ARRIVAL, BURST_SHARE, Bursts
from desk.feeds.synthetic.intraday_profile import IntradayProfile
from desk.feeds.synthetic.regimes import Regimes
from desk.feeds.synthetic.symbol_runs import TIME_BITS, SymbolRuns
from desk.feeds.synthetic.universe import Universe
from desk.model.units import SECOND_NS


@dataclass(frozen=True, slots=True)
class Arrivals:
    """The events of one span, by symbol and, within a symbol, by strictly rising time.

    `at_ns` counts from the span's start, `push` is the log return that a burst adds, `runs` are the runs of symbols.
    `activity`, `drift` (per symbol) and `agitation` are the regimes in which the events happen.
    """

    symbol: NDArray[np.int32]
    at_ns: NDArray[np.int64]
    push: NDArray[np.float64]
    runs: SymbolRuns
    activity: NDArray[np.float64]
    drift: NDArray[np.float64]
    agitation: float


class Activity:
    """Poisson arrivals under the session's shape, slow regimes per symbol, and bursts on top.

    Over the session the market has `events_per_s` on average, bursts included: regimes redistribute the market's
    activity and do not add to it.
    """

    def __init__(
        self, universe: Universe, events_per_s: float, duration_s: int, bursts: bool, rng: np.random.Generator
    ) -> None:
        self._share = universe.share
        self._shape = IntradayProfile(duration_s)
        self._regimes = Regimes(universe, rng)
        self._bursts = Bursts(universe) if bursts else None
        self._usual_per_s = events_per_s * (1.0 - BURST_SHARE) if bursts else events_per_s
        self._last_ns = np.full(len(universe), -1, np.int64)

    def arrivals(self, from_ns: int, span_ns: int, rng: np.random.Generator) -> Arrivals:
        """The events in [from_ns, from_ns + span_ns) since the session's start; spans follow one another."""
        span_s = span_ns / SECOND_NS
        middle_s = from_ns / SECOND_NS + span_s / 2
        self._regimes.advance(span_s, rng)
        rate = self._usual_per_s * self._shape.level(middle_s)
        events = self._usual(from_ns, span_ns, rate, rng)
        if self._bursts is not None:
            extra = self._bursts.arrivals(from_ns, span_ns, rate, rng)
            events = np.concatenate((events, extra))
        symbol, at_ns, push = _sorted(events, from_ns)
        runs = SymbolRuns.of(symbol)
        return Arrivals(
            symbol=symbol,
            at_ns=self._one_at_a_time(at_ns, runs, from_ns),
            push=push,
            runs=runs,
            activity=self._regimes.activity,
            drift=self._regimes.drift,
            agitation=self._shape.agitation(middle_s),
        )

    def _usual(self, from_ns: int, span_ns: int, rate: float, rng: np.random.Generator) -> NDArray[np.void]:
        weight = self._share * self._regimes.activity
        counts = rng.poisson(weight * (rate * span_ns / SECOND_NS / weight.sum()))
        events = np.zeros(int(counts.sum()), ARRIVAL)
        events["symbol"] = np.repeat(np.arange(len(counts), dtype=np.int32), counts)
        events["at_ns"] = from_ns + (span_ns * rng.random(len(events))).astype(np.int64)
        return events

    def _one_at_a_time(self, at_ns: NDArray[np.int64], runs: SymbolRuns, from_ns: int) -> NDArray[np.int64]:
        """Make the times of a symbol's events distinct, so that venue time alone orders them."""
        at_ns[runs.heads] = np.maximum(at_ns[runs.heads], self._last_ns[runs.symbols] + 1 - from_ns)
        rising = runs.strictly_rising(at_ns)
        self._last_ns[runs.symbols] = rising[runs.tails] + from_ns
        return rising


def _sorted(events: NDArray[np.void], from_ns: int) -> tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.float64]]:
    """Symbol, time since `from_ns` and push of the events, by symbol and time."""
    at_ns = events["at_ns"] - from_ns
    order = np.argsort((events["symbol"].astype(np.int64) << TIME_BITS) + at_ns)
    return events["symbol"][order], at_ns[order], events["push"][order]
