"""Writes tapes of single rows at given times, for tests of sessions and exchange days."""

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import numpy as np

from desk.model.blocks import QUOTE, TRADE, UNKNOWN, Block
from desk.model.units import SECOND_NS
from desk.tape.writer import TapeWriter

KINDS = {"trade": TRADE, "quote": QUOTE, "other": UNKNOWN}


class TapeRow(NamedTuple):
    """One row of a tape. A trade with a price of 0 is malformed."""

    recv_ns: int
    symbol: str = "AAA"
    kind: str = "trade"
    price: float = 10.0
    size: float = 100.0


def ns(text: str) -> int:
    """A time in UTC, such as "2024-03-05 14:30" or "2024-03-05 14:30:01"."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * SECOND_NS


def row(text: str, symbol: str = "AAA", kind: str = "trade", price: float = 10.0) -> TapeRow:
    return TapeRow(ns(text), symbol, kind, price)


def a_tape(path: Path, *rows: TapeRow) -> Path:
    """Write the rows in the order of their times. A row of an unknown kind keeps that kind."""
    with TapeWriter(path) as writer:
        writer.write(block_of(sorted(rows, key=lambda row: row.recv_ns)))
    return path


def block_of(rows: Iterable[TapeRow]) -> Block:
    found = list(rows)
    symbols = tuple(sorted({row.symbol for row in found}))
    trade = np.array([row.kind == "trade" for row in found])
    price = np.array([row.price for row in found])
    size = np.array([row.size for row in found])
    recv_ns = np.array([row.recv_ns for row in found], np.int64)
    nothing = np.full(len(found), -1, np.int32)
    return Block(
        first_ordinal=0,
        recv_ns=recv_ns,
        ts_ns=recv_ns.copy(),
        kind=np.array([KINDS[row.kind] for row in found], np.int8),
        symbol=np.array([symbols.index(row.symbol) for row in found], np.int32),
        price=np.where(trade, price, np.nan),
        size=np.where(trade, size, np.nan),
        bid=np.where(trade, np.nan, price - 0.01),
        bid_size=np.where(trade, np.nan, size),
        ask=np.where(trade, np.nan, price + 0.01),
        ask_size=np.where(trade, np.nan, size),
        exchange=nothing,
        conditions=nothing,
        trade_id=np.zeros(len(found), np.int64),
        symbols=symbols,
        exchanges=(),
        condition_codes=(),
    )
