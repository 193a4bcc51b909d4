"""bars.parquet: one row per symbol and minute with an eligible trade, sorted by symbol and minute."""

from array import array
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from desk.files.atomic import replacing
from desk.model.bars import Bar, BarFlag

ROW_GROUP_ROWS: Final = 131_072
NO_METADATA: Final[Mapping[str, str]] = {}
FLAGS: Final[tuple[BarFlag, ...]] = ("complete", "partial", "repaired")
SCHEMA: Final = pa.schema(
    [
        ("symbol", pa.string()),
        ("minute_ns", pa.int64()),
        ("open", pa.float64()),
        ("high", pa.float64()),
        ("low", pa.float64()),
        ("close", pa.float64()),
        ("volume", pa.float64()),
        ("vwap", pa.float64()),
        ("trades", pa.int64()),
        ("flags", pa.string()),
    ]
)


class BarsFileColumns:
    """Priced bars as growing columns: some 80 bytes a bar, where the structs would take several hundred."""

    def __init__(self, bars: Iterable[Bar]) -> None:
        self.symbols: dict[str, int] = {}
        self._symbol = array("q")
        self._integers = {name: array("q") for name in ("minute_ns", "trades")}
        self._floats = {name: array("d") for name in ("open", "high", "low", "close", "volume", "vwap")}
        self._flags = array("b")
        for bar in bars:
            if bar.priced:
                self._add(bar)

    def _add(self, bar: Bar) -> None:
        self._symbol.append(self.symbols.setdefault(bar.symbol, len(self.symbols)))
        for name, integers in self._integers.items():
            integers.append(getattr(bar, name))
        for name, floats in self._floats.items():
            floats.append(getattr(bar, name))
        self._flags.append(FLAGS.index(bar.flags))

    def order(self) -> NDArray[np.intp]:
        """Row indices by (symbol, minute_ns); of several versions of one minute, the last added."""
        names = sorted(self.symbols)
        rank_of_code = np.empty(len(names), np.int64)
        rank_of_code[[self.symbols[name] for name in names]] = np.arange(len(names))
        rank, minute = rank_of_code[np.asarray(self._symbol)], np.asarray(self._integers["minute_ns"])
        order = np.lexsort((minute, rank))
        rank, minute = rank[order], minute[order]
        followed = (rank[1:] == rank[:-1]) & (minute[1:] == minute[:-1])
        last: NDArray[np.intp] = order[np.append(~followed, True)[: len(order)]]
        return last

    def table(self, rows: NDArray[np.intp]) -> pa.Table:
        """These rows, in this order, as bars.parquet has them."""
        columns = {name: pa.array(np.asarray(values)[rows]) for name, values in (self._integers | self._floats).items()}
        columns["symbol"] = _words(np.asarray(self._symbol)[rows], list(self.symbols))
        columns["flags"] = _words(np.asarray(self._flags)[rows], list(FLAGS))
        return pa.table([columns[name] for name in SCHEMA.names], schema=SCHEMA)


def write_bars(path: Path, bars: Iterable[Bar], metadata: Mapping[str, str] = NO_METADATA) -> int:
    """Write the priced bars among these, in row groups, and metadata of the file; return the number of rows.

    Where a minute comes more than once, its last version counts. Raises RunFailed.
    """
    columns = BarsFileColumns(bars)
    order = columns.order()
    with replacing(path) as beside, pq.ParquetWriter(beside, SCHEMA) as writer:
        writer.add_key_value_metadata(dict(metadata))
        for start in range(0, len(order), ROW_GROUP_ROWS):
            writer.write_table(columns.table(order[start : start + ROW_GROUP_ROWS]))
    return len(order)


def _words(codes: NDArray[np.integer], words: list[str]) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.array(codes), pa.array(words, pa.string())).cast(pa.string())
