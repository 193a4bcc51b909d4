"""Tape version 2: its columns, and how a file of this version or of version 1 is opened and checked.

One row per event in arrival order. `recv_ns` is the time received and never decreases; `ts_ns` is the venue's own time
and may. Both are ns since the epoch, UTC. Prices and sizes are null if the kind has none. Version 1 has only trades and
quotes, and signed trade ids. See docs/reference/tape-format.md.

Files of other writers are tapes too: text of any width, with or without a dictionary; whole numbers, sizes and floats
of any width, decimals; times as Parquet timestamps, which have a unit, and are UTC without a zone. The version is read
from the file's key-value metadata or from those of the Arrow schema.

Tests: tests/desk/tape/test_tape_reader.py
"""

from collections.abc import Iterable
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from desk.files import storage
from desk.model.errors import DeskError, TapeError
from desk.tape.files import TapeFile

VERSION_KEY: Final = b"raydesk.tape.version"
VERSION: Final = b"2"
READABLE: Final = (b"1", VERSION)

_TEXT: Final = pa.dictionary(pa.int32(), pa.string())
_REQUIRED: Final = [
    ("recv_ns", pa.int64()),
    ("ts_ns", pa.int64()),
    ("kind", _TEXT),
    ("symbol", _TEXT),
    ("price", pa.float64()),
    ("size", pa.float64()),
    ("bid", pa.float64()),
    ("bid_size", pa.float64()),
    ("ask", pa.float64()),
    ("ask_size", pa.float64()),
    ("exchange", _TEXT),
    ("conditions", _TEXT),
]
_ID: Final = pa.uint64()
_OPTIONAL: Final = [
    ("trade_id", _ID),
    ("tape", _TEXT),
    ("original_id", _ID),
    ("original_price", pa.float64()),
    ("original_size", pa.float64()),
    ("original_conditions", _TEXT),
]
_NOTICE: Final = [
    ("code", _TEXT),
    ("message", _TEXT),
    ("reason_code", _TEXT),
    ("reason", _TEXT),
    ("limit_down", pa.float64()),
    ("limit_up", pa.float64()),
    ("indicator", _TEXT),
    ("open", pa.float64()),
    ("high", pa.float64()),
    ("low", pa.float64()),
    ("close", pa.float64()),
    ("volume", pa.float64()),
    ("trades", pa.int64()),
    ("vwap", pa.float64()),
    ("updated", pa.bool_()),
]
TIMES: Final = frozenset({"recv_ns", "ts_ns"})
SIZES: Final = frozenset({"size", "bid_size", "ask_size", "original_size", "volume"})
REQUIRED: Final = pa.schema(_REQUIRED)
OPTIONAL: Final = pa.schema(_OPTIONAL)
NOTICE: Final = pa.schema(_NOTICE)
"""Optional columns of statuses, price bands and the venue's bars."""
WRITTEN: Final = pa.schema([*_REQUIRED, *_OPTIONAL, *_NOTICE], metadata={VERSION_KEY: VERSION})


def open_file(tape: TapeFile) -> Any:
    """Open a pyarrow.parquet.ParquetFile and check its version and columns.

    Raises TapeError, and the errors of desk.files.storage.
    """
    try:
        file = pq.ParquetFile(tape.path, filesystem=tape.filesystem)
    except (pa.ArrowException, OSError) as error:
        unread = TapeError(tape.place, f"cannot be read ({_words(error)})", "a Parquet file")
        raise _fault(tape, error, unread) from error
    version = version_of(file)
    if version not in READABLE:
        found = "no metadata" if version is None else f"`{version.decode(errors='replace')}` as"
        raise TapeError(
            tape.place,
            f"{found} `{VERSION_KEY.decode()}`",
            " or ".join(f"`{each.decode()}`" for each in READABLE),
            "It is not a tape, or a tape of another version of raydesk.",
        )
    _check_columns(tape.place, file.schema_arrow, [*REQUIRED, *OPTIONAL])
    return file


def check_notice_columns(tape: TapeFile, file: Any) -> None:
    """Check the types of the columns of notices, in a file that has notices. Raises TapeError."""
    _check_columns(tape.place, file.schema_arrow, list(NOTICE))


def version_of(file: Any) -> bytes | None:
    """The tape's version, from the file's key-value metadata or from those of the embedded Arrow schema."""
    own = file.metadata.metadata or {}
    version: bytes | None = own.get(VERSION_KEY, (file.schema_arrow.metadata or {}).get(VERSION_KEY))
    return version


def in_tape_types(data: Any) -> Any:
    """A table or record batch of an opened file with its columns in the tape's own types.

    Raises pyarrow.ArrowException for a value that does not fit, such as a time beyond the year 2262.
    """
    kinds = {field.name: field.type for field in WRITTEN}
    columns = [_cast(column, kinds[name]) for name, column in zip(data.schema.names, data.columns, strict=True)]
    return type(data).from_arrays(columns, names=data.schema.names)


def unreadable(tape: TapeFile, error: Exception) -> DeskError:
    """The TapeError for a file that opened without error and fails during reading."""
    damaged = TapeError(tape.place, f"damaged ({_words(error)})", "a whole Parquet file", "Record or copy it again.")
    return _fault(tape, error, damaged)


def _fault(tape: TapeFile, error: Exception, otherwise: TapeError) -> DeskError:
    """The store's own error, if the store caused the failure; else the file's."""
    if tape.filesystem is None:
        return otherwise
    told = storage.storage_error(tape.place, TapeError, error)
    return otherwise if isinstance(told, TapeError) else told


def _cast(column: Any, wanted: Any) -> Any:
    if column.type == wanted or (wanted == _ID and pa.types.is_integer(column.type)):  # ids of version 1 have a sign
        return column
    if wanted == _TEXT:
        return column.cast(pa.string()).dictionary_encode()
    if pa.types.is_timestamp(column.type):
        return column.cast(pa.timestamp("ns", column.type.tz)).cast(pa.int64())
    return column.cast(wanted)


def _check_columns(place: str, schema: Any, fields: Iterable[Any]) -> None:
    for wanted in fields:
        found = schema.get_all_field_indices(wanted.name)
        if len(found) > 1:
            raise TapeError(place, f"{len(found)} columns `{wanted.name}`", "one")
        if found:
            _check_type(place, wanted.name, schema.field(found[0]).type, wanted.type)
        elif wanted.name in REQUIRED.names:
            raise TapeError(place, f"no column `{wanted.name}`", f"{wanted.type}")


def _check_type(place: str, name: str, found: Any, wanted: Any) -> None:
    """Raise TapeError for a type that cannot hold the column's values, of any width."""
    kinds = pa.types
    place = f"{place}: column `{name}`"
    if kinds.is_null(found):  # some writers give a column without values no type
        return
    if wanted == _TEXT:
        if not _is_text(found):
            raise TapeError(place, f"{found}", "text: string, or a dictionary of strings", "Write it as text.")
    elif name in TIMES:
        if not (kinds.is_integer(found) or kinds.is_timestamp(found)):
            remedy = (
                "Write it as a whole number: a float cannot represent ns."
                if kinds.is_floating(found)
                else "Convert it."
            )
            raise TapeError(place, f"{found}", "int64 (ns since the epoch, UTC) or a timestamp", remedy)
    elif kinds.is_integer(wanted):
        if not kinds.is_integer(found):
            raise TapeError(place, f"{found}", f"{wanted}", "Write it as a whole number.")
    elif kinds.is_boolean(wanted):
        if not kinds.is_boolean(found):
            raise TapeError(place, f"{found}", "bool", "Write it as true and false.")
    elif not (kinds.is_floating(found) or kinds.is_decimal(found) or (name in SIZES and kinds.is_integer(found))):
        raise TapeError(place, f"{found}", "double: whole numbers may be cents or ticks", "Write it as a double.")


def _is_text(kind: Any) -> bool:
    values = kind.value_type if pa.types.is_dictionary(kind) else kind
    return bool(pa.types.is_string(values) or pa.types.is_large_string(values) or pa.types.is_string_view(values))


def _words(error: Exception) -> str:
    return str(error).split("\n", maxsplit=1)[0].rstrip(".")
