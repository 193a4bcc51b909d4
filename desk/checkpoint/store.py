"""The keeper's store: checkpoints of all shards in one folder."""

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from desk.checkpoint.files import told
from desk.checkpoint.shardfiles import ShardFiles, State
from desk.model.bars import Bar
from desk.model.checkpoint import Checkpoint


class Kept(NamedTuple):
    """What a shard's next checkpoint must be above, by (epoch, number), and where its bars go."""

    order: tuple[int, int]
    log_end: int


class KeeperStore:
    """Checkpoints in `folder`, written by one process and read by any.

    However the writer ends, kill -9 included, a reader finds per shard one checkpoint and exactly the bars
    of the checkpoints up to it. Reading changes nothing, so that it may go on beside the writer. All calls
    raise RunFailed for damaged files and for what the disk refuses; what was saved before stays whole.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._files: dict[int, ShardFiles] = {}
        self._last: dict[int, Kept] = {}
        with told(folder):
            folder.mkdir(parents=True, exist_ok=True)

    def save(self, checkpoint: Checkpoint) -> bool:
        """Keep the checkpoint and its bars; True once it would outlive this process.

        A repeat of the last one changes nothing. One below the last (epoch, number) of its shard comes from
        an incarnation that is over: it is refused, and the answer is False.
        """
        files = self._shard(checkpoint.shard)
        if checkpoint.shard not in self._last:
            self._last[checkpoint.shard] = _kept(files.state())
        last, given = self._last[checkpoint.shard], (checkpoint.epoch, checkpoint.number)
        if given <= last.order:
            return given == last.order
        self._last[checkpoint.shard] = _kept(files.write(checkpoint, last.log_end))
        return True

    def latest(self, shard: int) -> Checkpoint | None:
        """The shard's last checkpoint as it was saved, None where there is none."""
        return self._shard(shard).latest()

    def shards(self) -> list[int]:
        """The shards that have a checkpoint, in rising order."""
        with told(self.folder):
            return sorted(int(path.stem.removeprefix("shard-")) for path in self.folder.glob("shard-*.state"))

    def bars(self) -> Iterator[Bar]:
        """The final version of every (symbol, minute_ns) over all shards, in no set order.

        The version of the checkpoint with the later mark is final, among those the higher epoch, then the
        higher number. Memory: one record's bars and the set of minutes met.
        """
        met: defaultdict[str, set[int]] = defaultdict(set)
        records = [(record, shard) for shard in self.shards() for record in self._shard(shard).records()]
        for record, shard in sorted(records, reverse=True):
            # Newest first, within a checkpoint too: the first version met is the final one.
            for bar in reversed(self._shard(shard).bars(record)):
                minutes = met[bar.symbol]
                if bar.minute_ns not in minutes:
                    minutes.add(bar.minute_ns)
                    yield bar

    def close(self) -> None:
        """Let go of the files that `save` keeps open."""
        for files in self._files.values():
            files.close()

    def _shard(self, shard: int) -> ShardFiles:
        return self._files.setdefault(shard, ShardFiles(self.folder, shard))


def _kept(state: State | None) -> Kept:
    if state is None:
        return Kept((-1, -1), 0)
    return Kept((state.checkpoint.epoch, state.checkpoint.number), state.log_end)
