"""Tapes as block sources."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from desk.model.block_checks import classes_of
from desk.model.blocks import (
    BAR,
    CANCEL,
    CORRECTION,
    LULD,
    QUOTE,
    STATUS,
    TRADE,
    UNKNOWN,
    Block,
    Originals,
    are_notices,
    are_revisions,
)
from desk.model.errors import TapeError
from desk.tape.files import TapeFile, describe_left_out, find_files
from desk.tape.notice_rows import notices_of
from desk.tape.row_counts import MinuteCounts
from desk.tape.schema import (
    NOTICE,
    OPTIONAL,
    REQUIRED,
    check_notice_columns,
    in_tape_types,
    open_file,
    unreadable,
)
from desk.tape.time_units import is_plausible, refuse_implausible

ROWS_PER_BLOCK: Final = 32_768
_KINDS: Final = {
    "trade": TRADE,
    "quote": QUOTE,
    "correction": CORRECTION,
    "cancel": CANCEL,
    "status": STATUS,
    "luld": LULD,
    "bar": BAR,
}
_CHECKED: Final = ["recv_ns", "ts_ns", "symbol", "kind", "price", "size"]


class TapeSource:
    """The rows of one Parquet file, of a folder of them, or of the matches of a glob, in name order.

    The argument is a path, or a URL that desk.files.storage supports.

    `start_ns` is the time at which the first row was received, `end_ns` the instant after the last; `symbols` are
    sorted; `tally` counts its rows by minute; `notes` name files that a folder or a glob leaves out. The constructor
    checks everything: every file is a tape of this version with the columns and types of desk/tape/schema.py, every row
    has a symbol, and rows are in the order of arrival, also across files. `require_ns` checks the unit of the times.
    Raises TapeError for the first fault, with file and row (counted from 0 in each file), and the errors of
    desk.files.storage.
    """

    def __init__(self, path: Path | str) -> None:
        self.place = str(path)
        self.files, left_out = find_files(self.place)
        self.notes = [f"no part of {self.place}: {describe_left_out(left_out)}"] if left_out else []
        self.rows = 0
        self._groups: list[_Group] = []
        self._times: list[tuple[str, str, int]] = []
        self._spans: list[_FileSpan] = []
        newest_ns = None
        for file in self.files:
            checked = [group for group in _check(file, newest_ns, self._times) if len(group.tally)]
            self._spans.append(_span(checked))
            for group in checked:
                self.rows += group.rows
                newest_ns = group.tally.end_ns - 1
                self._groups.append(group)
        if not self._groups:
            raise TapeError(self.place, "no rows", "recorded market data", "Record it again.")
        self.tally = MinuteCounts.joined(group.tally for group in self._groups)
        self.start_ns = self.tally.start_ns
        self.end_ns = self.tally.end_ns
        self.symbols = self.symbols_between(self.start_ns, self.end_ns)
        self._number = {name: index for index, name in enumerate(self.symbols)}

    def require_ns(self) -> None:
        """Raise TapeError if times are in another unit than ns since the epoch."""
        for place, column, time in self._times:
            refuse_implausible(place, column, time)

    def symbols_between(self, from_ns: int, until_ns: int) -> tuple[str, ...]:
        """The symbols of the row groups that overlap that period, sorted."""
        symbols: set[str] = set()
        for group in self._groups:
            if group.tally.start_ns < until_ns and group.tally.end_ns > from_ns:
                symbols.update(group.symbols)
        return tuple(sorted(symbols))

    def blocks(self, from_ns: int | None = None, until_ns: int | None = None) -> Iterator[Block]:
        """The rows in arrival order; ordinals are row numbers over all files. Raises TapeError for damage.

        Files without a row from `from_ns` on and before `until_ns` are skipped.
        """
        ordinal = 0
        for tape, span in zip(self.files, self._spans, strict=True):
            if (
                not span.rows
                or (from_ns is not None and span.end_ns <= from_ns)
                or (until_ns is not None and span.start_ns >= until_ns)
            ):
                ordinal += span.rows
                continue
            file = open_file(tape)
            optional = [*OPTIONAL.names, *(NOTICE.names if span.notices else ())]
            columns = [*REQUIRED.names, *(name for name in optional if name in file.schema_arrow.names)]
            try:
                for batch in file.iter_batches(ROWS_PER_BLOCK, columns=columns, use_threads=False):
                    yield self._block(in_tape_types(batch), ordinal)
                    ordinal += batch.num_rows
            except (pa.ArrowException, OSError) as error:
                raise unreadable(tape, error) from error

    def _block(self, batch: Any, first_ordinal: int) -> Block:
        symbol, names = _texts(batch, "symbol")
        # A dictionary may have names without a row.
        numbers = np.array([*(self._number.get(name, -1) for name in names), -1], np.int32)
        exchange, exchanges = _texts(batch, "exchange")
        conditions, codes = _texts(batch, "conditions")
        kind = _kinds(batch)
        named = set(batch.schema.names)
        tape, tapes = _texts(batch, "tape") if "tape" in named else (None, ())
        trade_id = _ids(batch, "trade_id") if "trade_id" in named else np.zeros(len(kind), np.uint64)
        originals = None
        if are_revisions(kind).any():
            originals, codes = _originals(batch, np.where(kind == CANCEL, trade_id, 0), codes)
        return Block(
            first_ordinal=first_ordinal,
            recv_ns=_ints(batch, "recv_ns"),
            ts_ns=_ints(batch, "ts_ns"),
            kind=kind,
            symbol=numbers[symbol],
            price=_floats(batch, "price"),
            size=_floats(batch, "size"),
            bid=_floats(batch, "bid"),
            bid_size=_floats(batch, "bid_size"),
            ask=_floats(batch, "ask"),
            ask_size=_floats(batch, "ask_size"),
            exchange=exchange,
            conditions=conditions,
            trade_id=trade_id,
            symbols=self.symbols,
            exchanges=exchanges,
            condition_codes=codes,
            tapes=tapes,
            tape=None if tape is None or tape.max(initial=-1) < 0 else tape,
            originals=originals,
            notices=notices_of(batch, kind) if are_notices(kind).any() else None,
        )


class _Group(NamedTuple):
    """One checked row group."""

    rows: int
    tally: MinuteCounts
    symbols: list[str]


class _FileSpan(NamedTuple):
    """Start, end and number of rows of a file, and whether it has notices."""

    start_ns: int = 0
    end_ns: int = 0
    rows: int = 0
    notices: bool = False


def _span(groups: Sequence[_Group]) -> _FileSpan:
    """The span of a file with these groups."""
    if not groups:
        return _FileSpan()
    notices = any(group.tally.notices.any() for group in groups)
    return _FileSpan(groups[0].tally.start_ns, groups[-1].tally.end_ns, sum(group.rows for group in groups), notices)


def _check(tape: TapeFile, newest_ns: int | None, times: list[tuple[str, str, int]]) -> Iterator[_Group]:
    """The row groups of a file; raises TapeError for the first fault. `times` receives times to check the unit by."""
    file = open_file(tape)
    row = 0
    medians: list[tuple[int, int]] = []
    for number in range(file.num_row_groups):
        try:
            group = in_tape_types(file.read_row_group(number, columns=_CHECKED, use_threads=False))
        except (pa.ArrowException, OSError) as error:
            raise unreadable(tape, error) from error
        for name in ("recv_ns", "symbol"):
            _refuse_nulls(tape.place, row, name, group.column(name))
        recv_ns = group.column("recv_ns").to_numpy()
        if not len(recv_ns):
            continue
        times += [(f"{tape.place}: row {row + at % len(recv_ns)}", "recv_ns", int(recv_ns[at])) for at in (0, -1)]
        _refuse_disorder(tape.place, row, recv_ns, newest_ns)
        medians += _median(group.column("ts_ns"))
        newest_ns = int(recv_ns[-1])
        row += len(recv_ns)
        tally = MinuteCounts.joined([_tally(batch) for batch in group.to_batches() if batch.num_rows])
        if tally.notices.any():
            check_notice_columns(tape, file)
        yield _Group(len(recv_ns), tally, pc.unique(group.column("symbol")).to_pylist())
    if medians:
        times.append((f"{tape.place}: most rows", "ts_ns", _weighted_median(medians)))


def _tally(batch: Any) -> MinuteCounts:
    kind, price, size = _kinds(batch), _floats(batch, "price"), _floats(batch, "size")
    prints = (kind == TRADE) & (price > 0) & (price < np.inf) & (size > 0) & (size < np.inf)
    return MinuteCounts.of(_ints(batch, "recv_ns"), classes_of(kind, price), prints)


def _median(column: Any) -> list[tuple[int, int]]:
    """The median of the venue's times, with their number; nothing without times (null and 0 do not count)."""
    times = column.drop_null().to_numpy()
    times = times[times != 0]
    return [(int(np.partition(times, len(times) // 2)[len(times) // 2]), len(times))] if len(times) else []


def _weighted_median(medians: list[tuple[int, int]]) -> int:
    """The median of the row groups' medians, each counted with its rows."""
    half = sum(rows for _, rows in medians) / 2
    passed = 0
    for time, rows in sorted(medians):
        passed += rows
        if passed >= half:
            return time
    raise AssertionError("no row group")


def _refuse_nulls(place: str, first_row: int, name: str, column: Any) -> None:
    if column.null_count:
        row = first_row + int(np.argmax(column.is_null().to_numpy()))
        raise TapeError(f"{place}: row {row}", f"`{name}` is null", "a value in every row")


def _refuse_disorder(place: str, first_row: int, recv_ns: NDArray[np.int64], newest_ns: int | None) -> None:
    before = np.concatenate(([recv_ns[0] if newest_ns is None else newest_ns], recv_ns[:-1]))
    back = np.flatnonzero(recv_ns < before)
    if len(back):
        at = int(back[0])
        if is_plausible(int(before[at])):
            refuse_implausible(f"{place}: row {first_row + at}", "recv_ns", int(recv_ns[at]))
        raise TapeError(
            f"{place}: row {first_row + at}",
            f"`recv_ns` goes back from {before[at]} to {recv_ns[at]}",
            "rows in the order of their arrival, and files named in that order",
            "Sort the rows by recv_ns, or rename the files.",
        )


def _kinds(batch: Any) -> NDArray[np.int8]:
    """The kind of each row."""
    kind, kinds = _texts(batch, "kind")
    known = np.array([*(_KINDS.get(name, UNKNOWN) for name in kinds), UNKNOWN], np.int8)
    codes: NDArray[np.int8] = known[kind]
    return codes


def _ints(batch: Any, name: str) -> NDArray[np.int64]:
    """The column, nulls as 0."""
    column = batch.column(name)
    values: NDArray[np.int64] = (column.fill_null(0) if column.null_count else column).to_numpy()
    return values


def _ids(batch: Any, name: str) -> NDArray[np.uint64]:
    """The column, nulls as 0. Version 1 has ids with a sign."""
    column = batch.column(name)
    values: NDArray[np.uint64] = (column.fill_null(0) if column.null_count else column).to_numpy().astype(np.uint64)
    return values


def _originals(batch: Any, otherwise: NDArray[np.uint64], codes: tuple[str, ...]) -> tuple[Originals, tuple[str, ...]]:
    """The original trades that rows name, and the condition codes of both.

    A cancel may name its trade by `trade_id` as well: `otherwise` is used where `original_id` names none.
    """
    named, rows = set(batch.schema.names), batch.num_rows
    ids = _ids(batch, "original_id") if "original_id" in named else np.zeros(rows, np.uint64)
    price = _floats(batch, "original_price") if "original_price" in named else np.full(rows, np.nan)
    size = _floats(batch, "original_size") if "original_size" in named else np.full(rows, np.nan)
    conditions = np.full(rows, -1, np.int32)
    more: tuple[str, ...] = ()
    if "original_conditions" in named:
        conditions, more = _texts(batch, "original_conditions")
        conditions = np.where(conditions < 0, -1, conditions + len(codes)).astype(np.int32)
    return Originals(np.where(ids == 0, otherwise, ids), price, size, conditions), (*codes, *more)


def _floats(batch: Any, name: str) -> NDArray[np.float64]:
    """The column, nulls as NaN."""
    values: NDArray[np.float64] = batch.column(name).to_numpy(zero_copy_only=False)
    return values


def _texts(batch: Any, name: str) -> tuple[NDArray[np.int32], tuple[str, ...]]:
    """Indices into a table of strings, -1 for null, and the table."""
    column = batch.column(name)
    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    indices = column.indices.fill_null(-1) if column.null_count else column.indices
    return indices.to_numpy().astype(np.int32, copy=False), tuple(column.dictionary.to_pylist())
