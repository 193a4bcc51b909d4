"""The keeper actor: keeps the shards' checkpoints and their closed bars in its own files.

Tests: tests/actors/test_plain_actors.py
"""

from collections.abc import Iterable
from pathlib import Path

import msgspec

from actors.metrics.counters import MetersFactory, NoMetrics
from desk.checkpoint import KeeperStore
from desk.files.sealing import Seal
from desk.model.checkpoint import decode_checkpoint, decode_producer, encode_checkpoint, encode_producer
from desk.process.usage import process_usage
from desk.report.run_record import ProcessUsage

_encode_bars = msgspec.msgpack.Encoder().encode


class Keeper:
    """What a call has saved outlives this process when it returns.

    It alone signs and checks: what it hands to shards and producer is this run's own, so they need no key.
    """

    def __init__(self, folder: Path, seal: Seal, meters: MetersFactory = NoMetrics) -> None:
        self._store = KeeperStore(folder, seal)
        self._meters = meters("keeper")
        self._saved = 0
        self._bytes = 0

    def __repr__(self) -> str:
        return "keeper"

    def usage(self) -> ProcessUsage:
        """What this process has used."""
        return process_usage(self._meters.node)

    def save(self, checkpoint: bytes) -> bool:
        """Keep an encoded checkpoint; False when it comes from an incarnation that is over."""
        self._saved += 1
        self._bytes += len(checkpoint)
        return self._store.save(decode_checkpoint(checkpoint))

    def save_producer(self, state: bytes) -> bool:
        """Keep an encoded producer state in the place of the last; False when it comes from a producer that is over."""
        return self._store.save_producer(decode_producer(state))

    def latest(self, shard: int) -> bytes | None:
        """The shard's last checkpoint, encoded."""
        checkpoint = self._store.latest(shard)
        return None if checkpoint is None else encode_checkpoint(checkpoint)

    def producer(self) -> bytes | None:
        """The producer's last state, encoded."""
        state = self._store.producer()
        return None if state is None else encode_producer(state)

    def bars(self, symbols: Iterable[str]) -> bytes:
        """The final version of every kept minute of these symbols, over all shards: a list of bars, encoded."""
        return _encode_bars(list(self._store.bars(symbols)))

    def close(self) -> None:
        """Let go of the files."""
        self._store.close()

    def stats(self) -> int:
        """How many checkpoints were kept."""
        self._meters.totals({"cpu_seconds_total": process_usage().cpu_s})
        self._meters.totals({"checkpoints_total": self._saved, "checkpoint_bytes_total": self._bytes})
        return self._saved
