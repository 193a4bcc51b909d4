"""The market of a plan: its load, and an excerpt of its busiest moments for trials.

Tests: tests/desk/tuning/test_study.py
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from desk.config import Plan
from desk.feeds.synthetic.market import SyntheticMarket
from desk.local_venue.events import taken
from desk.model.blocks import Block, BlockSource
from desk.model.errors import PlanError
from desk.model.session import Session
from desk.model.units import SECOND_NS, floor_to
from desk.tuning.market_load import BIN_NS, MarketLoad, RowFilter, TickRates, window_bins

MADE_UP_ROWS: Final = 2_000_000
"""The rows read of a made-up market: it is alike all day, and generating 400,000 rows takes a second."""

EXCERPT_TICKS: Final = 100_000
EXCERPT_S: Final = 300
LEAST_S: Final = 2
MOST_TICKS: Final = 500_000


class MarketExcerpt:
    """A part of a source, kept in memory; a `BlockSource`."""

    def __init__(self, source: BlockSource, blocks: list[Block], start_ns: int) -> None:
        self.place = source.place
        self.symbols = source.symbols
        self.start_ns = start_ns
        self.end_ns = int(blocks[-1].recv_ns[-1]) + 1 if blocks else start_ns + 1
        self._blocks = blocks

    def blocks(self) -> Iterator[Block]:
        """The rows in arrival order."""
        return iter(self._blocks)


def chosen_symbols(plan: Plan, session: Session, source: BlockSource) -> tuple[frozenset[str], frozenset[str]]:
    """The symbols that the plan names, and those that replace the choice of its scanners.

    Their choice is not known in advance: the most active of the others are taken, as many as the scanners may want
    together.
    """
    always = frozenset(source.symbols if "*" in session.always else session.always)
    room = sum(scanner.max_symbols for scanner in plan.scanners)
    if not room or len(always) == len(source.symbols):
        return always, frozenset()
    others = RowFilter(frozenset(source.symbols) - always, frozenset(plan.feed.channels), session.start_ns)
    ticks: Counter[str] = Counter()
    for block in limited_source(source):
        _count(ticks, block, others.rows(block))
    return always, frozenset(symbol for symbol, _ in ticks.most_common(room))


def market_load(source: BlockSource, wanted: RowFilter, window_s: float) -> tuple[MarketLoad, MarketExcerpt]:
    """The load of the market, and an excerpt from its busiest window on. Raises PlanError if it has no ticks."""
    rates = TickRates(wanted.start_ns)
    rows = 0
    for block in limited_source(source):
        rates.add(block.recv_ns[wanted.rows(block)])
        rows += len(block)
    if not rates.ticks:
        raise PlanError(
            "[feed] symbols, channels",
            f"no tick of {source.place} is selected by the plan",
            "symbols and channels with ticks",
            "Select others, or move [session] start and stop.",
        )
    burst = rates.busiest(window_s)
    window = (burst.start_ns, burst.start_ns + window_bins(window_s) * BIN_NS)
    by_symbol, excerpt = _look_closer(source, wanted, window, _extent(rates, burst.start_ns))
    made_up = isinstance(source, SyntheticMarket)
    load = MarketLoad(
        place=f"{source.place}, its first {rows:,} rows" if made_up else source.place,
        ticks=rates.ticks,
        span_s=rates.span_s,
        window_s=window_s,
        burst=burst,
        second=rates.busiest(1.0),
        mean_per_s=rates.ticks / rates.span_s,
        by_symbol=by_symbol,
    )
    return load, excerpt


def limited_source(source: BlockSource) -> Iterator[Block]:
    """The whole of a recorded market, the beginning of a made-up one."""
    rows = 0
    for block in source.blocks():
        yield block
        rows += len(block)
        if rows >= MADE_UP_ROWS and isinstance(source, SyntheticMarket):
            return


def _extent(rates: TickRates, burst_ns: int) -> tuple[int, int]:
    """The excerpt's period, from the burst's first second on, with enough ticks and marks to measure."""
    first_ns = floor_to(burst_ns, SECOND_NS)
    enough_ns = max(rates.reached_ns(first_ns, EXCERPT_TICKS), first_ns + LEAST_S * SECOND_NS)
    return first_ns, min(enough_ns, rates.reached_ns(first_ns, MOST_TICKS), first_ns + EXCERPT_S * SECOND_NS)


def _look_closer(
    source: BlockSource, wanted: RowFilter, window: tuple[int, int], extent: tuple[int, int]
) -> tuple[dict[str, int], MarketExcerpt]:
    """The window's ticks by symbol, and the rows of the extent."""
    by_symbol = Counter(dict.fromkeys(wanted.symbols, 0))
    kept: list[Block] = []
    for block in source.blocks():
        if block.recv_ns[0] >= max(window[1], extent[1]):
            break
        part = _between(block, *window)
        _count(by_symbol, part, wanted.rows(part))
        part = _between(block, *extent)
        if len(part):
            kept.append(part)
    return dict(by_symbol), MarketExcerpt(source, kept, extent[0])


def _between(block: Block, from_ns: int, until_ns: int) -> Block:
    """The block's rows received from `from_ns` on and before `until_ns`."""
    first, last = np.searchsorted(block.recv_ns, (from_ns, until_ns)).tolist()
    part = taken(block, np.arange(first, last))
    return replace(part, first_ordinal=block.first_ordinal + first)


def _count(ticks: Counter[str], block: Block, rows: NDArray[np.intp]) -> None:
    counts = np.bincount(block.symbol[rows], minlength=len(block.symbols))
    for number in np.flatnonzero(counts).tolist():
        ticks[block.symbols[number]] += int(counts[number])
