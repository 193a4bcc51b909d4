"""Tape version 1: its columns, and how a file is opened and checked.

One row per event in arrival order. `recv_ns` is when it was received and never goes back; `ts_ns` is the
venue's own time and may. Both are ns since the epoch, UTC. Prices and sizes are null where the kind has none.
"""

from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from desk.model.errors import TapeError

VERSION_KEY: Final = b"raydesk.tape.version"
VERSION: Final = b"1"

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
_OPTIONAL: Final = [("trade_id", pa.int64()), ("tape", _TEXT)]
REQUIRED: Final = pa.schema(_REQUIRED)
OPTIONAL: Final = pa.schema(_OPTIONAL)
WRITTEN: Final = pa.schema([*_REQUIRED, *_OPTIONAL], metadata={VERSION_KEY: VERSION})


def tape_files(path: Path) -> list[Path]:
    """The files of a tape: the path itself, a folder's *.parquet or what a glob matches, in name order.

    Raises TapeError when there is none.
    """
    if path.is_file():
        return [path]
    if path.is_dir():
        files = sorted(path.glob("*.parquet"))
        if not files:
            raise TapeError(str(path), "a folder without a Parquet file", "files named *.parquet")
        return files
    if any(sign in str(path) for sign in "*?["):
        root = Path(path.anchor)
        files = sorted(file for file in root.glob(str(path.relative_to(path.anchor))) if file.is_file())
        if not files:
            raise TapeError(str(path), "no file matches", "a pattern of Parquet files", "Correct the pattern.")
        return files
    raise TapeError(str(path), "does not exist", "a Parquet file, a folder of them or a pattern", "Correct the path.")


def open_file(path: Path) -> Any:
    """The opened pyarrow.parquet.ParquetFile, its version and columns checked. Raises TapeError."""
    try:
        file = pq.ParquetFile(path)
    except (pa.ArrowException, OSError) as error:
        raise TapeError(str(path), f"cannot be read ({_first_line(error)})", "a Parquet file") from error
    schema = file.schema_arrow
    version = (schema.metadata or {}).get(VERSION_KEY)
    if version != VERSION:
        found = "no metadata" if version is None else f"`{version.decode(errors='replace')}` as"
        raise TapeError(
            str(path),
            f"{found} `{VERSION_KEY.decode()}`",
            f"`{VERSION.decode()}`",
            "It is no tape, or one of another version of raydesk.",
        )
    _check_columns(path, schema)
    return file


def unreadable(path: Path, error: Exception) -> TapeError:
    """What to raise when a file that opened well fails in the middle."""
    return TapeError(str(path), f"damaged ({_first_line(error)})", "a whole Parquet file", "Record or copy it again.")


def _check_columns(path: Path, schema: Any) -> None:
    for wanted in [*REQUIRED, *OPTIONAL]:
        index = schema.get_field_index(wanted.name)
        if index < 0:
            if wanted.name in OPTIONAL.names:
                continue
            raise TapeError(str(path), f"no column `{wanted.name}`", f"{wanted.type}")
        found = schema.field(index).type
        if found != wanted.type and not (wanted.type == _TEXT and _is_text(found)):
            raise TapeError(f"{path}: column `{wanted.name}`", f"{found}", f"{wanted.type}")


def _is_text(kind: Any) -> bool:
    values = kind.value_type if pa.types.is_dictionary(kind) else kind
    return bool(pa.types.is_string(values) or pa.types.is_large_string(values))


def _first_line(error: Exception) -> str:
    return str(error).split("\n", maxsplit=1)[0].rstrip(".")
