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

    After any end of the writer, kill -9 included, a reader finds one checkpoint per shard and exactly the bars of the
    checkpoints up to it. Reading changes nothing and may run beside the writer. All calls raise RunFailed for damaged
    files and errors of the disk; earlier data stay valid.

    With a `seal` only the last content that this run wrote is accepted: an exchanged or older file is rejected. Without
    a seal the content is not authenticated: do not unpickle it.
    """

    def __init__(self, folder: Path, seal: Seal | None = None) -> None:
        self.folder = folder
        self._seal = seal
        # Beside the folder: restoring an older copy of the folder does not restore this file.
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
        """Save the checkpoint and its bars; on return True they survive the death of this process.

        An incarnation sends its checkpoints in order: one that is not above the last of its epoch is a repeat, and
        changes nothing. A checkpoint of a lower epoch comes from an earlier incarnation: it is rejected (False).
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
        """Replace the saved state; on return True it, or a later one, survives the death of this process.

        A state of a lower epoch comes from an earlier incarnation: it is rejected (False). One of the same epoch and an
        earlier mark is a repeat, and changes nothing.
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
        """The producer's last saved state; None without one."""
        body = read_checked(self._producer_path, self._seal)
        state = None if body is None else decode_producer(body)
        given = (-1, -1) if state is None else (state.epoch, state.mark_ns)
        self._require_last(self._producer_path, given, self._written().producer)
        return state

    def verify(self) -> None:
        """Read all data that a successor needs. Raises RunFailed for damaged, missing or foreign files."""
        self.producer()
        for shard in {*self.shards(), *self._written().shards}:
            self._shard(shard).verify()
            self.latest(shard)

    def undo_close(self) -> bool:
        """Restore every shard's state from before its close; return whether any shard had closed.

        The recorded order is lowered first: if the writer is killed in between, files are ahead of the order, which is
        valid.
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
        """Record that the store is empty: this distinguishes a fresh store from one whose files were removed."""
        self._write_order(LastWrites())

    def epochs(self) -> int:
        """The highest epoch in the store, 0 if it is empty; a new start must use a higher one."""
        producer = self.producer()
        epochs = [0 if producer is None else producer.epoch]
        for shard in self.shards():
            state = self._shard(shard).state()
            if state is not None:
                epochs += state.checkpoint.epoch, state.checkpoint.source_epoch
        return max(epochs)

    def bars(self, symbols: Iterable[str] | None = None) -> Iterator[Bar]:
        """The final version of every (symbol, minute_ns) over all shards, or of these symbols alone, in no set order.

        A symbol may have lived in several shards. The version of the checkpoint with the later mark is final: after a
        move, the new owner of a symbol is never behind the previous one. At equal marks the higher last move decides (a
        shard restored to before a move has not made it), then the higher epoch, then the higher number. Memory: one
        record's bars and the set of minutes met.
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
        """Close the files that `save` keeps open."""
        for files in self._files.values():
            files.close()

    def _shard(self, shard: int) -> ShardFiles:
        return self._files.setdefault(shard, ShardFiles(self.folder, shard, self._seal))

    def _written(self) -> LastWrites:
        """The order of this run's last writes, from its file; empty without a seal."""
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
        """Raise RunFailed for a file behind the recorded order; a killed writer leaves files ahead of it."""
        if self._seal is not None and last is not None and given < last:
            raise foreign_file(path, "it is gone" if given == (-1, -1) else "it was replaced by an older version")


def _kept(state: ShardState | None) -> LastCheckpoint:
    if state is None:
        return LastCheckpoint((-1, -1), 0)
    return LastCheckpoint((state.checkpoint.epoch, state.checkpoint.number), state.log_end, state.segments, state.link)
