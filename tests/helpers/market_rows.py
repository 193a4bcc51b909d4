"""Blocks of single rows, and a clock that advances only by waits."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from desk.model.blocks import CANCEL, CORRECTION, QUOTE, TRADE, UNKNOWN, Block, Originals
from desk.model.units import MS_NS, SECOND_NS

NAN = float("nan")
T0 = 1_000_000 * SECOND_NS
KINDS = {"trade": TRADE, "quote": QUOTE, "other": UNKNOWN, "correction": CORRECTION, "cancel": CANCEL}


class BlockRow(NamedTuple):
    """One row. `at_ms` is the received time after T0; venue time is `lag_ms` earlier, unless `ts_ns` is set."""

    at_ms: float
    symbol: str | None = "AAA"
    kind: str = "trade"
    price: float = 10.0
    size: float = 100.0
    bid: float = NAN
    ask: float = NAN
    bid_size: float = NAN
    ask_size: float = NAN
    lag_ms: float = 0.0
    conditions: str | None = ""
    trade_id: int = 0
    ts_ns: int | None = None
    original_id: int = 0
    tape: str | None = None

    @property
    def recv_ns(self) -> int:
        return T0 + round(self.at_ms * MS_NS)


def quote(at_ms: float, symbol: str | None = "AAA", bid: float = 9.0, ask: float = 11.0, **more: float) -> BlockRow:
    return BlockRow(at_ms, symbol, "quote", NAN, NAN, bid, ask, bid_size=100.0, ask_size=200.0)._replace(**more)


def block(lines: Sequence[BlockRow], first_ordinal: int, symbols: tuple[str, ...]) -> Block:
    codes = tuple(sorted({line.conditions for line in lines if line.conditions is not None}))
    numbers = {
        name: np.array([getattr(line, name) for line in lines], np.float64)
        for name in ("price", "size", "bid", "bid_size", "ask", "ask_size")
    }
    recv_ns = np.array([line.recv_ns for line in lines], np.int64)
    ts_ns = [line.recv_ns - round(line.lag_ms * MS_NS) if line.ts_ns is None else line.ts_ns for line in lines]
    tapes = tuple(sorted({line.tape for line in lines if line.tape is not None}))
    unknown = np.full(len(lines), NAN)
    return Block(
        first_ordinal=first_ordinal,
        recv_ns=recv_ns,
        ts_ns=np.array(ts_ns, np.int64),
        kind=np.array([KINDS[line.kind] for line in lines], np.int8),
        symbol=np.array([-1 if line.symbol is None else symbols.index(line.symbol) for line in lines], np.int32),
        exchange=np.zeros(len(lines), np.int32),
        conditions=np.array(
            [-1 if line.conditions is None else codes.index(line.conditions) for line in lines], np.int32
        ),
        trade_id=np.array([line.trade_id for line in lines], np.uint64),
        symbols=symbols,
        exchanges=("Q",),
        condition_codes=codes,
        tapes=tapes,
        tape=np.array([-1 if line.tape is None else tapes.index(line.tape) for line in lines], np.int32),
        originals=Originals(
            np.array([line.original_id for line in lines], np.uint64),
            unknown,
            unknown,
            np.full(len(lines), -1, np.int32),
        ),
        **numbers,
    )


class BlockRows:
    """A block source of these rows, in blocks of `rows_per_block`."""

    def __init__(self, lines: Sequence[BlockRow], rows_per_block: int = 1_000_000) -> None:
        self.place = "lines"
        self.symbols = tuple(sorted({line.symbol for line in lines if line.symbol is not None}))
        self.start_ns = lines[0].recv_ns
        self.end_ns = lines[-1].recv_ns + 1
        self._lines = lines
        self._rows_per_block = rows_per_block

    def blocks(self) -> Iterator[Block]:
        for first in range(0, len(self._lines), self._rows_per_block):
            yield block(self._lines[first : first + self._rows_per_block], first, self.symbols)


@dataclass
class FakeClock:
    """Wall time that advances only by waits and by the test."""

    now_ns: int = 5_000 * SECOND_NS
    slept_ns: int = 0

    def wall_ns(self) -> int:
        return self.now_ns

    def wait(self, until_ns: int, descriptors: Sequence[int] = ()) -> None:
        if until_ns > self.now_ns:
            self.slept_ns += until_ns - self.now_ns
            self.now_ns = until_ns
