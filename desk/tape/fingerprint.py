"""Fingerprints of a tape's files, which detect a changed tape without reading it."""

import hashlib
from typing import Any, Final

import pyarrow as pa

from desk.files import storage
from desk.model.errors import TapeError
from desk.tape.files import TapeFile, find_files

MAGIC_BYTES: Final = 4
LENGTH_BYTES: Final = 4
SHOWN_DIGITS: Final = 16


def tape_fingerprints(place: str) -> dict[str, str]:
    """Size and shortened SHA-256 of the Parquet footer by file, for the files that `place` names now.

    A footer has the place, size, checksums if written, and statistics of every column of every row group. Raises
    TapeError, and the errors of desk.files.storage.
    """
    return {_name(file): _fingerprint(file) for file in find_files(place).files}


def _name(file: TapeFile) -> str:
    """The absolute name, so that it is equal for a relative path and for the absolute one of a resumed run."""
    return file.path if file.filesystem is None else file.place


def _fingerprint(file: TapeFile) -> str:
    with storage.translate_storage_errors(file.place, TapeError), _opened(file) as opened:
        size = opened.size()
        tail = opened.read_at(min(size, LENGTH_BYTES + MAGIC_BYTES), max(size - LENGTH_BYTES - MAGIC_BYTES, 0))
        length = int.from_bytes(tail[:LENGTH_BYTES], "little") + len(tail)
        footer = opened.read_at(min(length, size), max(size - length, 0))
    return f"{size:,} bytes, footer {hashlib.sha256(footer).hexdigest()[:SHOWN_DIGITS]}"


def _opened(file: TapeFile) -> Any:
    return pa.OSFile(file.path, "rb") if file.filesystem is None else file.filesystem.open_input_file(file.path)
