"""The synthetic market: a realistic US equities session from a seed, of any length."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import isfinite

import numpy as np
from numpy.typing import NDArray

from desk.feeds.synthetic.activity import Activity
from desk.feeds.synthetic.prices import TICKS_PER_UNIT, PricedEvents, PriceWalk
from desk.feeds.synthetic.prints import quote_exchanges, quote_sizes, trade_conditions, trade_exchanges, trade_sizes
from desk.feeds.synthetic.reporting_delay import OUT_OF_SEQUENCE_AFTER_NS, ROW, Recorder, ReportingLine, lateness_ns
from desk.feeds.synthetic.universe import Universe
from desk.model.blocks import QUOTE, TRADE, Block
from desk.model.errors import PlanError
from desk.model.units import MS_NS, SECOND_NS

MAX_SYMBOLS = 100_000
MAX_EVENTS_PER_S = 10_000_000.0
MAX_DURATION_S = 366 * 86_400
MAX_START_NS = 2**62
ROWS_PER_BLOCK = 50_000
SPANS_MS = (10_000, 5_000, 2_000, 1_000, 500, 200, 100, 50, 20, 10)


@dataclass(frozen=True, slots=True)
class SyntheticConfig:
    """The settings of the synthetic market. Raises PlanError for an invalid value.

    `events_per_s` is the mean of trades and quotes per second over the whole market and the whole session;
    the session begins with the day's open and covers the beginning of the 390-minute day's shape.
    """

    seed: int
    symbols: int
    events_per_s: float
    start_ns: int
    duration_s: int
    bursts: bool = True
    late_fraction: float = 0.002
    odd_lot_fraction: float = 0.35
    quotes_per_trade: float = 2.0

    def __post_init__(self) -> None:
        _check("seed", self.seed, self.seed >= 0, "0 or more")
        _check("symbols", self.symbols, 1 <= self.symbols <= MAX_SYMBOLS, f"1 to {MAX_SYMBOLS:,}")
        rate_is_good = 0.0 < self.events_per_s <= MAX_EVENTS_PER_S
        _check("events_per_s", self.events_per_s, rate_is_good, f"above 0, at most {MAX_EVENTS_PER_S:,.0f}")
        _check("start_ns", self.start_ns, 0 <= self.start_ns <= MAX_START_NS, "nanoseconds since 1970, UTC")
        duration_is_good = 1 <= self.duration_s <= MAX_DURATION_S
        _check("duration_s", self.duration_s, duration_is_good, f"1 to {MAX_DURATION_S:,} whole seconds")
        _check("late_fraction", self.late_fraction, 0.0 <= self.late_fraction <= 1.0, "0 to 1")
        _check("odd_lot_fraction", self.odd_lot_fraction, 0.0 <= self.odd_lot_fraction <= 1.0, "0 to 1")
        quotes_are_good = self.quotes_per_trade > 0.0 and isfinite(self.quotes_per_trade)
        _check("quotes_per_trade", self.quotes_per_trade, quotes_are_good, "above 0: trades execute at quotes")


def _check(key: str, found: float, good: bool, expected: str) -> None:
    if not good:
        raise PlanError(f"synthetic market: {key}", f"{found!r}", expected, f"Give another {key}")


class SyntheticMarket:
    """A `BlockSource`: the same rows for the same config in every call, process and run.

    The random numbers of a block come from (seed, block number), and the market's state is carried from block to block.
    Rows are in the order of their arrival; those that would arrive after `end_ns` are omitted. A longer session is
    another market, not a continuation, because its mean rate covers another part of the day.
    """

    def __init__(self, config: SyntheticConfig) -> None:
        self.config = config
        self.place = f"synthetic market, seed {config.seed}"
        self.start_ns = config.start_ns
        self.end_ns = config.start_ns + config.duration_s * SECOND_NS
        self._universe = Universe.draw(config.symbols, _rng(config.seed, 0))
        self.symbols = self._universe.names

    def blocks(self) -> Iterator[Block]:
        """The session's rows from its start, in blocks of a span each; empty spans are left out."""
        session = _Session(self.config, self._universe)
        length_ns = self.end_ns - self.start_ns
        span_ns = _span_ns(self.config.events_per_s)
        for number, from_ns in enumerate(range(0, length_ns, span_ns)):
            until_ns = min(from_ns + span_ns, length_ns)
            rows = session.rows(from_ns, until_ns, _rng(self.config.seed, 2, number))
            # The session's last instant belongs to it.
            ends = until_ns == length_ns
            block = session.recorder.record(rows, before_ns=until_ns + ends)
            if len(block):
                yield block


class _Session:
    """One iteration over the market: the state carried from span to span."""

    def __init__(self, config: SyntheticConfig, universe: Universe) -> None:
        self._config = config
        self._activity = Activity(universe, config.events_per_s, config.duration_s, config.bursts, _rng(config.seed, 1))
        self._walk = PriceWalk(universe, config.quotes_per_trade)
        self._line = ReportingLine(config.symbols)
        self.recorder = Recorder(config.start_ns, universe.names)

    def rows(self, from_ns: int, until_ns: int, rng: np.random.Generator) -> NDArray[np.void]:
        """The events of a span (since the session's start) as ROW rows, by symbol and venue time."""
        arrivals = self._activity.arrivals(from_ns, until_ns - from_ns, rng)
        priced = self._walk.price(arrivals, from_ns, rng)
        late = ~priced.is_quote & (rng.random(len(arrivals.symbol)) < self._config.late_fraction)
        lateness = lateness_ns(late, rng)
        rows = np.empty(len(arrivals.symbol), ROW)
        rows["recv_ns"] = self._line.receive(arrivals.at_ns, lateness, arrivals.runs, from_ns, rng) + from_ns
        rows["ts_ns"] = arrivals.at_ns + from_ns
        rows["symbol"] = arrivals.symbol
        _fill_quotes(rows, priced, rng)
        self._fill_trades(rows, priced, lateness, rng)
        return rows

    def _fill_trades(
        self, rows: NDArray[np.void], priced: PricedEvents, lateness: NDArray[np.int64], rng: np.random.Generator
    ) -> None:
        which = np.flatnonzero(~priced.is_quote)
        size = trade_sizes(len(which), self._config.odd_lot_fraction, rng)
        exchange = trade_exchanges(lateness[which] > 0, rng)
        out_of_sequence = lateness[which] > OUT_OF_SEQUENCE_AFTER_NS
        rows["kind"][which] = TRADE
        rows["price"][which] = priced.trade[which] / TICKS_PER_UNIT
        rows["size"][which] = size
        rows["exchange"][which] = exchange
        rows["conditions"][which] = trade_conditions(size, exchange, out_of_sequence, rng)
        for column in ("bid", "bid_size", "ask", "ask_size"):
            rows[column][which] = np.nan


def _fill_quotes(rows: NDArray[np.void], priced: PricedEvents, rng: np.random.Generator) -> None:
    which = np.flatnonzero(priced.is_quote)
    rows["kind"][which] = QUOTE
    rows["bid"][which] = priced.bid[which] / TICKS_PER_UNIT
    rows["ask"][which] = priced.ask[which] / TICKS_PER_UNIT
    rows["bid_size"][which] = quote_sizes(len(which), rng)
    rows["ask_size"][which] = quote_sizes(len(which), rng)
    rows["exchange"][which] = quote_exchanges(len(which), rng)
    rows["conditions"][which] = -1
    for column in ("price", "size"):
        rows[column][which] = np.nan


def _span_ns(events_per_s: float) -> int:
    """The longest span that holds about `ROWS_PER_BLOCK` rows."""
    fitting = (span_ms for span_ms in SPANS_MS if events_per_s * span_ms / 1_000 <= ROWS_PER_BLOCK)
    return next(fitting, SPANS_MS[-1]) * MS_NS


def _rng(seed: int, *stream: int) -> np.random.Generator:
    """A generator of independent random numbers for each (seed, stream)."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=stream))
