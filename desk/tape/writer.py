"""Writing tapes."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from desk.model.blocks import CORRECTION, TRADE, UNKNOWN, Block, are_revisions
from desk.model.errors import TapeError
from desk.model.notices import Notice, PriceBands, TradingStatus, VenueBar
from desk.model.ticks import Cancel, Correction, Event, Quote, Trade
from desk.tape.notice_rows import notice_columns
from desk.tape.schema import WRITTEN

ROWS_PER_GROUP: Final = 131_072
TEXT: Final = WRITTEN.field("tape").type
KINDS: Final = ("trade", "quote", "", "correction", "cancel", "status", "luld", "bar")
"""Indexed by the kinds of desk.model.blocks."""
KIND_OF: Final = {
    Trade: "trade",
    Quote: "quote",
    Correction: "correction",
    Cancel: "cancel",
    TradingStatus: "status",
    PriceBands: "luld",
    VenueBar: "bar",
}


class TapeWriter:
    """Writes a tape to a file `*.part` beside the target, and renames it atomically on `close`.

    As a context manager it closes at the end, and deletes its file after an exception. Rows must be in the order of
    arrival. Holds at most one row group in memory. Raises TapeError if it cannot write.

    `newest_ns` is the received time of the last row, at first of the tape's file before this one.
    """

    def __init__(self, path: Path | str, newest_ns: int | None = None) -> None:
        self.path = Path(path)
        self.rows = 0
        self.newest_ns = newest_ns
        self._part = self.path.with_name(f"{self.path.name}.part")
        self._waiting: list[Any] = []
        self._waiting_rows = 0
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file: Any = pq.ParquetWriter(self._part, WRITTEN, compression="zstd")
        except OSError as error:
            raise self._unwritable(error) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.discard()

    def write(self, block: Block) -> None:
        """Append a block. Raises TapeError if `recv_ns` decreases, within it or against earlier rows."""
        if len(block):
            self._refuse_disorder(block)
            self._append(_from_block(block))

    def write_ticks(self, ticks: Sequence[Event], received_ns: NDArray[np.int64] | None = None) -> None:
        """Append ticks and notices. Their `recv_ns` is raised to the newest so far if a clock was set back.

        It is `received_ns`, one for each tick, else the ticks' own.
        """
        if ticks:
            if received_ns is None:
                received_ns = np.array([tick.received_ns for tick in ticks], np.int64)
            if self.newest_ns is not None:
                received_ns[0] = max(int(received_ns[0]), self.newest_ns)
            self._append(_from_ticks(ticks, np.maximum.accumulate(received_ns)))

    def write_rows(self, rows: Any) -> None:
        """Append a record batch with the columns of `desk.tape.schema.WRITTEN`, in the order of arrival."""
        if rows.num_rows:
            self._append(rows)

    def close(self) -> None:
        """Write the buffered rows and rename the file to its final name; a repeated call does nothing."""
        if self._file is None:
            return
        self._flush()
        try:
            self._file.close()
            self._part.replace(self.path)
        except OSError as error:
            raise self._unwritable(error) from error
        self._file = None

    def discard(self) -> None:
        """Delete the unfinished file."""
        if self._file is not None:
            # The file is deleted anyway, so its errors do not matter.
            with suppress(OSError):
                self._file.close()
            self._file = None
            self._part.unlink(missing_ok=True)

    def _append(self, batch: Any) -> None:
        self.newest_ns = batch.column("recv_ns")[-1].as_py()
        self.rows += batch.num_rows
        self._waiting.append(batch)
        self._waiting_rows += batch.num_rows
        if self._waiting_rows >= ROWS_PER_GROUP:
            self._flush()

    def _flush(self) -> None:
        if not self._waiting:
            return
        table = pa.Table.from_batches(self._waiting).unify_dictionaries()
        self._waiting, self._waiting_rows = [], 0
        try:
            self._file.write_table(table, ROWS_PER_GROUP)
        except OSError as error:
            raise self._unwritable(error) from error

    def _refuse_disorder(self, block: Block) -> None:
        first_ns = int(block.recv_ns[0])
        if np.any(block.recv_ns[1:] < block.recv_ns[:-1]) or first_ns < (self.newest_ns or first_ns):
            raise TapeError(
                str(self.path), f"`recv_ns` goes back after row {self.rows}", "rows in the order of their arrival"
            )

    def _unwritable(self, error: OSError) -> TapeError:
        return TapeError(
            str(self.path), f"cannot be written ({error.strerror or error})", "a writable folder with room"
        )


def _from_block(block: Block) -> Any:
    rows = len(block)
    kinds = np.where(block.kind == UNKNOWN, -1, block.kind)
    originals = block.originals
    revisions = are_revisions(block.kind)
    columns = {
        "recv_ns": block.recv_ns,
        "ts_ns": block.ts_ns,
        "kind": _texts(kinds, KINDS),
        # A row without a symbol is kept as one that a feed rejects; null would make the whole tape unreadable.
        "symbol": _texts(np.where(block.symbol < 0, len(block.symbols), block.symbol), (*block.symbols, "")),
        "exchange": _texts(block.exchange, block.exchanges),
        "conditions": _texts(block.conditions, block.condition_codes),
        "trade_id": pa.array(block.trade_id, mask=(block.kind != TRADE) & (block.kind != CORRECTION)),
        "tape": pa.nulls(rows, TEXT) if block.tape is None else _texts(block.tape, block.tapes),
        "original_id": pa.nulls(rows) if originals is None else pa.array(originals.trade_id, mask=~revisions),
        "original_price": pa.nulls(rows) if originals is None else pa.array(originals.price, from_pandas=True),
        "original_size": pa.nulls(rows) if originals is None else pa.array(originals.size, from_pandas=True),
        "original_conditions": pa.nulls(rows, TEXT)
        if originals is None
        else _texts(np.where(revisions, originals.conditions, -1), block.condition_codes),
    }
    for name in ("price", "size", "bid", "bid_size", "ask", "ask_size"):
        columns[name] = pa.array(getattr(block, name), from_pandas=True)
    return _batch(columns | notice_columns(None if block.notices is None else block.notices.tolist(), rows))


def _from_ticks(ticks: Sequence[Event], recv_ns: NDArray[np.int64]) -> Any:
    trades = [tick if isinstance(tick, Trade | Correction) else None for tick in ticks]
    quotes = [tick if isinstance(tick, Quote) else None for tick in ticks]
    revisions = [tick if isinstance(tick, Correction | Cancel) else None for tick in ticks]
    columns: dict[str, Any] = {
        "recv_ns": recv_ns,
        "ts_ns": [tick.ts_ns for tick in ticks],
        "kind": [KIND_OF[type(tick)] for tick in ticks],
        "symbol": [tick.symbol for tick in ticks],
        "original_conditions": [tick.original_conditions if isinstance(tick, Correction) else None for tick in ticks],
    }
    for name in ("exchange", "conditions", "tape"):
        columns[name] = [getattr(tick, name, None) for tick in ticks]
    for name in ("price", "size", "trade_id"):
        columns[name] = [None if trade is None else getattr(trade, name) for trade in trades]
    for name in ("original_id", "original_price", "original_size"):
        columns[name] = [None if revision is None else getattr(revision, name) for revision in revisions]
    for name in ("bid", "bid_size", "ask", "ask_size"):
        columns[name] = [None if quote is None else getattr(quote, name) for quote in quotes]
    notices = [tick if isinstance(tick, Notice) else None for tick in ticks]
    return _batch(columns | notice_columns(notices if any(notices) else None, len(ticks)))


def _batch(columns: dict[str, Any]) -> Any:
    return pa.record_batch([pa.array(columns[field.name], field.type) for field in WRITTEN], schema=WRITTEN)


def _texts(index: NDArray[Any], table: tuple[str, ...]) -> Any:
    """A dictionary column; -1 is null."""
    values = index.astype(np.int32)
    return pa.DictionaryArray.from_arrays(pa.array(values, mask=values < 0), pa.array(table, pa.string()))
