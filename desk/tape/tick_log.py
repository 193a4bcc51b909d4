"""The log of a live feed's ticks: appended during a run, and made into a tape at its end.

A log is a folder of files; a writer begins a file of its own. A file is a sequence of records: length and checksum of
the body, then the body. A record that was not written completely ends its file. A chunk may be written twice, by the
writer that died and by its successor: it counts once.

Tests: tests/desk/tape/test_tick_log.py
"""

import os
from collections.abc import Iterator
from pathlib import Path
from struct import Struct
from typing import BinaryIO, Final
from zlib import crc32

from desk.files.private import make_private_folder, private_opener
from desk.model.tick_chunk import TickChunk, decode_chunk

HEAD: Final = Struct("<II")
SUFFIX: Final = ".ticks"
TAPE_SUFFIX: Final = ".parquet"
DIGITS: Final = 6
"""Of the number with which the name of a file of the log begins, and that of a file of the tape made of it."""
TAPE: Final = "tape"
"""The folder of a run's tape, in the run folder."""


class TickLogWriter:
    """Appends encoded chunks to a new file of the folder. File and folder are made at the first chunk.

    Its number is higher than those of earlier files: of the log, and of the tape that was made of it.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._descriptor: int | None = None

    def append(self, chunk: bytes) -> None:
        """Append a chunk. It survives the death of this process. Raises OSError."""
        if self._descriptor is None:
            self._descriptor = self._open()
        record = HEAD.pack(len(chunk), crc32(chunk)) + chunk
        while record:
            record = record[os.write(self._descriptor, record) :]

    def close(self) -> None:
        """Close the file."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _open(self) -> int:
        make_private_folder(self._folder, exist_ok=True)
        used = [int(path.name[:DIGITS]) for suffix in (SUFFIX, TAPE_SUFFIX) for path in self._folder.glob(f"*{suffix}")]
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL
        return private_opener(str(self._folder / f"{1 + max(used, default=0):0{DIGITS}d}{SUFFIX}"), flags)


def log_paths(folder: Path) -> list[Path]:
    """The files of a log, oldest first."""
    return sorted(folder.glob(f"*{SUFFIX}"))


def read_chunks(paths: list[Path]) -> Iterator[TickChunk]:
    """The chunks in the order of their arrival, each once. Raises OSError, and msgspec.DecodeError."""
    last = (-1, -1)
    for path in paths:
        with path.open("rb") as file:
            while (body := _next_body(file)) is not None:
                chunk = decode_chunk(body)
                if (chunk.epoch, chunk.number) > last:
                    last = chunk.epoch, chunk.number
                    yield chunk


def _next_body(file: BinaryIO) -> bytes | None:
    """The next record's body; None at the end, and for a record that is not whole."""
    head = file.read(HEAD.size)
    if len(head) < HEAD.size:
        return None
    size, checksum = HEAD.unpack(head)
    body = file.read(size)
    return body if len(body) == size and crc32(body) == checksum else None
