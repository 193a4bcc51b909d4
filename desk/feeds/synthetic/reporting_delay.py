"""Reporting delay: the received time of each event, and rows in the order of arrival."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from desk.feeds.synthetic.prints import CONDITION_CODES, EXCHANGES
from desk.feeds.synthetic.symbol_runs import SymbolRuns
from desk.model.blocks import TRADE, Block
from desk.model.units import MS_NS, SECOND_NS

ROW: Final = np.dtype(
    [
        ("recv_ns", np.int64),
        ("ts_ns", np.int64),
        ("kind", np.int8),
        ("symbol", np.int32),
        ("price", np.float64),
        ("size", np.float64),
        ("bid", np.float64),
        ("bid_size", np.float64),
        ("ask", np.float64),
        ("ask_size", np.float64),
        ("exchange", np.int32),
        ("conditions", np.int32),
    ]
)
"""One row of the market; times since the session's start."""

LATENCY_MEDIAN_NS = 1.0 * MS_NS
LATENCY_SPREAD = 0.5
LATENESS_S = (1.0, 15.0)
OUT_OF_SEQUENCE_AFTER_NS = 10 * SECOND_NS
"""Later than this after the execution a report is out of sequence (FINRA rule 6380A: within 10 seconds)."""


def lateness_ns(late: NDArray[np.bool_], rng: np.random.Generator) -> NDArray[np.int64]:
    """The extra delay of each event's report; 0 if it is not late."""
    delays = np.zeros(len(late), np.int64)
    delays[late] = (rng.uniform(*LATENESS_S, int(late.sum())) * SECOND_NS).astype(np.int64)
    return delays


class ReportingLine:
    """The line from the venues: lognormal latency, first in, first out per symbol.

    Late reports are outside their symbol's queue: they delay no other report.
    """

    def __init__(self, symbols: int) -> None:
        self._busy_until_ns = np.zeros(symbols, np.int64)

    def receive(
        self,
        at_ns: NDArray[np.int64],
        lateness: NDArray[np.int64],
        runs: SymbolRuns,
        from_ns: int,
        rng: np.random.Generator,
    ) -> NDArray[np.int64]:
        """The received times of the events; all times count from `from_ns`, the span's start."""
        latency = LATENCY_MEDIAN_NS * np.exp(LATENCY_SPREAD * rng.standard_normal(len(at_ns)))
        sent = at_ns + latency.astype(np.int64)
        late = lateness > 0
        queued = np.where(late, 0, sent)
        busy_until = self._busy_until_ns[runs.symbols] - from_ns
        queued[runs.heads] = np.maximum(queued[runs.heads], busy_until)
        received = runs.running_max(queued)
        self._busy_until_ns[runs.symbols] = received[runs.tails] + from_ns
        return np.where(late, sent + lateness, received)


class Recorder:
    """Sorts rows by arrival, holds back rows that are not due, and numbers the trades."""

    def __init__(self, start_ns: int, symbols: tuple[str, ...]) -> None:
        self._start_ns = start_ns
        self._symbols = symbols
        self._held = np.empty(0, ROW)
        self._ordinal = 0
        self._last_id = np.zeros(len(symbols) * len(EXCHANGES), np.int64)

    def record(self, rows: NDArray[np.void], before_ns: int) -> Block:
        """The rows received before `before_ns`, as a block; the others, and later ones, are held."""
        rows = np.concatenate((self._held, rows))
        due = rows["recv_ns"] < before_ns
        self._held = rows[~due]
        rows = rows[due]
        # Stable: rows of one symbol with the same received time keep the venue's order.
        return self._block(rows[np.argsort(rows["recv_ns"], kind="stable")])

    def _block(self, rows: NDArray[np.void]) -> Block:
        first_ordinal = self._ordinal
        self._ordinal += len(rows)
        return Block(
            first_ordinal=first_ordinal,
            recv_ns=rows["recv_ns"] + self._start_ns,
            ts_ns=rows["ts_ns"] + self._start_ns,
            kind=rows["kind"].copy(),
            symbol=rows["symbol"].copy(),
            price=rows["price"].copy(),
            size=rows["size"].copy(),
            bid=rows["bid"].copy(),
            bid_size=rows["bid_size"].copy(),
            ask=rows["ask"].copy(),
            ask_size=rows["ask_size"].copy(),
            exchange=rows["exchange"].copy(),
            conditions=rows["conditions"].copy(),
            trade_id=self._trade_ids(rows),
            symbols=self._symbols,
            exchanges=EXCHANGES,
            condition_codes=CONDITION_CODES,
        )

    def _trade_ids(self, rows: NDArray[np.void]) -> NDArray[np.uint64]:
        """Ids rise by one per (symbol, exchange), in the order of reporting; quotes have 0."""
        ids = np.zeros(len(rows), np.int64)
        trades = np.flatnonzero(rows["kind"] == TRADE)
        book = rows["symbol"][trades] * len(EXCHANGES) + rows["exchange"][trades]
        order = np.argsort(book, kind="stable")
        runs = SymbolRuns.of(book[order])
        count = np.arange(len(order)) - runs.head_of_each() + 1
        ids[trades[order]] = self._last_id[runs.symbols][runs.run] + count
        self._last_id[runs.symbols] += runs.tails - runs.heads + 1
        return ids.astype(np.uint64)
