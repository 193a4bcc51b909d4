"""Prices: an efficient price that wanders, the quotes around it, and the trades at those quotes."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from desk.feeds.synthetic.activity import Arrivals
from desk.feeds.synthetic.symbol_runs import SymbolRuns
from desk.feeds.synthetic.universe import Universe
from desk.model.units import SECOND_NS

TICKS_PER_UNIT = 100
LOWEST_BID_TICKS = 101
WIDEST_SPREAD_TICKS = 15
INSIDE_CHANCE = 0.15


@dataclass(frozen=True, slots=True)
class PricedEvents:
    """The kind and prices of each event, in ticks of 0.01.

    `bid` and `ask` prevail after the event: a quote's own, or those that a trade met. `trade` lies between the two,
    both included; it is undefined for quotes.
    """

    is_quote: NDArray[np.bool_]
    bid: NDArray[np.int64]
    ask: NDArray[np.int64]
    trade: NDArray[np.int64]


class PriceWalk:
    """Carries every symbol's price, and its prevailing quote, from one span to the next.

    The efficient log price is a random walk with the regime's drift and the bursts' pushes; variance grows
    with activity. Quotes lie around it with a mean-reverting error of their own. A symbol's first event is a
    quote, so that every trade has one to meet.
    """

    def __init__(self, universe: Universe, quotes_per_trade: float) -> None:
        self._quote_chance = quotes_per_trade / (1.0 + quotes_per_trade)
        self._volatility = universe.volatility
        self._spread_bps = universe.spread_bps
        self._log_price = np.log(universe.price)
        self._seen_ns = np.zeros(len(universe), np.int64)
        self._bid = np.zeros(len(universe), np.int64)
        self._ask = np.zeros(len(universe), np.int64)

    def price(self, arrivals: Arrivals, from_ns: int, rng: np.random.Generator) -> PricedEvents:
        """Turn a span's events, which begins `from_ns` after the session's start, into quotes and trades."""
        runs = arrivals.runs
        efficient = self._efficient_ticks(arrivals, from_ns, rng)
        is_quote = rng.random(len(efficient)) < self._quote_chance
        is_quote[runs.heads] |= self._bid[runs.symbols] == 0
        bid, ask = self._quotes(efficient[is_quote], arrivals.symbol[is_quote], rng)
        bid = _prevailing(bid, is_quote, runs, self._bid)
        ask = _prevailing(ask, is_quote, runs, self._ask)
        self._bid[runs.symbols] = bid[runs.tails]
        self._ask[runs.symbols] = ask[runs.tails]
        return PricedEvents(is_quote, bid, ask, _trade_ticks(efficient, bid, ask, rng))

    def _efficient_ticks(self, arrivals: Arrivals, from_ns: int, rng: np.random.Generator) -> NDArray[np.float64]:
        runs, symbol = arrivals.runs, arrivals.symbol
        waited_ns = np.diff(arrivals.at_ns, prepend=0)
        waited_ns[runs.heads] = arrivals.at_ns[runs.heads] + from_ns - self._seen_ns[runs.symbols]
        waited_s = waited_ns / SECOND_NS
        volatility = self._volatility * np.sqrt(arrivals.activity) * arrivals.agitation
        step = volatility[symbol] * np.sqrt(waited_s) * rng.standard_normal(len(symbol))
        step += arrivals.drift[symbol] * waited_s + arrivals.push
        path = self._log_price[symbol] + runs.cumulate(step)
        lowest = np.log((LOWEST_BID_TICKS + 1) / TICKS_PER_UNIT)
        self._log_price[runs.symbols] = np.maximum(path[runs.tails], lowest)
        self._seen_ns[runs.symbols] = arrivals.at_ns[runs.tails] + from_ns
        return np.exp(path) * TICKS_PER_UNIT

    def _quotes(
        self, efficient: NDArray[np.float64], symbol: NDArray[np.int32], rng: np.random.Generator
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """A spread of 1 tick and more around the efficient price plus an error that dies out in a few quotes."""
        aim = efficient * self._spread_bps[symbol] * 1e-4
        excess = np.maximum(aim - 0.5, 0.05) * rng.standard_exponential(len(aim))
        spread = np.minimum(1 + excess.astype(np.int64), WIDEST_SPREAD_TICKS)
        shock = rng.standard_normal(len(aim) + 2)
        error = 0.2 * spread * (shock[2:] + 0.6 * shock[1:-1] + 0.36 * shock[:-2])
        bid = np.rint(efficient + error - spread / 2).astype(np.int64)
        np.maximum(bid, LOWEST_BID_TICKS, out=bid)
        return bid, bid + spread


def _prevailing(
    quoted: NDArray[np.int64], is_quote: NDArray[np.bool_], runs: SymbolRuns, carried: NDArray[np.int64]
) -> NDArray[np.int64]:
    """For every event the value of its symbol's last quote up to it: from this span, or carried into it."""
    latest = np.cumsum(is_quote) - 1
    before_run = latest[runs.heads] - is_quote[runs.heads]
    known = latest > before_run[runs.run]
    values = carried[runs.symbols][runs.run]
    values[known] = quoted[latest[known]]
    return values


def _trade_ticks(
    efficient: NDArray[np.float64], bid: NDArray[np.int64], ask: NDArray[np.int64], rng: np.random.Generator
) -> NDArray[np.int64]:
    """At the ask where the efficient price has risen above the middle, else at the bid; now and then inside."""
    spread = ask - bid
    lean = (efficient - bid) / spread
    buys = rng.random(len(bid)) < np.clip(lean, 0.1, 0.9)
    ticks = np.where(buys, ask, bid)
    inside = (rng.random(len(bid)) < INSIDE_CHANCE) & (spread > 1)
    ticks[inside] = bid[inside] + 1 + (rng.random(int(inside.sum())) * (spread[inside] - 1)).astype(np.int64)
    return ticks
