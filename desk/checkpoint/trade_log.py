"""A shard's remembered trades as an append-only log in segments, of which the oldest are deleted.

A record is a header (body length, checksum) and a body: the trades of one checkpoint, by symbol, as msgpack. A segment
is a file; the shard's state names the valid ones, each with the byte at which it ends. Bytes that a killed writer left
after it are ignored, and removed by the next append. The records of a segment form a chain, as those of the
bars do (desk/checkpoint/bar_log.py).
"""

import struct
from collections.abc import Sequence
from io import FileIO
from pathlib import Path
from typing import Final
from zlib import crc32

import msgspec

from desk.checkpoint.bar_log import next_link
from desk.checkpoint.checked_file import damaged_file, foreign_file, translate_disk_errors
from desk.files.private import private_opener
from desk.model.checkpoint import Checkpoint, LoggedTrades, unpack_logged_trades

SEGMENT_BYTES: Final = 4 << 20
_HEADER: Final = struct.Struct("<II")


class Segment(msgspec.Struct, array_like=True, frozen=True):
    """One file of the log: its end, the session time of its last checkpoint, and its last link."""

    number: int
    end: int
    newest_ns: int
    link: bytes = b""


class TradeLog:
    """The segments `shard-N.trades-M` in `folder`. All calls raise RunFailed for damage and errors of the disk."""

    def __init__(self, folder: Path, shard: int) -> None:
        self._folder = folder
        self._stem = f"shard-{shard}.trades-"
        self._file: FileIO | None = None
        self._number = -1

    def append(self, checkpoint: Checkpoint, segments: Sequence[Segment]) -> list[Segment]:
        """Append the checkpoint's trades after these segments; return the valid segments."""
        kept = [segment for segment in segments if segment.newest_ns >= checkpoint.trades_from_ns]
        if not checkpoint.trades:
            return kept
        if kept and kept[-1].end < SEGMENT_BYTES:
            last = kept.pop()
        else:
            last = Segment(segments[-1].number + 1 if segments else 1, 0, 0)
        body = checkpoint.trades
        record = _HEADER.pack(len(body), crc32(body)) + body
        self._write(last, record)
        newest_ns = max(checkpoint.session_ns, checkpoint.trades_ns)
        kept.append(Segment(last.number, last.end + len(record), newest_ns, next_link(last.link, record)))
        return kept

    def delete_all_but(self, segments: Sequence[Segment]) -> None:
        """Delete the files that the state does not name; the next append starts a new file."""
        names = {self._path(segment.number).name for segment in segments}
        if self._path(self._number).name not in names:
            self.close()
        with translate_disk_errors(self._folder):
            for path in self._folder.glob(f"{self._stem}*"):
                if path.name not in names:
                    path.unlink()

    def read(self, segments: Sequence[Segment]) -> dict[str, LoggedTrades]:
        """The trades of these segments by symbol, in order."""
        counts: dict[str, int] = {}
        parts: dict[str, list[bytes]] = {}
        for segment in segments:
            for body in self._records(segment):
                for symbol, logged in unpack_logged_trades(body).items():
                    counts[symbol] = counts.get(symbol, 0) + logged.count
                    parts.setdefault(symbol, []).append(logged.entries)
        return {symbol: LoggedTrades(count, b"".join(parts[symbol])) for symbol, count in counts.items()}

    def close(self) -> None:
        """Close the file that `append` keeps open."""
        if self._file is not None:
            self._file.close()
            self._file = None
            self._number = -1

    def _path(self, number: int) -> Path:
        return self._folder / f"{self._stem}{number}"

    def _write(self, segment: Segment, record: bytes) -> None:
        path = self._path(segment.number)
        with translate_disk_errors(path):
            if self._number != segment.number:
                self.close()
            file = self._file = self._file or FileIO(path, "a", opener=private_opener)
            self._number = segment.number
            file.truncate(segment.end)
            rest = memoryview(record)
            while rest:
                rest = rest[file.write(rest) :]

    def _records(self, segment: Segment) -> list[bytes]:
        path = self._path(segment.number)
        with translate_disk_errors(path), path.open("rb") as file:
            content = file.read(segment.end)
        if len(content) < segment.end:
            raise damaged_file(path, f"it ends before byte {segment.end}")
        found, start, link = [], 0, b""
        while start < segment.end:
            if start + _HEADER.size > segment.end:
                raise damaged_file(path, f"it ends within the record at byte {start}")
            length, checksum = _HEADER.unpack_from(content, start)
            body = content[start + _HEADER.size : start + _HEADER.size + length]
            if crc32(body) != checksum:
                raise damaged_file(path, f"the record at byte {start} does not match its checksum")
            link = next_link(link, content[start : start + _HEADER.size + length])
            found.append(body)
            start += _HEADER.size + length
        if link != segment.link:
            raise foreign_file(path, "it does not belong to the shard's state")
        return found
