"""Makes a tape of tables with columns of any names: Parquet or CSV files.

Tests: tests/desk/tape/test_conversion.py
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pcsv
import pyarrow.parquet as pq

from desk.model.errors import PlanError, TapeError
from desk.tape.schema import TIMES, WRITTEN
from desk.tape.time_units import refuse_implausible
from desk.tape.writer import ROWS_PER_GROUP, TapeWriter

UNITS: Final = {"s": 1_000_000_000, "ms": 1_000_000, "us": 1_000, "ns": 1}
KINDS: Final = ("trade", "quote", "correction", "cancel")
TEXT_FIELDS: Final = frozenset(field.name for field in WRITTEN if pa.types.is_dictionary(field.type))
REQUIRED_FIELDS: Final = ("ts_ns", "symbol")
OF_KIND: Final = {
    "trade": frozenset({"price", "size"}),
    "quote": frozenset({"bid", "bid_size", "ask", "ask_size"}),
}


class Source(msgspec.Struct, frozen=True):
    """Where a tape's column comes from: a column, for times with its unit, or one value for all rows."""

    column: str = ""
    unit: str = ""
    value: str = ""


class ColumnMap(msgspec.Struct, frozen=True):
    """The source of each column of the tape that has one."""

    sources: dict[str, Source]

    def for_columns(self, names: Collection[str]) -> dict[str, Source]:
        """The sources of the tape's columns in a table with these columns: those of the same name need no map.

        Without a source the kind follows from the other columns. Raises PlanError.
        """
        same = {name: Source(column=name) for name in WRITTEN.names if name in names}
        sources = same | self.sources
        for field in REQUIRED_FIELDS:
            _require(field in sources, "--map", f"no {field}", f"{field}=COLUMN")
        if "kind" not in sources:
            sources["kind"] = Source(value=_kind_of(sources.keys()))
        return sources

    @classmethod
    def parsed(cls, maps: Sequence[str], values: Sequence[str]) -> "ColumnMap":
        """The map of FIELD=COLUMN, FIELD=COLUMN:UNIT and FIELD=VALUE arguments. Raises PlanError."""
        sources: dict[str, Source] = {}
        for option, text in [*(("--map", text) for text in maps), *(("--set", text) for text in values)]:
            field, sign, rest = text.partition("=")
            _require(bool(sign and rest), option, text, "FIELD=COLUMN, such as ts_ns=time:ms")
            if field not in WRITTEN.names:
                near = get_close_matches(field, WRITTEN.names, 1)
                _require(False, option, field, f"a column of a tape: {', '.join(near or WRITTEN.names)}")
            sources[field] = _mapped(field, rest) if option == "--map" else Source(value=rest)
        kind = sources.get("kind", Source()).value
        _require(kind in {"", *KINDS}, "--set kind", kind, f"one of {', '.join(KINDS)}")
        return cls(sources)


def _kind_of(fields: Collection[str]) -> str:
    """The only kind of row that has one of these fields. Raises PlanError."""
    kinds = [kind for kind, columns in OF_KIND.items() if not columns.isdisjoint(fields)]
    if len(kinds) == 1:
        return kinds[0]
    found = "columns of trades and of quotes" if kinds else "neither a price nor a bid or ask"
    raise PlanError("--map", found, "the kind of the rows", "Add --map kind=COLUMN, or --set kind=trade.")


def _mapped(field: str, text: str) -> Source:
    if field not in TIMES:
        return Source(column=text)
    column, _, unit = text.rpartition(":")
    if not column:
        column, unit = text, ""
    _require(unit in {"", *UNITS}, "--map", f"{field}={text}", f"a unit of time: {', '.join(UNITS)}")
    return Source(column, unit)


def _require(holds: bool, place: str, found: str, expected: str) -> None:
    if not holds:
        raise PlanError(place, f"`{found}`", expected, "Correct it.")


def write_converted(paths: Sequence[Path], columns: ColumnMap, tape: Path, on_progress: Callable[[float], None]) -> int:
    """Write the rows of all files as one tape, sorted by the time received, and return their number.

    Without `recv_ns` a row was received at its venue time. Needs memory for all rows, about 150 bytes each.
    `on_progress` gets the fraction done. Raises PlanError, TapeError.
    """
    batches: list[Any] = []
    for number, path in enumerate(paths):
        for done, table in _tables(path):
            batches += _taped(path, table, columns).to_batches()
            on_progress(0.8 * (number + done) / len(paths))
    if not any(batch.num_rows for batch in batches):
        raise TapeError(", ".join(map(str, paths)), "no rows", "files with rows")
    rows = pa.Table.from_batches(batches).unify_dictionaries()
    order = np.argsort(rows.column("recv_ns").to_numpy(), kind="stable")
    with TapeWriter(tape) as writer:
        for start in range(0, len(order), ROWS_PER_GROUP):
            part = rows.take(pa.array(order[start : start + ROWS_PER_GROUP])).combine_chunks().unify_dictionaries()
            for batch in part.to_batches():
                writer.write_rows(batch)
            on_progress(0.8 + 0.2 * start / len(order))
    on_progress(1.0)
    return len(order)


def _tables(path: Path) -> Iterator[tuple[float, Any]]:
    """The fraction of the file read, and the next part of it. Raises TapeError."""
    size = max(path.stat().st_size, 1) if path.is_file() else 1
    try:
        if path.name.endswith((".csv", ".csv.gz", ".txt")):
            with pcsv.open_csv(path, convert_options=pcsv.ConvertOptions(strings_can_be_null=True)) as reader:
                read = 0
                for batch in reader:
                    read += batch.nbytes
                    yield min(read / size, 1.0), pa.Table.from_batches([batch])
        else:
            file = pq.ParquetFile(path)
            for number in range(file.num_row_groups):
                yield (number + 1) / file.num_row_groups, file.read_row_group(number)
    except (pa.ArrowException, OSError) as error:
        found = str(error).split("\n", maxsplit=1)[0]
        raise TapeError(str(path), f"cannot be read ({found})", "a Parquet or CSV file") from error


def _taped(path: Path, table: Any, columns: ColumnMap) -> Any:
    """The rows of a table with the columns of a tape."""
    sources = columns.for_columns(table.column_names)
    made: dict[str, Any] = {}
    for field in WRITTEN:
        source = sources.get(field.name)
        if source is None:
            made[field.name] = pa.nulls(len(table), field.type)
        elif source.value:
            made[field.name] = _constant(field, source.value, len(table))
        else:
            made[field.name] = _column(path, table, field, source)
    if "recv_ns" not in sources:
        made["recv_ns"] = made["ts_ns"]
    _refuse_kinds(path, made["kind"])
    return pa.table([made[field.name] for field in WRITTEN], schema=WRITTEN)


def _constant(field: Any, value: str, rows: int) -> Any:
    try:
        scalar = pa.scalar(value, pa.string()).cast(field.type.value_type if field.name in TEXT_FIELDS else field.type)
    except pa.ArrowException as error:
        raise PlanError(f"--set {field.name}", f"`{value}`", f"{field.type}", "Correct the value.") from error
    column = pa.array([scalar.as_py()]).take(pa.array(np.zeros(rows, np.int64)))
    return column.cast(field.type) if field.name not in TEXT_FIELDS else column.dictionary_encode().cast(field.type)


def _column(path: Path, table: Any, field: Any, source: Source) -> Any:
    if source.column not in table.column_names:
        near = get_close_matches(source.column, table.column_names, 1)
        expected = f"one of its columns: {', '.join(near or table.column_names)}"
        raise PlanError(
            f"--map {field.name}", f"`{source.column}`, which {path} does not have", expected, "Correct it."
        )
    column = table.column(source.column)
    place = f"{path}: column `{source.column}`"
    if field.name in TIMES:
        return _times(place, field.name, column, source.unit)
    try:
        if field.name in TEXT_FIELDS:
            return _text(column).combine_chunks().dictionary_encode().cast(field.type)
        return column.cast(field.type)
    except pa.ArrowException as error:
        found = str(error).split("\n", maxsplit=1)[0]
        raise TapeError(place, f"{column.type}: {found}", f"{field.type}", "Convert the column.") from error


def _text(column: Any) -> Any:
    """A column of texts, or of lists of texts (condition codes), as plain text."""
    if pa.types.is_list(column.type) or pa.types.is_large_list(column.type):
        column = pc.binary_join(column, "")
    return column.cast(pa.string())


def _times(place: str, name: str, column: Any, unit: str) -> Any:
    """The times in ns. Raises TapeError for nulls, for a number without a unit, and for times that cannot be."""
    if column.null_count:
        raise TapeError(place, f"{column.null_count} rows without a time", "a time in every row")
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        column = _instants(place, column)
    if pa.types.is_timestamp(column.type):
        times = column.cast(pa.timestamp("ns", column.type.tz)).cast(pa.int64())
    elif not unit:
        raise TapeError(place, f"{column.type}, without a unit", "s, ms, us or ns", f"Write --map {name}=COLUMN:ms.")
    else:
        times = _scaled(place, column, UNITS[unit])
    for time in (pc.min(times), pc.max(times)) if len(times) else ():
        refuse_implausible(place, name, time.as_py())
    return times.combine_chunks() if isinstance(times, pa.ChunkedArray) else times


def _instants(place: str, column: Any) -> Any:
    """The ISO texts as timestamps. A text without a zone is UTC."""
    try:
        return column.cast(pa.timestamp("ns", "UTC"))
    except pa.ArrowException:
        try:
            return column.cast(pa.timestamp("ns"))
        except pa.ArrowException as error:
            found = str(error).split("\n", maxsplit=1)[0]
            raise TapeError(place, found, "times as ISO text, such as 2026-01-05T14:30:00Z") from error


def _scaled(place: str, column: Any, factor: int) -> Any:
    """Numbers in a unit of `factor` ns, as ns. Fractions count to the nearest microsecond."""
    if pa.types.is_floating(column.type):
        micros = pc.round(pc.multiply(column, factor / 1_000)).cast(pa.int64())
        return pc.multiply(micros, 1_000)
    try:
        return pc.multiply_checked(column.cast(pa.int64()), factor)
    except pa.ArrowException as error:
        found = f"{column.type} that are no times in this unit ({error})"
        raise TapeError(
            place, found, "times from 1990 to 2099, as numbers or as ISO text", "Name another unit."
        ) from error


def _refuse_kinds(path: Path, kinds: Any) -> None:
    unknown = sorted({str(kind) for kind in pc.unique(kinds.cast(pa.string())).to_pylist()} - set(KINDS))
    if unknown:
        raise TapeError(
            f"{path}: kind",
            f"`{unknown[0]}`",
            f"one of {', '.join(KINDS)}",
            "Rename them, or set one with --set kind=.",
        )
