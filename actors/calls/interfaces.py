"""The methods of each actor that other actors call. The actor classes import much more than their callers need.

`actors.driver.actor_specs` has mypy compare them with the classes. The encodings are in
`actors.calls.order_encoding` and `desk.model`.

Tests: tests/actors/test_handles.py
"""

from collections.abc import Sequence
from typing import Protocol

from actors.metrics.actor_meters import ActorReport
from desk.model.bars import Bar
from desk.model.records import ScanAnswer
from desk.orders import OrderLedger
from desk.report.run_record import ProcessUsage


class SupervisedActor(Protocol):
    """Calls of the supervisor to every actor."""

    def usage(self) -> ProcessUsage:
        """CPU time and memory that the actor's process has used."""
        ...

    def stats(self) -> object:
        """The actor's counts so far."""
        ...

    def report(self) -> ActorReport:
        """The actor's counts so far, and the metrics of its process."""
        ...


class BrokerActor(Protocol):
    """Calls of consumers and the producer to the broker."""

    def decide(self, request: bytes, /) -> bytes:
        """Decide an encoded request; return the encoded order events."""
        ...

    def submit(self, request: bytes, /) -> None:
        """Decide an encoded request and deliver the order events to the producer."""
        ...

    def events_after(self, numbers: bytes, /) -> bytes:
        """Return the encoded events of all symbols above these encoded numbers."""
        ...

    def begin_close(self, session_ns: int, /) -> None:
        """Record the ledger's position before the session closes."""
        ...

    def close(self, session_ns: int, /) -> bytes:
        """End every open order; return the encoded order events."""
        ...


class KeeperActor(Protocol):
    """Calls of consumers and the producer to the keeper."""

    def save(self, checkpoint: bytes, /) -> bool:
        """Save an encoded checkpoint."""
        ...

    def save_producer(self, state: bytes, /) -> bool:
        """Save an encoded producer state."""
        ...

    def save_ticks(self, chunk: bytes, /) -> None:
        """Save an encoded chunk of received ticks."""
        ...

    def latest(self, shard: int, /) -> bytes | None:
        """The shard's last checkpoint, encoded."""
        ...

    def producer(self) -> bytes | None:
        """The producer's last state, encoded."""
        ...

    def bars(self, symbols: Sequence[str], /) -> bytes:
        """The saved bars of these symbols, encoded."""
        ...


class LedgerActor(OrderLedger, Protocol):
    """Calls of the broker to the ledger."""


class ScannerActor(Protocol):
    """Calls of the producer to the scanners."""

    def scan(self, mark_ns: int, subscribed: Sequence[str], /) -> list[ScanAnswer]:
        """Run the scanners that are due at the mark; return their answers."""
        ...

    def history(self, symbols: Sequence[str], until_ns: int, /) -> dict[str, list[Bar]]:
        """The session's bars of these symbols."""
        ...

    def remembered(self, symbols: Sequence[str], until_ns: int, /) -> dict[str, bytes]:
        """The encoded remembered trades of these symbols."""
        ...


class HistoryActor(Protocol):
    """Calls of the producer to the history."""

    def serve(self, question: bytes, /) -> bytes:
        """Answer an encoded question; return the encoded answer."""
        ...


class ConsumerActor(Protocol):
    """Calls of the producer to a consumer."""

    def apply(self, batch: bytes, /) -> bytes:
        """Apply one encoded batch; return the encoded ack."""
        ...

    def position(self) -> bytes:
        """The shard's position, encoded."""
        ...

    def settle(self) -> None:
        """Wait until the broker has decided and the keeper has saved everything that the shard sent."""
        ...


class ProducerActor(Protocol):
    """Calls of the broker to the producer."""

    def deliver(self, events: bytes, /) -> None:
        """Put committed order events, encoded, into the inbox."""
        ...
