"""Tape version 2: its columns, and how a file of this version or of version 1 is opened and checked.

One row per event in arrival order. `recv_ns` is when it was received and never goes back; `ts_ns` is the
venue's own time and may. Both are ns since the epoch, UTC. Prices and sizes are null where the kind has none.
Version 1 knows trades and quotes alone, and its trade ids have a sign. See docs/reference/tape-format.md.
"""

from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from desk import storage
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
REQUIRED: Final = pa.schema(_REQUIRED)
OPTIONAL: Final = pa.schema(_OPTIONAL)
WRITTEN: Final = pa.schema([*_REQUIRED, *_OPTIONAL], metadata={VERSION_KEY: VERSION})


def open_file(tape: TapeFile) -> Any:
    """The opened pyarrow.parquet.ParquetFile, its version and columns checked.

    Raises TapeError, and what desk.storage raises.
    """
    try:
        file = pq.ParquetFile(tape.path, filesystem=tape.filesystem)
    except (pa.ArrowException, OSError) as error:
        unread = TapeError(tape.place, f"cannot be read ({_words(error)})", "a Parquet file")
        raise _fault(tape, error, unread) from error
    schema = file.schema_arrow
    version = (schema.metadata or {}).get(VERSION_KEY)
    if version not in READABLE:
        found = "no metadata" if version is None else f"`{version.decode(errors='replace')}` as"
        raise TapeError(
            tape.place,
            f"{found} `{VERSION_KEY.decode()}`",
            " or ".join(f"`{each.decode()}`" for each in READABLE),
            "It is no tape, or one of another version of raydesk.",
        )
    _check_columns(tape.place, schema)
    return file


def unreadable(tape: TapeFile, error: Exception) -> DeskError:
    """What to raise when a file that opened well fails in the middle."""
    damaged = TapeError(tape.place, f"damaged ({_words(error)})", "a whole Parquet file", "Record or copy it again.")
    return _fault(tape, error, damaged)


def _fault(tape: TapeFile, error: Exception, otherwise: TapeError) -> DeskError:
    """What the store says of itself rather than of the file, or else the file's own fault."""
    if tape.filesystem is None:
        return otherwise
    told = storage.fault(tape.place, TapeError, error)
    return otherwise if isinstance(told, TapeError) else told


def _check_columns(place: str, schema: Any) -> None:
    for wanted in [*REQUIRED, *OPTIONAL]:
        index = schema.get_field_index(wanted.name)
        if index < 0:
            if wanted.name in OPTIONAL.names:
                continue
            raise TapeError(place, f"no column `{wanted.name}`", f"{wanted.type}")
        found = schema.field(index).type
        if wanted.type == _ID and found == pa.int64():
            continue
        if found != wanted.type and not (wanted.type == _TEXT and _is_text(found)):
            raise TapeError(f"{place}: column `{wanted.name}`", f"{found}", f"{wanted.type}")


def _is_text(kind: Any) -> bool:
    values = kind.value_type if pa.types.is_dictionary(kind) else kind
    return bool(pa.types.is_string(values) or pa.types.is_large_string(values))


def _words(error: Exception) -> str:
    return str(error).split("\n", maxsplit=1)[0].rstrip(".")
