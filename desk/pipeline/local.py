"""The doors of the house as plain calls: everything in one process."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol

from desk.model.bars import Bar
from desk.model.batch import Ack
from desk.model.checkpoint import Checkpoint, decode_checkpoint
from desk.model.orders import OrderEvent, Request
from desk.model.records import ScanAnswer
from desk.orders import OrderManager
from desk.pipeline.scanning import Scanning
from desk.pipeline.shard import Shard


class CheckpointStore(Protocol):
    """Where checkpoints are kept."""

    def save(self, checkpoint: Checkpoint) -> bool:
        """Keep one; whether it was not refused."""
        ...


class LocalLinks:
    """A batch is applied as it is sent; its ack waits to be fetched."""

    def __init__(self, shards: Mapping[int, Shard]) -> None:
        self._shards = shards
        self._acks: list[Ack] = []

    def send(self, shard: int, batch: bytes) -> None:
        """Apply the batch."""
        self._acks.append(self._shards[shard].receive(batch))

    def acks(self, wait: bool) -> list[Ack]:  # noqa: ARG002 - nothing is ever under way
        """Every ack since the last call."""
        acks, self._acks = self._acks, []
        return acks

    def drain(self) -> list[Ack]:
        """Every ack since the last call."""
        return self.acks(wait=True)

    def settle(self) -> None:
        """Nothing is ever under way."""


class LocalBroker:
    """The broker door onto an order manager in this process."""

    def __init__(self, manager: OrderManager, deliver: Callable[[Iterable[OrderEvent]], None]) -> None:
        self._manager = manager
        self._deliver = deliver

    def decide(self, request: Request) -> list[OrderEvent]:
        """Decide at once."""
        return self._manager.decide(request)

    def submit(self, request: Request) -> None:
        """Decide at once, and deliver."""
        self._deliver(self._manager.decide(request))

    def close(self, session_ns: int) -> list[OrderEvent]:
        """End every order that is still open."""
        return self._manager.close(session_ns)


class LocalScanners:
    """The scanner door onto scanners in this process."""

    def __init__(self, scanning: Scanning) -> None:
        self._scanning = scanning
        self._answers: list[ScanAnswer] = []

    def ask(self, mark_ns: int, subscribed: Sequence[str]) -> bool:
        """Scan at once; the answers wait to be fetched."""
        self._answers = self._scanning.scan(mark_ns, subscribed)
        return bool(self._answers)

    def answers(self, wait: bool) -> list[ScanAnswer]:  # noqa: ARG002 - nothing is ever under way
        """The answers of the last scan, once."""
        answers, self._answers = self._answers, []
        return answers

    def history(self, symbols: Sequence[str], until_ns: int) -> dict[str, list[Bar]]:
        """The session's minutes of these symbols."""
        return self._scanning.history(symbols, until_ns)


class LocalKeeper:
    """The keeper's letter box onto a store in this process."""

    def __init__(self, store: CheckpointStore) -> None:
        self._store = store

    def save(self, shard: int, checkpoint: bytes) -> None:  # noqa: ARG002 - the checkpoint names its shard
        """Keep it at once."""
        self._store.save(decode_checkpoint(checkpoint))
