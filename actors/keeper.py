"""The keeper actor: saves the shards' checkpoints and closed bars in its own files.

Tests: tests/actors/test_plain_actors.py
"""

from collections.abc import Iterable
from pathlib import Path

import msgspec

from actors.metrics.actor_meters import ActorMeters, ActorReport, ExportFactory, no_export
from desk.checkpoint import KeeperStore
from desk.checkpoint.checked_file import translate_disk_errors
from desk.files.sealing import Seal
from desk.model.checkpoint import decode_checkpoint, decode_producer, encode_checkpoint, encode_producer
from desk.report.run_record import ProcessUsage
from desk.tape.tick_log import TAPE, TickLogWriter
from desk.telemetry.readings import Readings

_encode_bars = msgspec.msgpack.Encoder().encode


class Keeper:
    """Save checkpoints and producer states. On return of a call its data survives the death of this process.

    Only the keeper signs and verifies files; shards and producer get verified data and need no key.
    """

    def __init__(self, folder: Path, seal: Seal, export: ExportFactory = no_export) -> None:
        self._store = KeeperStore(folder, seal)
        self._tape = folder.with_name(TAPE)
        self._ticks = TickLogWriter(self._tape)
        self._meters = ActorMeters("keeper", export)
        self._title = f"keeper of {folder.parent.name}"
        self._saved = 0
        self._bytes = 0
        self._published = b""

    def __repr__(self) -> str:
        return self._title

    def usage(self) -> ProcessUsage:
        """CPU time and memory that this process has used."""
        return self._meters.usage()

    def save(self, checkpoint: bytes) -> bool:
        """Save an encoded checkpoint; return False, and save nothing, for a checkpoint of an earlier incarnation."""
        self._meters.follow()
        self._saved += 1
        self._bytes += len(checkpoint)
        return self._store.save(decode_checkpoint(checkpoint))

    def save_producer(self, state: bytes) -> bool:
        """Replace the saved producer state; return False, and save nothing, for a state of an earlier incarnation."""
        return self._store.save_producer(decode_producer(state))

    def save_ticks(self, chunk: bytes) -> None:
        """Append an encoded chunk of received ticks to the log of the run's tape. Raises RunFailed."""
        with translate_disk_errors(self._tape):
            self._ticks.append(chunk)

    def latest(self, shard: int) -> bytes | None:
        """The shard's last checkpoint, encoded."""
        checkpoint = self._store.latest(shard)
        return None if checkpoint is None else encode_checkpoint(checkpoint)

    def producer(self) -> bytes | None:
        """The producer's last state, encoded."""
        state = self._store.producer()
        return None if state is None else encode_producer(state)

    def bars(self, symbols: Iterable[str]) -> bytes:
        """The final version of every saved minute of these symbols, over all shards: a list of bars, encoded."""
        return _encode_bars(list(self._store.bars(symbols)))

    def publish(self, snapshot: bytes) -> None:
        """Keep the desk's last encoded `LiveSnapshot`, for readers on other nodes of the cluster."""
        self._published = snapshot

    def published(self) -> bytes:
        """The desk's last encoded `LiveSnapshot`; empty before the first."""
        return self._published

    def close(self) -> None:
        """Close the files."""
        self._store.close()
        self._ticks.close()

    def stats(self) -> int:
        """The number of saved checkpoints."""
        return self._saved

    def report(self) -> ActorReport:
        """The stats and the metrics of this process."""
        return self._meters.report(self.stats(), self._measure)

    def _measure(self, readings: Readings) -> None:
        readings.count("checkpoints.saved", self._saved)
        readings.count("checkpoints.size", self._bytes)
