"""The keeper's store: checkpoints of all shards, and the producer's state, in one folder."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from desk.checkpoint.checked_file import foreign_file, read_checked, translate_disk_errors, write_checked
from desk.checkpoint.last_writes import LastWrites, decode_order, encode_order
from desk.checkpoint.shard_files import ShardFiles, ShardState
from desk.checkpoint.trade_log import Segment
from desk.files.private import make_private_folder
from desk.files.sealing import Seal
from desk.model.bars import Bar
from desk.model.checkpoint import Checkpoint, ProducerState, decode_producer, encode_producer


class LastCheckpoint(NamedTuple):
    """The (epoch, number) that a shard's next checkpoint must exceed, and the files of its bars and trades."""

    order: tuple[int, int]
    log_end: int
    segments: Sequence[Segment] = ()
    link: bytes = b""


class KeeperStore:
    """Checkpoints in `folder`, written by one process and read by any.

    However the writer ends, kill -9 included, a reader finds per shard one checkpoint and exactly the bars
    of the checkpoints up to it. Reading changes nothing, so that it may go on beside the writer. All calls
    raise RunFailed for damaged files and for what the disk refuses; what was saved before stays whole.

    With a `seal` only what this run wrote is read, and what it wrote last: a state that was swapped or put back is
    refused. Without one what is read may come from anywhere: nothing in it may be unpickled.
    """

    def __init__(self, folder: Path, seal: Seal | None = None) -> None:
        self.folder = folder
        self._seal = seal
        # Beside the folder: a folder that is put back to an earlier moment does not bring it along.
        self._order_path = folder.with_name(f"{folder.name}.order")
        self._order: LastWrites | None = None
        self._files: dict[int, ShardFiles] = {}
        self._last: dict[int, LastCheckpoint] = {}
        self._producer: tuple[int, int] | None = None
        self._producer_path = folder / "producer.state"
        with translate_disk_errors(folder):
            if not folder.exists():
                make_private_folder(folder, parents=True)

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
        order = self._written()
        self._last[checkpoint.shard] = _kept(files.write(checkpoint, last.log_end, last.segments, last.link))
        order.shards[checkpoint.shard] = given
        self._write_order(order)
        return True

    def latest(self, shard: int) -> Checkpoint | None:
        """The shard's last checkpoint as it was saved, with all trades that it still remembers; None without one."""
        checkpoint = self._shard(shard).latest()
        given = (-1, -1) if checkpoint is None else (checkpoint.epoch, checkpoint.number)
        self._require_last(self._shard(shard).path, given, self._written().shards.get(shard))
        return checkpoint

    def shards(self) -> list[int]:
        """The shards that have a checkpoint, in rising order."""
        with translate_disk_errors(self.folder):
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
        order = self._written()
        write_checked(self._producer_path, encode_producer(state), self._seal)
        self._producer = order.producer = given
        self._write_order(order)
        return True

    def producer(self) -> ProducerState | None:
        """The producer's last state as it was saved, None where there is none."""
        body = read_checked(self._producer_path, self._seal)
        state = None if body is None else decode_producer(body)
        given = (-1, -1) if state is None else (state.epoch, state.mark_ns)
        self._require_last(self._producer_path, given, self._written().producer)
        return state

    def verify(self) -> None:
        """Read everything that a successor needs. Raises RunFailed for what is damaged, gone, or not this run's."""
        self.producer()
        for shard in {*self.shards(), *self._written().shards}:
            self._shard(shard).verify()
            self.latest(shard)

    def undo_close(self) -> bool:
        """Let every shard stand where it stood before it closed; whether any had.

        The order is lowered first: a writer that is killed in between leaves files ahead of it.
        """
        states = {shard: self._shard(shard).state() for shard in self.shards()}
        closed = [shard for shard, state in states.items() if state is not None and state.checkpoint.final]
        order = self._written()
        for shard in closed:
            before = self._shard(shard).before_close()
            if before is None:
                order.shards.pop(shard, None)
            else:
                order.shards[shard] = before.checkpoint.epoch, before.checkpoint.number
        self._write_order(order)
        for shard in closed:
            self._shard(shard).undo_close()
            self._last.pop(shard, None)
        return bool(closed)

    def begin(self) -> None:
        """Note that nothing is kept yet: a store from which everything was taken away is told from a fresh one."""
        self._write_order(LastWrites())

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
        return self._files.setdefault(shard, ShardFiles(self.folder, shard, self._seal))

    def _written(self) -> LastWrites:
        """What this run wrote last, by the file that says so; without a seal there is none."""
        if self._order is None:
            body = None if self._seal is None else read_checked(self._order_path, self._seal)
            if body is None and self._seal is not None:
                raise foreign_file(self._order_path, "it is gone")
            self._order = LastWrites() if body is None else decode_order(body)
        return self._order

    def _write_order(self, order: LastWrites) -> None:
        self._order = order
        if self._seal is not None:
            write_checked(self._order_path, encode_order(order), self._seal)

    def _require_last(self, path: Path, given: tuple[int, int], last: tuple[int, int] | None) -> None:
        """A writer that was killed between a file and the order leaves the file ahead of it, never behind."""
        if self._seal is not None and last is not None and given < last:
            raise foreign_file(path, "it is gone" if given == (-1, -1) else "it was put back to an earlier moment")


def _kept(state: ShardState | None) -> LastCheckpoint:
    if state is None:
        return LastCheckpoint((-1, -1), 0)
    return LastCheckpoint((state.checkpoint.epoch, state.checkpoint.number), state.log_end, state.segments, state.link)
