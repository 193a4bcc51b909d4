"""Tapes as block sources."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from desk.market.blocks import QUOTE, TRADE, UNKNOWN, Block
from desk.model.errors import TapeError
from desk.tape.files import TapeFile, find_files, words_left_out
from desk.tape.schema import OPTIONAL, REQUIRED, in_tape_types, open_file, unreadable

ROWS_PER_BLOCK: Final = 32_768
_KINDS: Final = {"trade": TRADE, "quote": QUOTE}


class TapeSource:
    """The rows of one Parquet file, of a folder of them, or of those that a glob matches, in name order.

    They are named by a path, or by a URL that desk.storage takes.

    `start_ns` is when the first row was received, `end_ns` the instant after the last; `symbols` are sorted; `notes`
    tell of files beside them that a folder or a glob leaves out.
    Opening it checks it all: every file is a tape of this version with the columns and types of
    desk/tape/schema.py, no row lacks a symbol, and rows are in the order of arrival, across files too.
    Raises TapeError for the first fault, with file and row (counted from 0 in each file), and what
    desk.storage raises.
    """

    def __init__(self, path: Path | str) -> None:
        self.place = str(path)
        self.files, left_out = find_files(self.place)
        self.notes = [f"no part of {self.place}: {words_left_out(left_out)}"] if left_out else []
        self.rows = 0
        symbols: set[str] = set()
        times: list[int] = []
        for file in self.files:
            for rows, first_ns, last_ns, names in _check(file, times[-1] if times else None):
                self.rows += rows
                times += (first_ns, last_ns)
                symbols.update(names)
        if not times:
            raise TapeError(self.place, "no rows", "recorded market data", "Record it again.")
        self.symbols: tuple[str, ...] = tuple(sorted(symbols))
        self.start_ns = times[0]
        self.end_ns = times[-1] + 1
        self._number = {name: index for index, name in enumerate(self.symbols)}

    def blocks(self) -> Iterator[Block]:
        """The rows in arrival order; ordinals are row numbers over all files. Raises TapeError for damage."""
        ordinal = 0
        for tape in self.files:
            file = open_file(tape)
            columns = [*REQUIRED.names, *(name for name in OPTIONAL.names if name in file.schema_arrow.names)]
            try:
                for batch in file.iter_batches(ROWS_PER_BLOCK, columns=columns, use_threads=False):
                    yield self._block(in_tape_types(batch), ordinal)
                    ordinal += batch.num_rows
            except (pa.ArrowException, OSError) as error:
                raise unreadable(tape, error) from error

    def _block(self, batch: Any, first_ordinal: int) -> Block:
        symbol, names = _texts(batch, "symbol")
        # A dictionary may hold names that no row has.
        numbers = np.array([*(self._number.get(name, -1) for name in names), -1], np.int32)
        kind, kinds = _texts(batch, "kind")
        known = np.array([*(_KINDS.get(name, UNKNOWN) for name in kinds), UNKNOWN], np.int8)
        exchange, exchanges = _texts(batch, "exchange")
        conditions, codes = _texts(batch, "conditions")
        return Block(
            first_ordinal=first_ordinal,
            recv_ns=_ints(batch, "recv_ns"),
            ts_ns=_ints(batch, "ts_ns"),
            kind=known[kind],
            symbol=numbers[symbol],
            price=_floats(batch, "price"),
            size=_floats(batch, "size"),
            bid=_floats(batch, "bid"),
            bid_size=_floats(batch, "bid_size"),
            ask=_floats(batch, "ask"),
            ask_size=_floats(batch, "ask_size"),
            exchange=exchange,
            conditions=conditions,
            trade_id=_ints(batch, "trade_id") if "trade_id" in batch.schema.names else np.zeros(len(kind), np.int64),
            symbols=self.symbols,
            exchanges=exchanges,
            condition_codes=codes,
        )


def _check(tape: TapeFile, newest_ns: int | None) -> Iterator[tuple[int, int, int, list[str]]]:
    """Rows, first and last time and symbols of each row group; raises TapeError for the first fault."""
    file = open_file(tape)
    row = 0
    for number in range(file.num_row_groups):
        try:
            group = in_tape_types(file.read_row_group(number, columns=["recv_ns", "symbol"], use_threads=False))
        except (pa.ArrowException, OSError) as error:
            raise unreadable(tape, error) from error
        for name in ("recv_ns", "symbol"):
            _refuse_nulls(tape.place, row, name, group.column(name))
        recv_ns = group.column("recv_ns").to_numpy()
        if not len(recv_ns):
            continue
        _refuse_disorder(tape.place, row, recv_ns, newest_ns)
        newest_ns = int(recv_ns[-1])
        row += len(recv_ns)
        yield len(recv_ns), int(recv_ns[0]), newest_ns, pc.unique(group.column("symbol")).to_pylist()


def _refuse_nulls(place: str, first_row: int, name: str, column: Any) -> None:
    if column.null_count:
        row = first_row + int(np.argmax(column.is_null().to_numpy()))
        raise TapeError(f"{place}: row {row}", f"`{name}` is null", "a value in every row")


def _refuse_disorder(place: str, first_row: int, recv_ns: NDArray[np.int64], newest_ns: int | None) -> None:
    before = np.concatenate(([recv_ns[0] if newest_ns is None else newest_ns], recv_ns[:-1]))
    back = np.flatnonzero(recv_ns < before)
    if len(back):
        at = int(back[0])
        raise TapeError(
            f"{place}: row {first_row + at}",
            f"`recv_ns` goes back from {before[at]} to {recv_ns[at]}",
            "rows in the order of their arrival, and files named in that order",
            "Sort the rows by recv_ns, or rename the files.",
        )


def _ints(batch: Any, name: str) -> NDArray[np.int64]:
    """The column, nulls as 0."""
    column = batch.column(name)
    values: NDArray[np.int64] = (column.fill_null(0) if column.null_count else column).to_numpy()
    return values


def _floats(batch: Any, name: str) -> NDArray[np.float64]:
    """The column, nulls as NaN."""
    values: NDArray[np.float64] = batch.column(name).to_numpy(zero_copy_only=False)
    return values


def _texts(batch: Any, name: str) -> tuple[NDArray[np.int32], tuple[str, ...]]:
    """Indices, -1 for null, and the table they point into."""
    column = batch.column(name)
    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    indices = column.indices.fill_null(-1) if column.null_count else column.indices
    return indices.to_numpy().astype(np.int32, copy=False), tuple(column.dictionary.to_pylist())
