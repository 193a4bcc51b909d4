"""One shard's files: its last state, the log of its bars, and the segments of its remembered trades.

The state names the byte at which the log ended when it was written. The bars of a checkpoint are first appended
to the log, then its state replaces the old one atomically. From then on the checkpoint is valid, with exactly the bars
up to that byte. The files are consistent whenever the writer is killed. Segments of trades are deleted once no state
names them.

The first state after the shard's close contains the state before it, which `undo_close` restores.

Tests: tests/desk/checkpoint/test_store.py
"""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from desk.checkpoint.bar_log import BarLog, BarLogReader
from desk.checkpoint.checked_file import foreign_file, read_checked, translate_disk_errors, write_checked
from desk.checkpoint.trade_log import Segment, TradeLog
from desk.files.sealing import Seal
from desk.model.checkpoint import Checkpoint, pack_logged_trades


class ShardState(msgspec.Struct, array_like=True):
    """The last checkpoint without its trades and its bars, which are in the log from `log_start` to `log_end`.

    `link` is the last of the log's chain. `before_close` is, once the shard has closed, the encoded state before that.
    """

    checkpoint: Checkpoint
    log_start: int
    log_end: int
    segments: list[Segment] = []
    link: bytes = b""
    before_close: bytes = b""


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(ShardState).decode


class ShardFiles:
    """The saved data of one shard. All calls raise RunFailed for damage and errors of the disk."""

    def __init__(self, folder: Path, shard: int, seal: Seal | None = None) -> None:
        self._seal = seal
        self.path = folder / f"shard-{shard}.state"
        self.log = BarLog(folder / f"shard-{shard}.bars")
        self.trades = TradeLog(folder, shard)

    def state(self) -> ShardState | None:
        """The last state, None before the first."""
        body = read_checked(self.path, self._seal)
        return None if body is None else _decode(body)

    def write(
        self, checkpoint: Checkpoint, log_start: int, segments: Sequence[Segment] = (), link: bytes = b""
    ) -> ShardState:
        """Append bars at `log_start` and trades after `segments`, then replace the state."""
        log_end = log_start
        if checkpoint.bars:
            log_end, link = self.log.append(checkpoint, log_start, link)
        before = self._before_close() if checkpoint.final else b""
        if checkpoint.final:  # no segment may go that the state before the close names
            checkpoint = msgspec.structs.replace(checkpoint, trades_from_ns=0)
        kept = self.trades.append(checkpoint, segments)
        stripped = msgspec.structs.replace(checkpoint, bars=b"", trades=b"")
        state = ShardState(stripped, log_start, log_end, kept, link, before)
        write_checked(self.path, _encode(state), self._seal)
        if len(kept) < len(segments) or (segments and kept and kept[0].number != segments[0].number):
            self.trades.delete_all_but(kept)
        return state

    def before_close(self) -> ShardState | None:
        """The last state from before the shard's close; None where there is none, or it has not closed."""
        state = self.state()
        return _decode(state.before_close) if state is not None and state.before_close else None

    def undo_close(self) -> None:
        """Restore the state from before the shard's close, if any."""
        before = self.before_close()
        if before is not None:
            write_checked(self.path, _encode(before), self._seal)
        else:
            with translate_disk_errors(self.path):
                self.path.unlink(missing_ok=True)

    def latest(self) -> Checkpoint | None:
        """The last checkpoint as saved, with all trades still remembered."""
        state = self.state()
        if state is None:
            return None
        bars = self.log.read(state.log_end).body(state.log_start) if state.log_end > state.log_start else b""
        trades = pack_logged_trades(self.trades.read(state.segments))
        return msgspec.structs.replace(state.checkpoint, bars=bars, trades=trades)

    def verify(self) -> None:
        """Read all valid data, and check it against the state."""
        state = self.state()
        if state is None:
            return
        reading = self.reading()
        if reading is not None and reading.link() != state.link:
            raise foreign_file(self.log.path, "it does not belong to the shard's state")
        self.latest()

    def reading(self) -> BarLogReader | None:
        """A reader of the valid part of the log; None if it is empty."""
        state = self.state()
        return self.log.read(state.log_end) if state is not None and state.log_end else None

    def _before_close(self) -> bytes:
        state = self.state()
        if state is None:
            return b""
        return state.before_close if state.checkpoint.final else _encode(state)

    def close(self) -> None:
        """Close the files that `write` keeps open."""
        self.log.close()
        self.trades.close()
