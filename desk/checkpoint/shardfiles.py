"""One shard's two files: its last state, and the log of its bars.

The state names the byte at which the log ended when it was written. A checkpoint is first appended to the
log, then its state takes the old one's place at once: from that moment it counts, and with it exactly the
bars up to that byte. Whenever the writer is killed, the two files agree.
"""

from pathlib import Path

import msgspec

from desk.checkpoint.barlog import BarLog, Reading
from desk.checkpoint.files import get, put
from desk.model.checkpoint import Checkpoint


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
        body = get(self.path)
        return None if body is None else _decode(body)

    def write(self, checkpoint: Checkpoint, log_start: int) -> State:
        """Append the bars at `log_start`, then let the state take the old one's place."""
        log_end = self.log.append(checkpoint, log_start) if checkpoint.bars else log_start
        state = State(msgspec.structs.replace(checkpoint, bars=[]), log_start, log_end)
        put(self.path, _encode(state))
        return state

    def latest(self) -> Checkpoint | None:
        """The last checkpoint, as it was given."""
        state = self.state()
        if state is None:
            return None
        bars = self.log.read(state.log_end).bars(state.log_start) if state.log_end > state.log_start else []
        return msgspec.structs.replace(state.checkpoint, bars=bars)

    def reading(self) -> Reading | None:
        """The log as far as it counts; None where it is empty."""
        state = self.state()
        return self.log.read(state.log_end) if state is not None and state.log_end else None

    def close(self) -> None:
        """Let go of the file that `write` keeps open."""
        self.log.close()
