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
TAPE: Final = "tape"
"""The folder of a run's tape, in the run folder."""


class TickLogWriter:
    """Appends encoded chunks to a new file of the folder, which is made if it does not exist. Raises OSError."""

    def __init__(self, folder: Path) -> None:
        if not folder.exists():
            make_private_folder(folder)
        number = 1 + max((int(path.stem) for path in folder.glob(f"*{SUFFIX}")), default=0)
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL
        self._descriptor = private_opener(str(folder / f"{number:06d}{SUFFIX}"), flags)

    def append(self, chunk: bytes) -> None:
        """Append a chunk. It survives the death of this process."""
        record = HEAD.pack(len(chunk), crc32(chunk)) + chunk
        while record:
            record = record[os.write(self._descriptor, record) :]

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)


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
