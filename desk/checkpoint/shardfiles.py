"""One shard's two files: its last state, and the log of its bars.

The state names the byte at which the log ended when it was written. A checkpoint is first appended to the
log, then its state takes the old one's place at once: from that moment it counts, and with it exactly the
bars up to that byte. Whenever the writer is killed, the two files agree.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final
from zlib import crc32

import msgspec

from desk.checkpoint.barlog import BarLog, Record
from desk.checkpoint.files import damaged, replace, told
from desk.model.bars import Bar
from desk.model.checkpoint import Checkpoint

CHECKSUM_BYTES: Final = 4


class State(msgspec.Struct, array_like=True):
    """The last checkpoint without its bars, which stand in the log from `log_start` to `log_end`."""

    checkpoint: Checkpoint
    log_start: int
    log_end: int


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(State).decode


class ShardFiles:
    """What the keeper holds of one shard. All calls raise RunFailed for damage and what the disk refuses."""

    def __init__(self, folder: Path, shard: int) -> None:
        self.path = folder / f"shard-{shard}.state"
        self.log = BarLog(folder / f"shard-{shard}.bars")

    def state(self) -> State | None:
        """The last state, None before the first."""
        with told(self.path):
            if not self.path.exists():
                return None
            content = self.path.read_bytes()
        checksum, body = content[:CHECKSUM_BYTES], content[CHECKSUM_BYTES:]
        if crc32(body).to_bytes(CHECKSUM_BYTES, "little") != checksum:
            raise damaged(self.path, "it does not match its checksum")
        return _decode(body)

    def write(self, checkpoint: Checkpoint, log_start: int) -> State:
        """Append the bars at `log_start`, then let the state take the old one's place."""
        log_end = self.log.append(checkpoint, log_start) if checkpoint.bars else log_start
        state = State(msgspec.structs.replace(checkpoint, bars=[]), log_start, log_end)
        body = _encode(state)
        with told(self.path):
            replace(self.path, crc32(body).to_bytes(CHECKSUM_BYTES, "little") + body)
        return state

    def latest(self) -> Checkpoint | None:
        """The last checkpoint, as it was given."""
        state = self.state()
        if state is None:
            return None
        bars = self.log.bars(state.log_start) if state.log_end > state.log_start else []
        return msgspec.structs.replace(state.checkpoint, bars=bars)

    def records(self) -> Iterator[Record]:
        """The log's records that count, oldest first."""
        state = self.state()
        if state is not None and state.log_end:
            yield from self.log.records(state.log_end)

    def bars(self, record: Record) -> list[Bar]:
        """The bars of one record."""
        return self.log.bars(record.start)

    def close(self) -> None:
        """Let go of the file that `write` keeps open."""
        self.log.close()
