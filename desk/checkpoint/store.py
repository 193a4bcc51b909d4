"""The keeper's store: checkpoints of all shards, and the producer's state, in one folder."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from desk.checkpoint.files import get, put, told
from desk.checkpoint.shardfiles import ShardFiles, State
from desk.checkpoint.tradelog import Segment
from desk.model.bars import Bar
from desk.model.checkpoint import Checkpoint, ProducerState, decode_producer, encode_producer


class Kept(NamedTuple):
    """The (epoch, number) that a shard's next checkpoint must exceed, and the files of its bars and trades."""

    order: tuple[int, int]
    log_end: int
    segments: Sequence[Segment] = ()


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
        self._producer: tuple[int, int] | None = None
        self._producer_path = folder / "producer.state"
        with told(folder):
            folder.mkdir(parents=True, exist_ok=True)

    def save(self, checkpoint: Checkpoint) -> bool:
        """Keep the checkpoint and its bars; True once it would outlive this process.

        An incarnation sends its checkpoints in order: what is not above the last of the same epoch is a repeat,
        and changes nothing. One of a lower epoch comes from an incarnation that is over: it is refused, and the
        answer is False.
        """
        files = self._shard(checkpoint.shard)
        if checkpoint.shard not in self._last:
            self._last[checkpoint.shard] = _kept(files.state())
        last, given = self._last[checkpoint.shard], (checkpoint.epoch, checkpoint.number)
        if given <= last.order:
            return checkpoint.epoch == last.order[0]
        self._last[checkpoint.shard] = _kept(files.write(checkpoint, last.log_end, last.segments))
        return True

    def latest(self, shard: int) -> Checkpoint | None:
        """The shard's last checkpoint as it was saved, with all trades that it still remembers; None without one."""
        return self._shard(shard).latest()

    def shards(self) -> list[int]:
        """The shards that have a checkpoint, in rising order."""
        with told(self.folder):
            return sorted(int(path.stem.removeprefix("shard-")) for path in self.folder.glob("shard-*.state"))

    def save_producer(self, state: ProducerState) -> bool:
        """Keep the state in the place of the last; True once it, or a later one, would outlive this process.

        One of a lower epoch comes from an incarnation that is over: it is refused. One of the same epoch and an
        earlier mark comes again, and changes nothing.
        """
        if self._producer is None:
            last = self.producer()
            self._producer = (-1, -1) if last is None else (last.epoch, last.mark_ns)
        given = (state.epoch, state.mark_ns)
        if given < self._producer:
            return state.epoch == self._producer[0]
        put(self._producer_path, encode_producer(state))
        self._producer = given
        return True

    def producer(self) -> ProducerState | None:
        """The producer's last state as it was saved, None where there is none."""
        body = get(self._producer_path)
        return None if body is None else decode_producer(body)

    def epochs(self) -> int:
        """The highest epoch of anybody who has left something here, 0 where nobody has: a new start must be above."""
        producer = self.producer()
        epochs = [0 if producer is None else producer.epoch]
        for shard in self.shards():
            state = self._shard(shard).state()
            if state is not None:
                epochs += state.checkpoint.epoch, state.checkpoint.source_epoch
        return max(epochs)

    def bars(self, symbols: Iterable[str] | None = None) -> Iterator[Bar]:
        """The final version of every (symbol, minute_ns) over all shards, or of these symbols alone, in no set order.

        A symbol may have lived in several shards. The version of the checkpoint with the later mark is final: who has
        a symbol after a move is never behind who had it before. Among those of one mark it is the one with the higher
        last move: who fell back to before a move has not done it; then the higher epoch, then the higher number.
        Memory: one record's bars and the set of minutes met.
        """
        wanted = None if symbols is None else frozenset(symbols)
        met: defaultdict[str, set[int]] = defaultdict(set)
        found = ((shard, self._shard(shard).reading()) for shard in self.shards())
        readings = {shard: reading for shard, reading in found if reading is not None}
        records = [(record, shard) for shard, reading in readings.items() for record in reading.records()]
        for record, shard in sorted(records, reverse=True):
            # Newest first, within a checkpoint too: the first version met is the final one.
            for bar in reversed(readings[shard].bars(record.start, wanted)):
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
    return Kept((state.checkpoint.epoch, state.checkpoint.number), state.log_end, state.segments)
