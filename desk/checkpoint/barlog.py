"""A shard's bars as an append-only log: one checksummed record per checkpoint that had any.

A record is a header (body length, checksum, epoch, number, session_ns; little-endian) and a body, the bars
as msgpack. The checksum covers both. What a killed writer left after the last confirmed record is not
looked at, and is cut off by the next append.
"""

import struct
from collections.abc import Iterator
from io import FileIO
from pathlib import Path
from typing import Final, NamedTuple
from zlib import crc32

import msgspec

from desk.checkpoint.files import damaged, told
from desk.model.bars import Bar
from desk.model.checkpoint import Checkpoint

HEADER: Final = struct.Struct("<IIqqq")
_KEY: Final = struct.Struct("<Iqqq")

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[Bar]).decode


class Record(NamedTuple):
    """Where a checkpoint's bars stand, and of which checkpoint they are."""

    session_ns: int
    epoch: int
    number: int
    start: int


class BarLog:
    """The log file at `path`. Offsets are bytes; all calls raise RunFailed for what the disk refuses."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: FileIO | None = None

    def append(self, checkpoint: Checkpoint, start: int) -> int:
        """Write the checkpoint's bars at `start`, cutting off what stands there; where they end."""
        body = _encode(checkpoint.bars)
        key = (checkpoint.epoch, checkpoint.number, checkpoint.session_ns)
        record = HEADER.pack(len(body), _checksum(body, *key), *key) + body
        with told(self.path):
            file = self._file = self._file or FileIO(self.path, "a")
            file.truncate(start)
            rest = memoryview(record)
            while rest:
                rest = rest[file.write(rest) :]
        return start + len(record)

    def records(self, end: int) -> Iterator[Record]:
        """The records up to `end`, oldest first; their bodies are not read."""
        with told(self.path), self.path.open("rb") as file:
            start = 0
            while start < end:
                file.seek(start)
                header = file.read(HEADER.size)
                if len(header) < HEADER.size:
                    raise damaged(self.path, f"it ends before byte {end}")
                length, _, epoch, number, session_ns = HEADER.unpack(header)
                yield Record(session_ns, epoch, number, start)
                start += HEADER.size + length
        if start != end:
            raise damaged(self.path, f"no record ends at byte {end}")

    def bars(self, start: int) -> list[Bar]:
        """The bars of the record that begins at `start`."""
        with told(self.path), self.path.open("rb") as file:
            file.seek(start)
            header = file.read(HEADER.size)
            if len(header) < HEADER.size:
                raise damaged(self.path, f"it ends within the record at byte {start}")
            length, checksum, *key = HEADER.unpack(header)
            body = file.read(length)
        if _checksum(body, *key) != checksum:
            raise damaged(self.path, f"the record at byte {start} does not match its checksum")
        return _decode(body)

    def close(self) -> None:
        """Let go of the file that `append` keeps open."""
        if self._file is not None:
            self._file.close()
            self._file = None


def _checksum(body: bytes, epoch: int, number: int, session_ns: int) -> int:
    return crc32(body, crc32(_KEY.pack(len(body), epoch, number, session_ns)))
