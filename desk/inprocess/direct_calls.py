"""The ports between the parts as plain calls in one process.

Tests: tests/desk/inprocess/test_in_process_desk.py
"""

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from typing import Protocol

from desk.checkpoint.checked_file import translate_disk_errors
from desk.consumer.shard import Shard
from desk.model.bars import Bar
from desk.model.batch import News, ShardBack
from desk.model.checkpoint import Checkpoint, ProducerState, decode_checkpoint, decode_producer
from desk.model.commands import Deliver
from desk.model.orders import OrderEvent, Request
from desk.model.records import ScanAnswer
from desk.orders import OrderManager
from desk.orders.order_spans import OrderSpans
from desk.ports import AckWait, Clock, Mailbox, ScannerPort, Wait
from desk.scanning.live_runner import LiveScannerRunner
from desk.scanning.runner import ScannerRunner
from desk.tape.tick_log import TickLogWriter
from desk.venues.rest.daemon_threads import run_in_thread


class CheckpointStore(Protocol):
    """A store of checkpoints and producer states."""

    def save(self, checkpoint: Checkpoint) -> bool:
        """Save a checkpoint; return False if it was rejected."""
        ...

    def save_producer(self, state: ProducerState) -> bool:
        """Save a producer state; return False if it was rejected."""
        ...

    def latest(self, shard: int) -> Checkpoint | None:
        """The shard's last checkpoint."""
        ...

    def producer(self) -> ProducerState | None:
        """The producer's last state."""
        ...

    def bars(self, symbols: Iterable[str] | None = None) -> Iterable[Bar]:
        """The final version of every saved minute, of all symbols or of these."""
        ...


class LocalLinks:
    """Applies each batch as it is sent, and keeps the ack for the next `wait`."""

    def __init__(self, shards: Mapping[int, Shard], clock: Clock) -> None:
        self._shards = shards
        self._clock = clock
        self._news: list[News] = []

    def send(self, shard: int, batch: bytes) -> None:
        """Apply the batch."""
        self._news.append(self._shards[shard].receive(batch))

    def wait(self, wait: Wait, descriptors: Sequence[int] = ()) -> list[News]:
        """Wait for the time; return every ack since the last call that asked for acks. No call is ever pending."""
        if wait.until_ns:
            self._clock.wait(wait.until_ns, descriptors)
        if wait.acks is AckWait.SKIP:
            return []
        news, self._news = self._news, []
        return news

    def locate(self, shard: int) -> None:
        """Add the shard's position to the news."""
        self._news.append(ShardBack(self._shards[shard].position()))

    def forget(self, shard: int) -> None:
        """Do nothing: no call is ever pending."""


class LocalBroker:
    """The broker port: an order manager in this process.

    Events of submitted requests go into the producer's mailbox.
    """

    def __init__(self, manager: OrderManager, mailbox: Mailbox, spans: OrderSpans | None = None) -> None:
        self._manager = manager
        self._mailbox = mailbox
        self._spans = spans

    def decide(self, request: Request) -> list[OrderEvent]:
        """Decide the request."""
        if self._spans is None:
            return self._manager.decide(request)
        with self._spans.deciding(request):
            return self._manager.decide(request)

    def submit(self, request: Request) -> None:
        """Decide the request, and deliver the events."""
        self._mailbox.post(Deliver(self.decide(request)))

    def unanswered(self) -> list[Request]:
        """None: every request is answered at once."""
        return []

    def events_after(self, numbers: Mapping[str, int]) -> list[OrderEvent]:
        """Events above these numbers."""
        return self._manager.events_after(numbers)

    def begin_close(self, session_ns: int) -> None:
        """Record the ledger's position."""
        self._manager.begin_close(session_ns)

    def close(self, session_ns: int) -> list[OrderEvent]:
        """End every order that is still open."""
        return self._manager.close(session_ns)


class LocalScanners:
    """Scanners in this process."""

    def __init__(self, scanning: ScannerRunner) -> None:
        self._scanning = scanning
        self._answers: list[ScanAnswer] = []

    def ask(self, mark_ns: int, subscribed: Sequence[str]) -> bool:
        """Scan, and keep the answers."""
        self._answers = self._scanning.scan(mark_ns, subscribed)
        return bool(self._answers)

    def answers(self) -> list[ScanAnswer]:
        """Return the answers of the last scan, once."""
        answers, self._answers = self._answers, []
        return answers

    def answered(self) -> bool:
        """True: scans are done at once."""
        return True

    def history(self, symbols: Sequence[str], until_ns: int) -> dict[str, list[Bar]]:
        """The session's bars of these symbols."""
        return self._scanning.history(symbols, until_ns)

    def remembered(self, symbols: Sequence[str], until_ns: int) -> dict[str, bytes]:
        """The encoded remembered trades of these symbols."""
        return self._scanning.remembered(symbols, until_ns)


class LocalTickWriter:
    """The port of the producer's recording: a log in this process."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._log = TickLogWriter(folder)

    def save_ticks(self, chunk: bytes) -> None:
        """Append the chunk. Raises RunFailed."""
        with translate_disk_errors(self._folder):
            self._log.append(chunk)

    def unsaved_ticks(self) -> int:
        """0: each chunk is saved at once."""
        return 0

    def settle(self) -> None:
        """Close the log."""
        self._log.close()


class LocalLiveScanners:
    """Scanners of a live market in this process: a thread reads the market, then the scanners run in the caller's."""

    def __init__(self, scanning: LiveScannerRunner) -> None:
        self._scanning = scanning
        self._mark_ns = 0
        self._read: Future[None] | None = None

    def ask(self, mark_ns: int, subscribed: Sequence[str]) -> bool:
        """Start to read the market, if any scanner is due."""
        if not self._scanning.is_due(mark_ns):
            return False
        self._mark_ns = mark_ns
        # A daemon thread: the end of the process does not wait for the venue.
        self._read = run_in_thread(partial(self._scanning.read, list(subscribed)), "market snapshots")
        return True

    def answers(self) -> list[ScanAnswer]:
        """Wait for the market, and run the scanners."""
        if self._read is None:
            return []
        self._read.result()
        self._read = None
        return self._scanning.run(self._mark_ns)

    def answered(self) -> bool:
        """Whether the market is read."""
        return self._read is None or self._read.done()

    def history(self, symbols: Sequence[str], until_ns: int) -> dict[str, list[Bar]]:
        """No bars."""
        return self._scanning.history(symbols, until_ns)

    def remembered(self, symbols: Sequence[str], until_ns: int) -> dict[str, bytes]:
        """No trades."""
        return self._scanning.remembered(symbols, until_ns)


def local_scanners(scanning: ScannerRunner | LiveScannerRunner) -> ScannerPort:
    """The scanner port of these scanners."""
    return LocalLiveScanners(scanning) if isinstance(scanning, LiveScannerRunner) else LocalScanners(scanning)


class LocalKeeper:
    """The keeper port: a store in this process."""

    def __init__(self, store: CheckpointStore) -> None:
        self._store = store
        self._confirmed = 0

    def save(self, number: int, checkpoint: bytes) -> None:
        """Save the checkpoint."""
        self._store.save(decode_checkpoint(checkpoint))
        self._confirmed = number

    def confirmed(self) -> int:
        """The last checkpoint: each is saved at once."""
        return self._confirmed

    def save_producer(self, state: bytes) -> None:
        """Save the state."""
        self._store.save_producer(decode_producer(state))

    def latest(self, shard: int) -> Checkpoint | None:
        """The shard's last checkpoint."""
        return self._store.latest(shard)

    def producer(self) -> ProducerState | None:
        """The last producer state."""
        return self._store.producer()

    def bars(self, symbols: Iterable[str]) -> list[Bar]:
        """The saved bars of these symbols."""
        return list(self._store.bars(symbols))
