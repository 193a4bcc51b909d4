"""A shard's bars as an append-only log: one checksummed record per checkpoint that had any.

A record is a header (body length, checksum, epoch, number, session_ns, last_move; little-endian) and a body, the bars
as msgpack. The checksum covers both. Bytes that a killed writer left after the last confirmed record are ignored, and
removed by the next append. The records form a chain: each link is the SHA-256 of the link before it and the record. The
shard's sealed state has the last link, and so authenticates the whole log.

Tests: tests/desk/checkpoint/test_store.py
"""

import hashlib
import struct
from collections.abc import Container, Iterator
from io import SEEK_END, FileIO
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import Final, NamedTuple
from zlib import crc32

import msgspec

from desk.checkpoint.checked_file import damaged_file, translate_disk_errors
from desk.files.private import private_opener
from desk.model.bars import Bar
from desk.model.checkpoint import Checkpoint, unpack_bars

HEADER: Final = struct.Struct("<IIqqqq")
_KEY: Final = struct.Struct("<Iqqqq")


class _Named(msgspec.Struct, array_like=True, gc=False):
    """A bar's symbol, which comes first: a tenth of the work of decoding the whole."""

    symbol: str


_decode_names = msgspec.msgpack.Decoder(list[_Named]).decode


class BarLogRecord(NamedTuple):
    """The place of a checkpoint's bars in the log, and the checkpoint's order."""

    session_ns: int
    last_move: int
    epoch: int
    number: int
    start: int


class BarLog:
    """The log file at `path`. Offsets are bytes; all calls raise RunFailed for errors of the disk."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: FileIO | None = None

    def append(self, checkpoint: Checkpoint, start: int, link: bytes = b"") -> tuple[int, bytes]:
        """Truncate the log at `start` and write the checkpoint's bars there; return their end and the next link."""
        body = checkpoint.bars
        key = (checkpoint.epoch, checkpoint.number, checkpoint.session_ns, checkpoint.last_move)
        record = HEADER.pack(len(body), _checksum(body, *key), *key) + body
        with translate_disk_errors(self.path):
            file = self._file = self._file or FileIO(self.path, "a", opener=private_opener)
            file.truncate(start)
            rest = memoryview(record)
            while rest:
                rest = rest[file.write(rest) :]
        return start + len(record), next_link(link, record)

    def read(self, end: int) -> "BarLogReader":
        """Return a reader of the log up to byte `end`, above 0; a concurrent writer only appends after it."""
        with translate_disk_errors(self.path), self.path.open("rb") as file:
            if file.seek(0, SEEK_END) < end:
                raise damaged_file(self.path, f"it ends before byte {end}")
            return BarLogReader(self.path, mmap(file.fileno(), end, access=ACCESS_READ))

    def close(self) -> None:
        """Close the file that `append` keeps open."""
        if self._file is not None:
            self._file.close()
            self._file = None


class BarLogReader:
    """A snapshot of a log's records. All calls raise RunFailed for damage."""

    def __init__(self, path: Path, content: mmap) -> None:
        self._path = path
        self._content = content

    def records(self) -> Iterator[BarLogRecord]:
        """The records, oldest first; their bodies are not read."""
        start, end = 0, len(self._content)
        while start < end:
            length, _, epoch, number, session_ns, last_move = self._header(start)
            yield BarLogRecord(session_ns, last_move, epoch, number, start)
            start += HEADER.size + length
        if start != end:
            raise damaged_file(self._path, f"no record ends at byte {end}")

    def body(self, start: int) -> bytes:
        """The encoded bars of the record that begins at `start`."""
        length, checksum, *key = self._header(start)
        body = self._content[start + HEADER.size : start + HEADER.size + length]
        if _checksum(body, *key) != checksum:
            raise damaged_file(self._path, f"the record at byte {start} does not match its checksum")
        return body

    def bars(self, start: int, symbols: Container[str] | None = None) -> list[Bar]:
        """The decoded bars of the record that begins at `start`; only those of `symbols`, if given."""
        body = self.body(start)
        if symbols is None:
            return unpack_bars(body)
        if not any(named.symbol in symbols for named in _decode_names(body)):
            return []
        return [bar for bar in unpack_bars(body) if bar.symbol in symbols]

    def link(self) -> bytes:
        """The last link of the chain. Raises RunFailed for damage."""
        link = b""
        for record in self.records():
            length, *_ = self._header(record.start)
            link = next_link(link, self._content[record.start : record.start + HEADER.size + length])
        return link

    def _header(self, start: int) -> tuple[int, int, int, int, int, int]:
        if start + HEADER.size > len(self._content):
            raise damaged_file(self._path, f"it ends within the record at byte {start}")
        return HEADER.unpack_from(self._content, start)


def next_link(link: bytes, record: bytes) -> bytes:
    """Return the link of a record, from the link of the record before it."""
    return hashlib.sha256(link + record).digest()


def _checksum(body: bytes, epoch: int, number: int, session_ns: int, last_move: int) -> int:
    return crc32(body, crc32(_KEY.pack(len(body), epoch, number, session_ns, last_move)))
