"""The market of a fault script: a source of blocks with halts, price bands and quiet times added.

Tests: tests/desk/local_venue/test_scripted_market.py
"""

from collections.abc import Iterator
from dataclasses import fields, replace
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from desk.local_venue.events import taken
from desk.local_venue.faults.fault_schedule import NEVER_NS
from desk.local_venue.faults.fault_script import Fault, FaultScript
from desk.model.blocks import KIND_OF_NOTICE, TRADE, Block, BlockSource, Originals
from desk.model.errors import PlanError
from desk.model.notices import Notice, PriceBands, TradingStatus
from desk.model.units import SECOND_NS

HALTED: Final = ("H", "Trading Halt")
RESUMED: Final = ("T", "Trading Resumption")
"""Codes and texts of UTP statuses. Source: UTP data feed, "Trading action"."""
MAX_SHOWN: Final = 5


def scripted_market(script: FaultScript, source: BlockSource) -> BlockSource:
    """The source as the script changes it. Raises PlanError for symbols that the source does not have."""
    known = frozenset(source.symbols)
    for fault in script.faults:
        unknown = sorted(fault.symbols - known)
        if unknown and fault.kind.role != "grant":
            raise PlanError(
                f"{script.place}, [[faults]] {fault.number} ({fault.kind.name}), symbols",
                f"{', '.join(unknown[:MAX_SHOWN])}, not traded in {source.place}",
                "symbols of the market that is played",
                "Correct them.",
            )
    changes = [fault for fault in script.faults if fault.kind.role == "market"]
    return ScriptedMarket(source, script, changes) if changes else source


class MarketGap(NamedTuple):
    """A time without events of some symbols (empty: all), or, in a halt, without trades."""

    symbols: frozenset[str]
    is_halt: bool
    from_ns: int
    to_ns: int


class ScriptedMarket:
    """A `BlockSource`, as picklable as its source. Ordinals no longer follow from `first_ordinal`."""

    def __init__(self, source: BlockSource, script: FaultScript, changes: list[Fault]) -> None:
        self.place = source.place
        self.symbols = source.symbols
        self.start_ns = source.start_ns
        self.end_ns = source.end_ns
        self._source = source
        self._notices: list[Notice] = []
        self._gaps: list[MarketGap] = []
        for fault in changes:
            from_ns = source.start_ns + script.start_ns(fault, source.start_ns)
            to_ns = from_ns + int(fault.for_s * SECOND_NS) if fault.for_s else NEVER_NS
            if fault.kind.name != "luld":
                self._gaps.append(MarketGap(fault.symbols, fault.kind.name == "halt", from_ns, to_ns))
            self._notices += _notices(fault, from_ns, to_ns)
        self._notices.sort(key=lambda notice: notice.ts_ns)

    def blocks(self) -> Iterator[Block]:
        """The rows in arrival order; every call starts from the beginning."""
        ahead = [notice for notice in self._notices if notice.ts_ns <= self.end_ns]
        held: Block | None = None
        for block in filter(len, self._source.blocks()):
            if held is not None:
                due = [notice for notice in ahead if notice.ts_ns < int(block.recv_ns[0])]
                ahead = ahead[len(due) :]
                yield _with_notices(held, due)
            held = self._without_gaps(block)
        if held is not None:
            yield _with_notices(held, ahead)

    def _without_gaps(self, block: Block) -> Block:
        kept = np.ones(len(block), np.bool_)
        for gap in self._gaps:
            times_ns = block.ts_ns if gap.is_halt else block.recv_ns
            gone = (times_ns >= gap.from_ns) & (times_ns < gap.to_ns)
            if gap.is_halt:
                gone &= block.kind == TRADE
            if gap.symbols:
                named = np.array([symbol in gap.symbols for symbol in (*block.symbols, "")])
                gone &= named[block.symbol]
            kept &= ~gone
        return block if kept.all() else taken(block, np.flatnonzero(kept))


def _notices(fault: Fault, from_ns: int, to_ns: int) -> Iterator[Notice]:
    values = fault.values
    for symbol in sorted(fault.symbols):
        if fault.kind.name == "luld":
            yield PriceBands(0, symbol, from_ns, 0, float(values["down"]), float(values["up"]), values["indicator"])
        elif fault.kind.name == "halt":
            reason = values["reason_code"], values["reason"]
            yield TradingStatus(0, symbol, from_ns, 0, *HALTED, *reason)
            if to_ns != NEVER_NS:
                yield TradingStatus(0, symbol, to_ns, 0, *RESUMED, *reason)


def _with_notices(block: Block, notices: list[Notice]) -> Block:
    """The block with rows of these notices, in order of time."""
    if not notices:
        return block
    times_ns = np.array([notice.ts_ns for notice in notices], np.int64)
    count = len(notices)
    index = {symbol: number for number, symbol in enumerate(block.symbols)}
    objects = np.empty(count, np.object_)
    objects[:] = notices
    given: dict[str, Any] = {
        "recv_ns": times_ns,
        "ts_ns": times_ns,
        "kind": np.array([KIND_OF_NOTICE[type(notice)] for notice in notices], np.int8),
        "symbol": np.array([index[notice.symbol] for notice in notices], np.int32),
        "notices": objects,
    }
    order = np.argsort(np.concatenate((block.recv_ns, times_ns)), kind="stable")
    columns: dict[str, Any] = {}
    for field in fields(Block):
        column = getattr(block, field.name)
        if field.name == "notices" and column is None:
            column = np.full(len(block), None, np.object_)
        if isinstance(column, np.ndarray):
            new = given.get(field.name)
            columns[field.name] = np.concatenate((column, _nulls(column, count) if new is None else new))[order]
        elif isinstance(column, Originals):
            whole = [np.concatenate((each, _nulls(each, count)))[order] for each in _parts(column)]
            columns[field.name] = Originals(*whole)
    return replace(block, **columns)


def _parts(originals: Originals) -> list[NDArray[Any]]:
    return [originals.trade_id, originals.price, originals.size, originals.conditions]


def _nulls(column: NDArray[Any], count: int) -> NDArray[Any]:
    """Rows without a value: NaN, no id, or the index of null."""
    if column.dtype.kind == "f":
        return np.full(count, np.nan, column.dtype)
    return np.zeros(count, column.dtype) if column.dtype.kind == "u" else np.full(count, -1, column.dtype)
